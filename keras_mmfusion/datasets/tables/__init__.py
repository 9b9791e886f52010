"""Tables whose columns are modalities."""
