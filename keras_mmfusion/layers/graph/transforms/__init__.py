"""Random dropout of nodes and edges."""
