"""Bulk captioning with an exported captioner on Apache Beam."""
