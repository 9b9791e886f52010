"""Graph convolution and attention, and layer-wise inference."""
