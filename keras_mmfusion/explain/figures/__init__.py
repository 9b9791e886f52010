"""Figures and pages of explanations."""
