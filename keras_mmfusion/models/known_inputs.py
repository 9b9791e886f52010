"""NaN among features, found before it makes the loss and all weights NaN."""

import keras
import numpy as np

from keras_mmfusion.models.preprocessed_sequence import PreprocessedSequence


class KnownInputs:
    """Refuses NaN that no mask leaves out, by an error that names the modality.

    Goes before the Keras class that a model extends, whose inputs are a dict. Arrays are checked at
    once in `fit`, `evaluate` and `predict`; `PyDataset` and `tf.data` batch by batch, as they are
    read. Keras's other data, such as generators, are not checked.
    """

    def fit(self, x=None, y=None, *args, validation_data=None, **kwargs):
        validation_data = self._known(validation_data)
        return super().fit(self._known(x), y, *args, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        return super().evaluate(self._known(x), *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        return super().predict(self._known(x), *args, **kwargs)

    def takes_nan(self, modality):
        """Whether NaN has a meaning in a modality, such as a cell that is empty."""
        layers = getattr(self.encoders.get(modality), "_flatten_layers", tuple)()
        return any(getattr(layer, "takes_nan", False) for layer in layers)

    def _known(self, data):
        if isinstance(data, keras.utils.PyDataset):
            return _KnownSequence(data, self.check_known)
        if hasattr(data, "element_spec") and hasattr(data, "map"):  # Distributed ones have none.
            return data.map(self._known_tensors)
        if isinstance(data, dict | tuple | list):
            self.check_known(data)
        return data

    def check_known(self, batch):
        """Looks through a batch, a dict of arrays or a tuple that begins with one.

        Raises:
            ValueError: if a modality has NaN that no mask leaves out.
        """
        inputs = batch[0] if isinstance(batch, tuple | list) and batch else batch
        for name, mask_name, value, mask in self._features(inputs):
            value, mask = _array(value), _array(mask)
            if value is None or value.dtype.kind != "f":
                continue
            unknown = np.isnan(value)
            if mask is not None:
                axes = tuple(range(mask.ndim, value.ndim))
                unknown = unknown.any(axis=axes) & mask.astype("bool")
            if unknown.any():
                sample = int(np.nonzero(unknown)[0][0])
                message = _message(name, mask_name)
                raise ValueError(f"{message} The first one is in sample {sample}.")

    def _known_tensors(self, inputs, *rest):
        """The same for the tensors of a `tf.data` pipeline, which are returned."""
        import tensorflow as tf

        checks = []
        for name, mask_name, value, mask in self._features(inputs):
            if not isinstance(value, tf.Tensor) or not value.dtype.is_floating:
                continue
            unknown = tf.math.is_nan(value)
            if mask is not None:
                axes = tuple(range(len(mask.shape), len(value.shape)))
                unknown = tf.reduce_any(unknown, axis=axes)
                unknown = tf.logical_and(unknown, tf.cast(mask, "bool"))
            right = tf.logical_not(tf.reduce_any(unknown))
            checks.append(tf.debugging.Assert(right, [_message(name, mask_name)]))
        if checks:
            with tf.control_dependencies(checks):
                inputs = tf.nest.map_structure(tf.identity, inputs)
        return (inputs, *rest) if rest else inputs

    def _features(self, inputs):
        """Tuples of a name, the name of a mask or `None`, the value, and the mask or `None`.

        A model whose inputs are no modalities implements it.
        """
        if not isinstance(inputs, dict):
            return
        for modality in self.modalities:
            if self.takes_nan(modality):
                continue
            for name in (modality, f"{modality}_tokens"):
                value = inputs.get(name)
                if isinstance(value, dict):  # Such as a graph.
                    for key, part in value.items():
                        mask_name = _MASKS.get(key, f"{key}_mask")
                        yield f"{name}/{key}", mask_name, part, value.get(mask_name)
                elif value is not None:
                    mask_name = f"{modality}_mask"
                    yield name, mask_name, value, inputs.get(mask_name)


# Of graphs.
_MASKS = {"node_features": "node_mask", "edge_weight": "edge_mask"}


class _KnownSequence(PreprocessedSequence):
    """A `PyDataset` of which each batch is checked, and stays as it is."""

    def __getitem__(self, index):
        batch = self.sequence[index]
        self.preprocess(batch)
        return batch


def _array(x):
    """A tensor or an array as NumPy's; `None` for anything else, such as a list of files."""
    return keras.ops.convert_to_numpy(x) if hasattr(x, "dtype") else None


def _message(name, mask_name):
    remedy = "Replace NaN by numbers."
    if mask_name is not None:
        remedy = (
            f"Give {mask_name!r}, False where a sample or a token is missing, or replace NaN by "
            "numbers."
        )
    return (
        f"Modality {name!r} has NaN that no mask leaves out, so that loss and results would be "
        f"NaN. {remedy}"
    )
