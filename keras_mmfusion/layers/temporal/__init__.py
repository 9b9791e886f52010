"""Fusion of the frames of a video over time."""
