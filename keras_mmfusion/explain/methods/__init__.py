"""The methods of `explain`: each applies its formula to the prediction of a model."""
