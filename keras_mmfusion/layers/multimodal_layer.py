import keras
from keras import ops

from keras_mmfusion._keras_internals import get_keras_mask
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.masks import broadcast_mask, ensure_mask, zero_masked

LAYOUTS = {2: "vectors of shape (batch, dim)", 3: "tokens of shape (batch, tokens, dim)"}


class MultimodalLayer(keras.layers.Layer):
    """Base class of layers whose input is a dict of modalities, some of which may be missing.

    Args:
        modalities: sequence of strings. The names of the modalities, in the layer's order.
    """

    # The possible ranks of a modality's tensor.
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
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return None

    def infer_dims(self, inputs_shape):
        """Sets and returns `self.dims`, a dict, modality -> size of its vectors."""
        self._check_names("inputs", inputs_shape)
        dims = {}
        for name in self.modalities:
            shape = inputs_shape.get(name)
            if shape is None or len(shape) not in self.input_ranks or shape[-1] is None:
                raise ValueError(
                    f"{type(self).__name__}: modality {name!r} needs {self._describe_layout()} in "
                    f"`inputs` when the layer is built. Received shape: {shape}. The first call "
                    "needs all modalities; later ones may omit some. "
                    + ("" if 3 in self.input_ranks else "Pool tokens first.")
                )
            dims[name] = shape[-1]
        self.dims = dims
        return dims

    def prepare_inputs(self, inputs, mask=None):
        """Checks and casts the inputs, and replaces masked values by zeros.

        Args:
            inputs: dict, modality -> float tensor; `None`, or no entry, for a modality that is
                missing from the whole batch.
            mask: dict, modality -> bool tensor of the tensor's shape without its last dim, or
                `(batch,)`. A tensor without an entry has its implicit Keras mask, if any.

        Returns:
            A tuple `(inputs, mask)` of dicts with an entry for every modality, in the layer's
            order. A mask is `None` if nothing is masked. A modality that is missing from the
            batch is one masked vector of zeros for each sample.
        """
        self._check_names("inputs", inputs)
        mask = mask or {}
        self._check_names("mask", mask)
        available = [inputs[name] for name in self.modalities if inputs.get(name) is not None]
        if not available:
            raise ValueError(
                f"{type(self).__name__}: `inputs` must have at least one modality of "
                f"{', '.join(map(repr, self.modalities))}; all of them are missing."
            )
        batch_size = ops.shape(available[0])[0]
        values, masks = {}, {}
        for name in self.modalities:
            value = inputs.get(name)
            if value is not None:
                self._check_value(name, value)
            if value is None or value.shape[1] == 0:
                values[name], masks[name] = self._make_missing(name, batch_size)
            else:
                values[name], masks[name] = self._mask_value(name, value, mask.get(name))
        return values, masks

    def _make_missing(self, name, batch_size):
        shape = (batch_size,) if self.input_ranks[-1] == 2 else (batch_size, 1)
        return ops.zeros((*shape, self.dims[name]), self.compute_dtype), ops.zeros(shape, "bool")

    def _mask_value(self, name, value, mask):
        if mask is None:
            # Keras passes implicit masks only if no mask is given at all.
            mask = get_keras_mask(value)
        value = cast_input(self, value)
        if mask is not None:
            mask = self._resolve_mask(name, ops.cast(mask, "bool"), value)
            return zero_masked(value, mask), mask
        # A number of tokens that is not known statically may be 0.
        return value, ensure_mask(value, None) if value.shape[1] is None else None

    def _resolve_mask(self, name, mask, value):
        """Checks the shape of a mask, and broadcasts `(batch,)` to all tokens."""
        shape, expected = tuple(mask.shape), tuple(value.shape[:-1])
        if len(shape) == 1 and len(expected) == 2:
            return broadcast_mask(mask, value)
        if len(shape) != len(expected) or any(
            None not in sizes and sizes[0] != sizes[1]
            for sizes in zip(shape, expected, strict=True)
        ):
            raise ValueError(
                f"{type(self).__name__}: the `mask` of {name!r} must have the shape {expected} of "
                f"its tensor without the last dim, or (batch,). Received shape: {shape}"
            )
        return mask

    def _check_names(self, argument, value):
        if not isinstance(value, dict):
            raise ValueError(
                f"{type(self).__name__}: `{argument}` must be a dict, modality -> tensor. "
                f"Received: {value!r}"
            )
        unknown = sorted(set(value) - set(self.modalities))
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: `{argument}` has {unknown[0]!r}, which is not one of the "
                f"layer's modalities: {', '.join(map(repr, self.modalities))}."
            )

    def _check_value(self, name, value):
        if len(value.shape) not in self.input_ranks or value.shape[-1] != self.dims[name]:
            raise ValueError(
                f"{type(self).__name__}: modality {name!r} of `inputs` must be "
                f"{self._describe_layout()}, with dim {self.dims[name]} as when the layer was "
                f"built. Received shape: {tuple(value.shape)}"
            )

    def _describe_layout(self):
        return " or ".join(LAYOUTS[rank] for rank in self.input_ranks)

    def make_dense(self, suffix, dims, units, **settings):
        """Makes a built `Dense` layer named `<modality>_<suffix>` for each modality of `dims`.

        Args:
            suffix: string.
            dims: dict, modality -> size of the layer's input.
            units: int.
            **settings: other arguments of `keras.layers.Dense`.

        Returns:
            Dict, modality -> layer.
        """
        layers = {}
        for name, dim in dims.items():
            layers[name] = Dense(
                units, dtype=self.dtype_policy, name=f"{name}_{suffix}", **settings
            )
            layers[name].build((None, dim))
        return layers

    def get_config(self):
        return {**super().get_config(), "modalities": list(self.modalities)}
