"""Layers for heterogeneous graphs."""
