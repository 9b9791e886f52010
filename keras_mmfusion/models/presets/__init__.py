"""Presets: saving, loading, precision and quantization."""
