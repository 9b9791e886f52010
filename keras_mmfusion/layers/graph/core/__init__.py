"""What graph layers share: inputs, edges, sparse products, normalization."""
