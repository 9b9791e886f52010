import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.alignment.tensor_checks import resolve_mask
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.masks import zero_masked


class Alignment(keras.layers.Layer):
    """Base class of layers that align the tokens of two modalities by a plan.

    ```
    aligned_i = Σ_j plan_ij value_j / Σ_j plan_ij
    ```

    A subclass implements `make_plan(query, value, query_mask, value_mask)`.

    Args:
        projection_dim: int or `None`. The tokens are compared after a linear projection of each
            modality to this size; `None` compares the tokens themselves, which needs equal dims.

    Call arguments:
        query: float tensor `(batch, query_tokens, query_dim)`.
        value: float tensor `(batch, value_tokens, value_dim)`.
        query_mask: bool tensor `(batch, query_tokens)`, `True` for a real token.
        value_mask: bool tensor `(batch, value_tokens)`. Masked tokens, NaN included, do not
            affect the output.

    Output shape:
        A tuple: the aligned values, one for each query, `(batch, query_tokens, value_dim)`, and
        the plan, float32 `(batch, query_tokens, value_tokens)`. A query whose row of the plan is
        zeros, for example because all values are masked, gets zeros.

    Raises:
        ValueError: if an input is not a batch of tokens, if a mask has the wrong shape, or if the
            dims differ without a projection.
    """

    def __init__(self, projection_dim=None, **kwargs):
        super().__init__(**kwargs)
        if projection_dim is not None:
            projection_dim = check_integer(self, "projection_dim", projection_dim)
        self.projection_dim = projection_dim
        self.supports_masking = True
        if projection_dim is not None:
            self.query_dense = self.make_projection("query")
            self.value_dense = self.make_projection("value")

    def make_projection(self, name):
        return Dense(self.projection_dim, use_bias=False, dtype=self.dtype_policy, name=name)

    def build(self, query_shape, value_shape):
        self.check_tokens(query_shape, value_shape)
        if self.projection_dim is not None:
            self.query_dense.build(query_shape)
            self.value_dense.build(value_shape)
        elif query_shape[-1] != value_shape[-1]:
            raise ValueError(
                f"{type(self).__name__}: `query` and `value` must have the same last dim. "
                f"Received: {query_shape[-1]} and {value_shape[-1]}. Set `projection_dim` to "
                "compare projections."
            )

    def check_tokens(self, query_shape, value_shape):
        for name, shape in {"query": query_shape, "value": value_shape}.items():
            if len(shape) != 3 or shape[-1] is None:
                raise ValueError(
                    f"{type(self).__name__}: `{name}` must be tokens of shape (batch, tokens, dim) "
                    f"with a known dim. Received shape: {tuple(shape)}"
                )

    def call(self, query, value, query_mask=None, value_mask=None):
        query, value, masks = self.mask_inputs(query, value, query_mask, value_mask)
        plan = self.make_plan(query, value, *masks)
        return self.align(plan, value), plan

    def mask_inputs(self, query, value, query_mask, value_mask):
        """Checks the masks and zeroes masked tokens.

        Returns:
            The query, the value, and a list of their masks, bool `(batch, tokens)`.
        """
        caller = type(self).__name__
        masks = [
            resolve_mask(caller, "query_mask", query_mask, query),
            resolve_mask(caller, "value_mask", value_mask, value),
        ]
        query, value = cast_input(self, query), cast_input(self, value)
        return zero_masked(query, masks[0]), zero_masked(value, masks[1]), masks

    def project(self, query, value):
        """The tokens to compare, projected if the layer has projections, in float32."""
        if self.projection_dim is not None:
            query = apply_to_rows(self.query_dense, query)
            value = apply_to_rows(self.value_dense, value)
        return ops.cast(query, "float32"), ops.cast(value, "float32")

    def make_plan(self, query, value, query_mask, value_mask):
        """Computes the plan, float32 `(batch, query_tokens, value_tokens)`, zeros where masked."""
        raise NotImplementedError(f"{type(self).__name__} must implement `make_plan`.")

    def align(self, plan, value):
        """Averages the values for each query, weighted by its row of the plan."""
        total = ops.sum(plan, axis=2, keepdims=True)
        weights = plan / ops.where(total > 0, total, 1.0)
        return ops.matmul(ops.cast(weights, value.dtype), value)

    def compute_output_shape(self, query_shape, value_shape):
        plan_shape = (*query_shape[:2], value_shape[1])
        return (*query_shape[:2], value_shape[2]), plan_shape

    def compute_output_spec(self, query, value, *args, **kwargs):
        # Masks, and the arguments that a subclass adds, do not affect the shapes.
        aligned, plan = self.compute_output_shape(query.shape, value.shape)
        return (
            keras.KerasTensor(aligned, dtype=self.compute_dtype),
            keras.KerasTensor(plan, dtype="float32"),
        )

    def get_config(self):
        return {**super().get_config(), "projection_dim": self.projection_dim}


def normalize_vectors(x):
    """Scales vectors to unit length; zeros stay zeros, with a finite gradient."""
    return x * ops.rsqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-12)
