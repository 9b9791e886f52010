"""Strict readers of text, CSV and JSON files, and atomic writing."""
