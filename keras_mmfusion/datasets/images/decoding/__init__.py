"""Image decoders of TensorFlow operations, for graphs that run without Python."""
