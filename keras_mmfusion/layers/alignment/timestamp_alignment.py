import keras
from keras import ops

from keras_mmfusion.layers.alignment.alignment import Alignment


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TimestampAlignment(Alignment):
    """Aligns two streams of tokens, such as words and frames, by their timestamps.

    ```
    o_ij = max(0, min(query_end_i, value_end_j) - max(query_start_i, value_start_j))
    plan_ij = o_ij / Σ_k o_ik
    aligned_i = Σ_j plan_ij value_j
    ```

    A value is weighted by the duration of its overlap with the query. If no overlap has a
    duration, because the query or the values are moments (start = end), all values that touch the
    query have the same weight. A query that touches no value gets zeros. For streams in temporal
    order the plan is monotonic. Times are compared in their own dtype, not in the layer's.

    Call arguments:
        query: float tensor `(batch, query_tokens, query_dim)`.
        value: float tensor `(batch, value_tokens, value_dim)`.
        query_times: tensor `(batch, query_tokens, 2)`, start and end of each token, in any unit.
        value_times: tensor `(batch, value_tokens, 2)`, in the same unit.
        query_mask, value_mask: bool tensors, see `Alignment`.

    Output shape:
        See `Alignment`; the rows of the plan sum to 1 or 0.

    Raises:
        ValueError: if an input is not a batch of tokens, or times or a mask have the wrong shape.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.alignment import TimestampAlignment
    >>> words, frames = np.ones((1, 2, 32)), np.random.rand(1, 4, 512)
    >>> word_times = np.array([[[0.0, 0.5], [0.5, 2.0]]])
    >>> frame_times = np.array([[[0.0, 0.5], [0.5, 1.0], [1.0, 1.5], [1.5, 2.0]]])
    >>> aligned, plan = TimestampAlignment()(words, frames, word_times, frame_times)
    >>> np.round(np.array(plan[0], "float64"), 2).tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.0, 0.33, 0.33, 0.33]]

    Reference:
        The overlap is that of the alignment of words, frames and audio in Tsai et al.,
        "Multimodal Transformer for Unaligned Multimodal Language Sequences", 2019, section 4.1.
    """

    def __init__(self, **kwargs):
        # No autocast: half precision cannot represent milliseconds after a minute.
        super().__init__(projection_dim=None, **{**kwargs, "autocast": False})

    def build(self, query_shape, value_shape, query_times_shape, value_times_shape):
        self.check_tokens(query_shape, value_shape)
        for name, tokens, times in (
            ("query", query_shape, query_times_shape),
            ("value", value_shape, value_times_shape),
        ):
            match = len(times) == 3 and (None in (tokens[1], times[1]) or tokens[1] == times[1])
            if not match or times[2] != 2:
                raise ValueError(
                    f"TimestampAlignment: `{name}_times` must have the shape (batch, tokens, 2), "
                    f"start and end of each token of `{name}`, which has shape {tuple(tokens)}. "
                    f"Received shape: {tuple(times)}"
                )

    def call(self, query, value, query_times, value_times, query_mask=None, value_mask=None):
        _, value, (query_mask, value_mask) = self.mask_inputs(query, value, query_mask, value_mask)
        pairs = ops.logical_and(ops.expand_dims(query_mask, 2), ops.expand_dims(value_mask, 1))
        query_times, value_times = _cast_signed(query_times), _cast_signed(value_times)
        ends = ops.minimum(query_times[:, :, None, 1], value_times[:, None, :, 1])
        starts = ops.maximum(query_times[:, :, None, 0], value_times[:, None, :, 0])
        overlap = ops.where(pairs, ops.cast(ends - starts, "float32"), -1.0)
        query_moments, value_moments = (
            x[:, :, 0] == x[:, :, 1] for x in (query_times, value_times)
        )
        moments = ops.logical_or(query_moments[:, :, None], value_moments[:, None])
        touching = ops.cast(ops.logical_and(moments, overlap >= 0), "float32")
        overlap = ops.maximum(overlap, 0.0)
        any_overlap = ops.any(overlap > 0, axis=2, keepdims=True)
        plan = ops.where(any_overlap, overlap, touching)
        total = ops.sum(plan, axis=2, keepdims=True)
        plan = plan / ops.where(total > 0, total, 1.0)
        return self.align(plan, value), plan

    def compute_output_shape(
        self, query_shape, value_shape, query_times_shape=None, value_times_shape=None
    ):
        return super().compute_output_shape(query_shape, value_shape)

    def get_config(self):
        config = super().get_config()
        del config["projection_dim"]
        return config


def _cast_signed(times):
    """Casts bool and unsigned times, whose differences would wrap around, to int32."""
    dtype = keras.backend.standardize_dtype(times.dtype)
    return ops.cast(times, "int32") if dtype == "bool" or dtype.startswith("uint") else times
