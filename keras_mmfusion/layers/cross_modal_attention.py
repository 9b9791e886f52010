import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.masks import zero_masked


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CrossModalAttention(keras.layers.Layer):
    """Multi-head attention of one modality's tokens over another's.

    For each head, with `Q = query W_q`, `K = key W_k`, `V = value W_v`:

    ```
    Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V
    output = concat(head_1, ..., head_n) W_o
    ```

    The queries come from one modality (say, text), the keys and values from another (say, an
    image); their last dims may differ. A key is used when its `value_mask`, its `key_mask` and
    the `attention_mask` all allow it. A query with no key to use gets zeros, before the output
    projection's bias as after it, so a missing modality adds nothing. Whatever stands in a
    masked position, NaN included, never reaches the output.

    Softmax runs in float32 under every dtype policy. Unless scores are asked for or attention
    dropout is active, the backend's fused attention is used, which on PyTorch and JAX does not
    hold the `(query tokens, key tokens)` matrix in memory.

    Args:
        num_heads: int. Number of heads.
        head_dim: int. Size `d_k` of each head.
        output_dim: int. Size of the output tokens. Defaults to the last dim of `query`.
        dropout: float. Share of attention weights dropped in training.
        use_bias: bool. Whether the four projections add a bias.
        kernel_initializer: initializer of the four kernels.

    Call arguments:
        query: float tensor `(batch, query_tokens, query_dim)`.
        value: float tensor `(batch, value_tokens, value_dim)`.
        key: float tensor `(batch, value_tokens, key_dim)`. Defaults to `value`.
        query_mask: bool tensor `(batch, query_tokens)`. Output rows of masked queries are zeros.
        value_mask: bool tensor `(batch, value_tokens)`.
        key_mask: bool tensor `(batch, value_tokens)`.
        attention_mask: bool tensor `(batch or 1, query_tokens, value_tokens)`.
        use_causal_mask: bool. Query `i` uses only keys `0 ... i`.
        return_attention_scores: bool. Also return the attention weights.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, query_tokens, output_dim)`; with `return_attention_scores`, a tuple of that and
        float32 scores `(batch, num_heads, query_tokens, value_tokens)`.

    Raises:
        ValueError: if an input is not a batch of tokens, or `key` and `value` differ in length.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import CrossModalAttention
    >>> text = np.random.rand(2, 5, 32).astype("float32")
    >>> image = np.random.rand(2, 49, 1280).astype("float32")
    >>> attention = CrossModalAttention(num_heads=4, head_dim=8)
    >>> tuple(attention(text, image, image).shape)
    (2, 5, 32)

    Reference:
        Vaswani et al., "Attention Is All You Need", 2017, section 3.2, equation 1.
    """

    def __init__(
        self,
        num_heads=8,
        head_dim=64,
        output_dim=None,
        dropout=0.0,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, size in {"num_heads": num_heads, "head_dim": head_dim}.items():
            check_integer(self, name, size)
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.output_dim = output_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        self.query_dense = self._projection(num_heads * head_dim, "query")
        self.key_dense = self._projection(num_heads * head_dim, "key")
        self.value_dense = self._projection(num_heads * head_dim, "value")
        self.output_dense = None
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def _projection(self, units, name):
        return Dense(
            units,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        for name, shape in {"query": query_shape, "value": value_shape, "key": key_shape}.items():
            if len(shape) != 3:
                raise ValueError(
                    f"`{name}` must be tokens of shape (batch, tokens, dim). Received shape: "
                    f"{tuple(shape)}. Flatten a feature map, or add a token axis, first."
                )
        if None not in (key_shape[1], value_shape[1]) and key_shape[1] != value_shape[1]:
            raise ValueError(
                "`key` and `value` must have the same number of tokens. Received: "
                f"key shape {tuple(key_shape)}, value shape {tuple(value_shape)}"
            )
        self.query_dense.build(query_shape)
        self.key_dense.build(key_shape)
        self.value_dense.build(value_shape)
        self.output_dense = self._projection(self.output_dim or query_shape[-1], "output")
        self.output_dense.build((*query_shape[:-1], self.num_heads * self.head_dim))

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        keys, values = self.project_key_value(value, key, value_mask, key_mask)
        mask = _all_of(value_mask, key_mask)
        mask = _all_of(None if mask is None else ops.expand_dims(mask, 1), attention_mask)
        return self.attend(
            query,
            keys,
            values,
            query_mask=query_mask,
            attention_mask=mask,
            use_causal_mask=use_causal_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )

    def project_key_value(self, value, key=None, value_mask=None, key_mask=None):
        """Projects keys and values, once, for any number of `attend` calls.

        Args:
            value, key, value_mask, key_mask: as for the layer's call.

        Returns:
            Two tensors `(batch, value_tokens, num_heads, head_dim)`: keys and values.
        """
        mask = _all_of(value_mask, key_mask)
        value = zero_masked(cast_input(self, value), mask)
        key = value if key is None else zero_masked(cast_input(self, key), mask)
        keys = apply_to_rows(self.key_dense, key)
        values = apply_to_rows(self.value_dense, value)
        return self._split_heads(keys), self._split_heads(values)

    def attend(
        self,
        query,
        keys,
        values,
        query_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        """Attends over projected keys and values (`project_key_value`), cached or new.

        Args:
            query: float tensor `(batch, query_tokens, query_dim)`.
            keys, values: float tensors `(batch, value_tokens, num_heads, head_dim)`.
            attention_mask: bool tensor `(batch or 1, query_tokens or 1, value_tokens)`.
            query_mask, use_causal_mask, return_attention_scores, training: as for the call.

        Returns:
            What the layer's call returns.
        """
        query_mask, attention_mask = cast_mask(query_mask), cast_mask(attention_mask)
        query = zero_masked(cast_input(self, query), query_mask)
        queries = self._split_heads(apply_to_rows(self.query_dense, query))
        # Scaled here, not after the product: in float16 the unscaled product may overflow.
        queries = queries * self.head_dim**-0.5
        # A mask that is causal and nothing else leaves every query a key, and is left to the
        # fused attention where that runs.
        only_causal = use_causal_mask and attention_mask is None
        needs_scores = return_attention_scores or (training and self.dropout > 0)
        if use_causal_mask and (needs_scores or not only_causal):
            causal = _causal_mask(ops.shape(queries)[1], ops.shape(keys)[1])
            attention_mask = causal if only_causal else ops.logical_and(attention_mask, causal)
        if attention_mask is not None and not only_causal:
            has_key = ops.any(attention_mask, axis=-1)
            query_mask = has_key if query_mask is None else ops.logical_and(query_mask, has_key)
            # A row without keys attends to all, finitely, and is zeroed below: some backends'
            # attention gives NaN, and NaN gradients, for a row of nothing.
            empty = ops.expand_dims(ops.logical_not(has_key), -1)
            attention_mask = ops.logical_or(attention_mask, empty)
        scores = None
        if needs_scores:
            scores = self._scores(queries, keys, attention_mask)
            weights = ops.cast(scores, self.compute_dtype)
            weights = self.dropout_layer(weights, training=training)
            attended = ops.einsum("bhqk,bkhd->bqhd", weights, values)
        else:
            mask = None if attention_mask is None else ops.expand_dims(attention_mask, 1)
            attended = ops.dot_product_attention(
                queries, keys, values, mask=mask, scale=1.0, is_causal=only_causal
            )
            attended = ops.cast(attended, self.compute_dtype)
        output = apply_to_rows(self.output_dense, self._merge_heads(attended))
        output = zero_masked(output, query_mask)
        if not return_attention_scores:
            return output
        row_mask = None if query_mask is None else ops.expand_dims(query_mask, 1)
        return output, zero_masked(scores, row_mask)

    def attend_step(self, query, keys, values, attention_mask=None):
        """`attend` for few queries at a time, again and again: the step of a decoder.

        As plain products over keys and values with their heads first, which are laid out once, so
        that no step transposes them.

        Args:
            query: float tensor `(batch, query_tokens, query_dim)`.
            keys, values: float tensors `(batch, num_heads, value_tokens, head_dim)`, such as
                `heads_first` of what `project_key_value` gives.
            attention_mask: bool tensor `(batch or 1, query_tokens or 1, value_tokens)`, of which
                each query must have a key.

        Returns:
            Tensor `(batch, query_tokens, output_dim)`.
        """
        queries = heads_first(self._split_heads(apply_to_rows(self.query_dense, query)))
        products = ops.matmul(queries * self.head_dim**-0.5, ops.swapaxes(keys, 2, 3))
        weights = ops.cast(_masked_softmax(products, attention_mask), self.compute_dtype)
        attended = heads_first(ops.matmul(weights, values))
        return apply_to_rows(self.output_dense, self._merge_heads(attended))

    def _scores(self, queries, keys, mask):
        return _masked_softmax(ops.einsum("bqhd,bkhd->bhqk", queries, keys), mask)

    def _split_heads(self, x):
        return ops.reshape(x, (*_batch_and_tokens(x), self.num_heads, self.head_dim))

    def _merge_heads(self, x):
        return ops.reshape(x, (*_batch_and_tokens(x), self.num_heads * self.head_dim))

    def compute_output_shape(self, query_shape, value_shape=None, key_shape=None):
        return (*query_shape[:-1], self.output_dim or query_shape[-1])

    def compute_output_spec(self, query, value, key=None, return_attention_scores=False, **kwargs):
        shape = self.compute_output_shape(query.shape)
        output = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        scores_shape = (query.shape[0], self.num_heads, query.shape[1], value.shape[1])
        return output, keras.KerasTensor(scores_shape, dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "output_dim": self.output_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def heads_first(x):
    """`(batch, tokens, heads, head_dim)` as `(batch, heads, tokens, head_dim)`, or back."""
    return ops.transpose(x, (0, 2, 1, 3))


def _masked_softmax(products, mask):
    """Float32 weights `(batch, heads, queries, keys)`, for a mask of that without the heads."""
    scores = ops.cast(products, "float32")
    if scores.shape[-1] == 1:  # Of which Keras warns.
        return ops.ones_like(scores)
    if mask is not None:
        scores = ops.where(ops.expand_dims(mask, 1), scores, float(np.finfo("float32").min))
    return ops.softmax(scores, axis=-1)


def _all_of(*masks):
    """The masks that are given, combined; `None` where none is."""
    combined = None
    for mask in masks:
        if mask is not None:
            mask = ops.cast(mask, "bool")
            combined = mask if combined is None else ops.logical_and(combined, mask)
    return combined


def _causal_mask(query_tokens, key_tokens):
    rows = ops.expand_dims(ops.arange(query_tokens), 1)
    columns = ops.expand_dims(ops.arange(key_tokens), 0)
    return ops.expand_dims(rows >= columns, 0)


def _batch_and_tokens(x):
    """The first two dims for `reshape`, with `-1` for the one that is not known statically."""
    if x.shape[1] is None:
        return ops.shape(x)[0], -1
    return -1, x.shape[1]
