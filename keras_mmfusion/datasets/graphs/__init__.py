"""Published graph data sets, and conversion of GraphTensors of TF-GNN."""
