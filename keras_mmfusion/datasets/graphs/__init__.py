"""Published graph data sets and TF-GNN's GraphTensor."""
