"""Image files and arrays to RGB pixels."""
