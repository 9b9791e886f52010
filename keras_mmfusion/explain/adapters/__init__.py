"""The predictions of each kind of task model as an `Explainable`."""
