import keras
from keras import ops


class FusionRule(keras.layers.Layer):
    """What the combination rules share: vectors by modality, in a fixed order, some missing.

    A rule of your own implements `build_rule(dims)`, which makes the weights, and
    `combine(values, present)`, the formula.

    Args:
        modalities: sequence of strings. The names of the modalities, in the rule's order.
        output_dim: int or `None`. The size of the output, if the rule has one to choose.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, dim)`; dims may differ. `None`, or no
            entry, for a modality that the whole batch is without; in the first call, or in the
            functional model, every modality needs its entry.
        mask: dict, modality -> bool tensor `(batch,)`, `False` where a sample is without the
            modality. No entry, or `None`, where none is missing. Whatever stands in the place
            of a missing vector, NaN included, never reaches the output.

    Raises:
        ValueError: if a modality is unknown or has no dim, or if all of them are `None`.
    """

    def __init__(self, modalities, output_dim=None, **kwargs):
        super().__init__(**kwargs)
        names = () if isinstance(modalities, str) else tuple(modalities)
        if not names or len(set(names)) < len(names) or not all(isinstance(n, str) for n in names):
            raise ValueError(
                f"{type(self).__name__}: `modalities` must be a sequence of different names, such "
                f"as ('image', 'text'). Received: {modalities!r}"
            )
        self.modalities = names
        self.output_dim = None if output_dim is None else self.check_size("output_dim", output_dim)
        self.supports_masking = True  # The mask says what is missing; the output has none.

    def build(self, inputs_shape):
        self._check_names("inputs", inputs_shape)
        dims = {}
        for name in self.modalities:
            shape = inputs_shape.get(name)
            if shape is None or len(shape) != 2 or shape[1] is None:
                raise ValueError(
                    f"{type(self).__name__}: modality {name!r} needs vectors of shape "
                    f"(batch, dim) in `inputs` when the layer is built. Received shape: {shape}. "
                    "Pool tokens first; what may be missing later must be there in the first call."
                )
            dims[name] = shape[1]
        self.dims = dims
        self.build_rule(dims)

    def build_rule(self, dims):
        """Makes the weights. `dims` is a dict, modality -> size of its vectors."""

    def combine(self, values, present):
        """The formula.

        Args:
            values: list of tensors `(batch, dim)` in the order of the modalities, zeros where a
                modality is missing.
            present: list of tensors `(batch, 1)`: 1, or 0 where it is missing.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `combine`.")

    def call(self, inputs, mask=None):
        return self.combine(*self._unpack(inputs, mask))

    def compute_mask(self, inputs, mask=None):
        return None

    def _unpack(self, inputs, mask):
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
            if value is None:
                values.append(ops.zeros((batch_size, self.dims[name]), self.compute_dtype))
                present.append(ops.zeros((batch_size, 1), self.compute_dtype))
                continue
            here = ops.ones((batch_size, 1), "bool")
            if mask.get(name) is not None:
                here = ops.reshape(ops.cast(mask[name], "bool"), (-1, 1))
                # `where`, not a product: NaN times 0 is NaN.
                value = ops.where(here, value, ops.zeros_like(value))
            values.append(value)
            present.append(ops.cast(here, self.compute_dtype))
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

    def dense_each(self, suffix, dims, units, **settings):
        """A built `Dense` layer for each modality of `dims`, in their order."""
        layers = []
        for name, dim in dims.items():
            dense = keras.layers.Dense(
                units, dtype=self.dtype_policy, name=f"{name}_{suffix}", **settings
            )
            dense.build((None, dim))
            layers.append(dense)
        return layers

    def check_size(self, name, value):
        """`value` if it is a positive int, else an error that names the argument."""
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(
                f"{type(self).__name__}: `{name}` must be a positive integer. Received: {value!r}"
            )
        return value

    def compute_output_shape(self, inputs_shape):
        return inputs_shape[self.modalities[0]][0], self.output_dim

    def get_config(self):
        return {
            **super().get_config(),
            "modalities": list(self.modalities),
            "output_dim": self.output_dim,
        }
