import keras
from keras import ops

from keras_mmfusion._keras_internals import get_keras_mask
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.masks import whole_mask, zero_masked

LAYOUTS = {2: "vectors of shape (batch, dim)", 3: "tokens of shape (batch, tokens, dim)"}


class MultimodalLayer(keras.layers.Layer):
    """What layers of several modalities share: a dict of tensors, in a fixed order, some missing.

    Args:
        modalities: sequence of strings. The names of the modalities, in the layer's order.
    """

    # How many dims a modality's tensor may have.
    input_ranks = (2,)

    def __init__(self, modalities, **kwargs):
        super().__init__(**kwargs)
        names = () if isinstance(modalities, str) else tuple(modalities)
        if not names or len(set(names)) < len(names) or not all(isinstance(n, str) for n in names):
            raise ValueError(
                f"{type(self).__name__}: `modalities` must be a sequence of different names, such "
                f"as ('image', 'text'). Received: {modalities!r}"
            )
        self.modalities = names
        self.supports_masking = True  # The mask says what is missing; the output has none.

    def compute_mask(self, inputs, mask=None):
        return None

    def read_dims(self, inputs_shape):
        """Keeps, and returns, the size of each modality's vectors, for `build`."""
        self._check_names("inputs", inputs_shape)
        dims = {}
        for name in self.modalities:
            shape = inputs_shape.get(name)
            if shape is None or len(shape) not in self.input_ranks or shape[-1] is None:
                raise ValueError(
                    f"{type(self).__name__}: modality {name!r} needs {self._layout()} in "
                    f"`inputs` when the layer is built. Received shape: {shape}. "
                    "What may be missing later must be there in the first call. "
                    + ("" if 3 in self.input_ranks else "Pool tokens first.")
                )
            dims[name] = shape[-1]
        self.dims = dims
        return dims

    def gather(self, inputs, mask=None):
        """As `read`, with ones in place of `None`."""
        values, present = self.read(inputs, mask)
        return values, [whole_mask(*each) for each in zip(values, present, strict=True)]

    def read(self, inputs, mask=None):
        """The modalities in their order, zeros where they are missing.

        Args:
            inputs: dict, modality -> float tensor; `None`, or no entry, for a modality that the
                whole batch is without.
            mask: dict, modality -> bool tensor, of the tensor's shape without its last dim, or
                `(batch,)`; without an entry, the one that Keras keeps with the tensor.

        Returns:
            Two lists: the tensors, and for each a bool tensor that is `True` for what is there,
            `None` where nothing is missing. Of a modality that the batch is without, there is one
            vector of zeros a sample.
        """
        self._check_names("inputs", inputs)
        mask = mask or {}
        self._check_names("mask", mask)
        given = [inputs[name] for name in self.modalities if inputs.get(name) is not None]
        if not given:
            raise ValueError(
                f"{type(self).__name__}: `inputs` must have at least one modality of "
                f"{', '.join(map(repr, self.modalities))}; all of them are missing."
            )
        batch_size = ops.shape(given[0])[0]
        values, present = [], []
        for name in self.modalities:
            value = inputs.get(name)
            if value is not None:
                self._check_value(name, value)
            if value is None or value.shape[1] == 0:  # Without a token it is missing, too.
                shape = (batch_size,) if self.input_ranks[-1] == 2 else (batch_size, 1)
                values.append(ops.zeros((*shape, self.dims[name]), self.compute_dtype))
                present.append(ops.zeros(shape, "bool"))
                continue
            here = mask.get(name)
            if here is None:  # With a mask of another modality given, Keras does not look here.
                here = get_keras_mask(value)
            value = cast_input(self, value)
            if here is not None:
                here = self._spread(name, ops.cast(here, "bool"), value)
                value = zero_masked(value, here)
            elif value.shape[1] is None:  # It may turn out to be without a token.
                here = whole_mask(value)
            values.append(value)
            present.append(here)
        return values, present

    def _check_names(self, argument, given):
        if not isinstance(given, dict):
            raise ValueError(
                f"{type(self).__name__}: `{argument}` must be a dict, modality -> tensor. "
                f"Received: {given!r}"
            )
        unknown = sorted(set(given) - set(self.modalities))
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: `{argument}` has {unknown[0]!r}, which is not one of the "
                f"layer's modalities: {', '.join(map(repr, self.modalities))}."
            )

    def _check_value(self, name, value):
        if len(value.shape) not in self.input_ranks or value.shape[-1] != self.dims[name]:
            raise ValueError(
                f"{type(self).__name__}: modality {name!r} of `inputs` must be {self._layout()}, "
                f"with dim {self.dims[name]} as when the layer was built. Received shape: "
                f"{tuple(value.shape)}"
            )

    def _spread(self, name, here, value):
        """The mask of a modality, from `(batch,)` to every token if it has tokens."""
        shape, expected = tuple(here.shape), tuple(value.shape[:-1])
        if len(shape) == 1 and len(expected) == 2:
            return ops.logical_and(
                ops.expand_dims(here, 1), ops.ones(ops.shape(value)[:-1], "bool")
            )
        if len(shape) != len(expected) or any(
            None not in (one, other) and one != other
            for one, other in zip(shape, expected, strict=True)
        ):
            raise ValueError(
                f"{type(self).__name__}: the `mask` of {name!r} must have the shape {expected} of "
                f"its tensor without the last dim, or (batch,). Received shape: {shape}"
            )
        return here

    def _layout(self):
        return " or ".join(LAYOUTS[rank] for rank in self.input_ranks)

    def dense_each(self, suffix, dims, units, **settings):
        """A built `Dense` layer for each modality of `dims`, in their order."""
        layers = []
        for name, dim in dims.items():
            dense = Dense(units, dtype=self.dtype_policy, name=f"{name}_{suffix}", **settings)
            dense.build((None, dim))
            layers.append(dense)
        return layers

    def get_config(self):
        return {**super().get_config(), "modalities": list(self.modalities)}
