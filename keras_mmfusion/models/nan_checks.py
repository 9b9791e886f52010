"""Detection of NaN in features, before the loss and all weights become NaN."""

import keras
import numpy as np

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.models.preprocessed_sequence import PreprocessedSequence

# Graph entries whose mask is not named after them.
_MASKS = {"node_features": "node_mask", "edge_weight": "edge_mask"}


class NaNChecks:
    """Mixin that rejects NaN in model inputs, except where a mask excludes it.

    Arrays are checked at once, `PyDataset` and `tf.data` datasets batch by batch as they are read.
    Other data, such as generators, is not checked.
    """

    def check_nan(self, batch):
        """Checks a batch, a dict of arrays or a tuple that starts with one.

        Raises:
            ValueError: if a modality contains NaN that no mask excludes.
        """
        inputs = batch[0] if isinstance(batch, tuple | list) and batch else batch
        for name, mask_name, value, mask in self._list_features(inputs):
            value, mask = _to_array(value), _to_array(mask)
            if value is None or value.dtype.kind != "f":
                continue
            is_nan = np.isnan(value)
            if mask is not None:
                axes = tuple(range(mask.ndim, value.ndim))
                is_nan = is_nan.any(axis=axes) & mask.astype("bool")
            if is_nan.any():
                sample = int(np.nonzero(is_nan)[0][0])
                message = _format_message(name, mask_name)
                raise ValueError(f"{message} The first one is in sample {sample}.")

    def _check_data(self, data):
        """Checks arrays at once; returns data of which each batch is checked."""
        if isinstance(data, keras.utils.PyDataset):
            return _CheckedSequence(data, self.check_nan)
        if _is_dataset(data):
            return data.map(self._check_tensors)
        if isinstance(data, dict | tuple | list):
            self.check_nan(data)
        return data

    def _check_tensors(self, inputs, *rest):
        """Adds the checks to the tensors of a `tf.data` pipeline."""
        import tensorflow as tf

        checks = []
        for name, mask_name, value, mask in self._list_features(inputs):
            if not isinstance(value, tf.Tensor) or not value.dtype.is_floating:
                continue
            is_nan = tf.math.is_nan(value)
            if mask is not None:
                axes = tuple(range(len(mask.shape), len(value.shape)))
                is_nan = tf.reduce_any(is_nan, axis=axes)
                is_nan = tf.logical_and(is_nan, tf.cast(mask, "bool"))
            is_valid = tf.logical_not(tf.reduce_any(is_nan))
            checks.append(tf.debugging.Assert(is_valid, [_format_message(name, mask_name)]))
        if checks:
            with tf.control_dependencies(checks):
                inputs = tf.nest.map_structure(tf.identity, inputs)
        return (inputs, *rest) if rest else inputs

    def _allows_nan(self, modality):
        """Returns whether NaN is a valid value in a modality, such as an empty table cell."""
        encoder = self.encoders.get(modality)
        layers = flatten_layers(encoder) if isinstance(encoder, keras.layers.Layer) else ()
        return any(getattr(layer, "allows_nan", False) for layer in layers)

    def _list_features(self, inputs):
        """Yields the features to check: name, name of the mask or `None`, value, mask or `None`.

        Models whose inputs are not modalities override it.
        """
        modalities = getattr(self, "modalities", ()) if isinstance(inputs, dict) else ()
        for modality in modalities:
            if self._allows_nan(modality):
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


class _CheckedSequence(PreprocessedSequence):
    """A `PyDataset` whose batches are checked and not changed."""

    def __getitem__(self, index):
        batch = self.sequence[index]
        self.preprocess(batch)
        return batch


def _is_dataset(data):
    """Returns whether data is a `tf.data.Dataset`; distributed datasets have no `map`."""
    return hasattr(data, "element_spec") and hasattr(data, "map")


def _to_array(x):
    """Converts an array or tensor to NumPy; returns `None` for anything else."""
    return keras.ops.convert_to_numpy(x) if hasattr(x, "dtype") else None


def _format_message(name, mask_name):
    remedy = "Replace NaN by numbers."
    if mask_name is not None:
        remedy = (
            f"Pass {mask_name!r}, False where a sample or a token is missing, or replace NaN by "
            "numbers."
        )
    return (
        f"Modality {name!r} contains NaN that no mask excludes, which would make the loss and the "
        f"outputs NaN. {remedy}"
    )
