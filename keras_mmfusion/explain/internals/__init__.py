"""What the methods read inside a model: attention scores, gradients, and embeddings."""
