"""Pooling from the nodes of a graph to one vector, or to fewer nodes."""
