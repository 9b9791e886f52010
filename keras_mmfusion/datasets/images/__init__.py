"""Reads, resizes and batches images."""
