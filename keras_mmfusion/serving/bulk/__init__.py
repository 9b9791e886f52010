"""Captions by the million: an exported captioner on Apache Beam."""
