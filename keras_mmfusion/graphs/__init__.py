"""Graphs as NumPy arrays: building edges, labeled graphs, sampling neighbors."""
