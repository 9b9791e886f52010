"""Captioners as SavedModels and as models for edge devices."""
