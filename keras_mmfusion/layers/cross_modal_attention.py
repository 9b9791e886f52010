import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.layers.masks import zero_masked

_MASKED = float(np.finfo("float32").min)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CrossModalAttention(keras.layers.Layer):
    """Multi-head attention from the tokens of one modality to those of another.

    For each head, with `Q = query W_q`, `K = key W_k`, `V = value W_v`:

    ```
    Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V            softmax(Q Kᵀ / √d_k + B) V with a bias
    output = concat(head_1, ..., head_n) W_o
    ```

    The queries come from one modality (e.g. text), the keys and values from another (e.g. an
    image); their last dims may differ. A query attends to a key if its `value_mask`, its
    `key_mask` and the `attention_mask` all allow it. A query without any key gets zeros, without
    the bias of the output projection, so a missing modality adds nothing. Masked positions, NaN
    included, do not affect the output.

    Softmax runs in float32 under every dtype policy. The backend's fused attention is used, which
    on PyTorch and JAX does not store the `(query_tokens, value_tokens)` matrix, unless scores are
    returned or attention dropout is active.

    For decoding token by token, `project_key_value` computes a cache and `attend_cached` attends
    to it.

    Args:
        num_heads: int. Number of heads.
        head_dim: int. Size `d_k` of each head.
        output_dim: int. Size of the output tokens. Defaults to the last dim of `query`.
        dropout: float in [0, 1). Dropout rate of the attention weights.
        use_bias: bool. Whether the four projections have a bias.
        kernel_initializer: initializer of the four kernels.

    Call arguments:
        query: float tensor `(batch, query_tokens, query_dim)`.
        value: float tensor `(batch, value_tokens, value_dim)`.
        key: float tensor `(batch, value_tokens, key_dim)`. Defaults to `value`.
        query_mask: bool tensor `(batch, query_tokens)`. Outputs of masked queries are zeros.
        value_mask: bool tensor `(batch, value_tokens)`.
        key_mask: bool tensor `(batch, value_tokens)`.
        attention_mask: bool tensor `(batch or 1, query_tokens, value_tokens)`.
        use_causal_mask: bool. Whether query `i` attends only to keys `0 ... i`.
        return_attention_scores: bool. Whether to also return the attention weights.
        training: bool. Whether dropout is active.
        attention_bias: float tensor `(batch or 1, num_heads or 1, query_tokens, value_tokens)`, the
            bias `B`, such as a `RelativePositionBias`.

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
        self.num_heads = num_heads = check_integer(self, "num_heads", num_heads)
        self.head_dim = head_dim = check_integer(self, "head_dim", head_dim)
        self.output_dim = output_dim
        self.dropout = check_fraction(self, "dropout", dropout)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        self.query_dense = self._make_dense(num_heads * head_dim, "query")
        self.key_dense = self._make_dense(num_heads * head_dim, "key")
        self.value_dense = self._make_dense(num_heads * head_dim, "value")
        self.output_dense = None
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def _make_dense(self, units, name):
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
                    f"CrossModalAttention: `{name}` must be tokens of shape (batch, tokens, dim). "
                    f"Received shape: {tuple(shape)}. Flatten a feature map, or add a token axis."
                )
        if None not in (key_shape[1], value_shape[1]) and key_shape[1] != value_shape[1]:
            raise ValueError(
                "CrossModalAttention: `key` and `value` must have the same number of tokens. "
                f"Received shapes: key {tuple(key_shape)}, value {tuple(value_shape)}"
            )
        self.query_dense.build(query_shape)
        self.key_dense.build(key_shape)
        self.value_dense.build(value_shape)
        self.output_dense = self._make_dense(self.output_dim or query_shape[-1], "output")
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
        attention_bias=None,
    ):
        needs_scores = return_attention_scores or bool(training and self.dropout)
        key_mask = _combine_masks(value_mask, key_mask)
        keys, values = self._project_key_value(value, key, key_mask)
        query_mask = cast_mask(query_mask)
        queries = self._project_query(zero_masked(cast_input(self, query), query_mask))
        # Fused attention applies a causal mask without storing it, if there is no other mask.
        fused_causal = use_causal_mask and not needs_scores
        fused_causal = fused_causal and key_mask is None and attention_mask is None
        fused_causal = fused_causal and attention_bias is None
        causal_mask = None
        if use_causal_mask and not fused_causal:
            causal_mask = _make_causal_mask(ops.shape(queries)[1], ops.shape(keys)[1])
        mask, query_mask = _resolve_mask(query_mask, key_mask, attention_mask, causal_mask)
        if needs_scores:
            products = ops.einsum("bqhd,bkhd->bhqk", queries, keys)
            scores = self.compute_scores(products, mask, attention_bias)
            weights = ops.cast(scores, self.compute_dtype)
            weights = self.dropout_layer(weights, training=training)
            attended = ops.einsum("bhqk,bkhd->bqhd", weights, values)
        else:
            mask = None if mask is None else ops.expand_dims(mask, 1)
            if attention_bias is not None and mask is not None:  # PyTorch accepts only one.
                attention_bias, mask = ops.where(mask, attention_bias, _MASKED), None
            attended = ops.dot_product_attention(
                queries,
                keys,
                values,
                bias=attention_bias,
                mask=mask,
                scale=1.0,
                is_causal=fused_causal,
            )
            attended = ops.cast(attended, self.compute_dtype)
        output = apply_to_rows(self.output_dense, self._merge_heads(attended))
        output = zero_masked(output, query_mask)
        if not return_attention_scores:
            return output
        row_mask = None if query_mask is None else ops.expand_dims(query_mask, 1)
        return output, zero_masked(scores, row_mask)

    def project_key_value(self, value, key=None, value_mask=None, key_mask=None):
        """Computes the keys and values that `attend_cached` attends to.

        Args:
            value, key, value_mask, key_mask: as for the layer's call.

        Returns:
            A tuple of two tensors `(batch, num_heads, value_tokens, head_dim)`: keys and values.
        """
        keys, values = self._project_key_value(value, key, _combine_masks(value_mask, key_mask))
        return _swap_heads(keys), _swap_heads(values)

    def attend_cached(self, query, cache, attention_mask=None, return_attention_scores=False):
        """Attends to cached keys and values, such as in each step of a decoder.

        Equal to the layer's call without dropout. For a few queries at a time this is faster,
        since keys and values are not projected and transposed again.

        Args:
            query: float tensor `(batch, query_tokens, query_dim)`.
            cache: keys and values, two tensors `(batch, num_heads, value_tokens, head_dim)`, as
                from `project_key_value`.
            attention_mask: bool tensor `(batch or 1, query_tokens or 1, value_tokens)`. Each query
                needs at least one key.
            return_attention_scores: bool. Whether to also return the attention weights.

        Returns:
            Tensor `(batch, query_tokens, output_dim)`; with `return_attention_scores`, a tuple of
            that and float32 scores `(batch, num_heads, query_tokens, value_tokens)`.
        """
        keys, values = cache
        queries = _swap_heads(self._project_query(cast_input(self, query)))
        products = ops.matmul(queries, ops.swapaxes(keys, 2, 3))  # (batch, heads, queries, keys)
        scores = self.compute_scores(products, attention_mask)
        attended = _swap_heads(ops.matmul(ops.cast(scores, self.compute_dtype), values))
        output = apply_to_rows(self.output_dense, self._merge_heads(attended))
        return (output, scores) if return_attention_scores else output

    def compute_scores(self, products, mask=None, bias=None):
        """Computes attention scores from the products of queries and keys.

        Args:
            products: tensor `(batch, num_heads, query_tokens, value_tokens)`.
            mask: bool tensor `(batch or 1, query_tokens or 1, value_tokens)`, or `None`.
            bias: tensor that broadcasts to `products`, or `None`.

        Returns:
            Float32 tensor of the shape of `products`.
        """
        scores = ops.cast(products, "float32")
        if bias is not None:
            scores = scores + ops.cast(bias, "float32")
        if scores.shape[-1] == 1:  # ops.softmax warns on an axis of size 1.
            return ops.ones_like(scores)
        if mask is not None:
            scores = ops.where(ops.expand_dims(mask, 1), scores, _MASKED)
        return ops.softmax(scores, axis=-1)

    def _project_query(self, query):
        """Scaled queries `(batch, query_tokens, num_heads, head_dim)`."""
        queries = self._split_heads(apply_to_rows(self.query_dense, query))
        # Scaled before the product with the keys, which could overflow in float16.
        return queries * self.head_dim**-0.5

    def _project_key_value(self, value, key, mask):
        """Keys and values `(batch, value_tokens, num_heads, head_dim)`."""
        value = zero_masked(cast_input(self, value), mask)
        key = value if key is None else zero_masked(cast_input(self, key), mask)
        keys = apply_to_rows(self.key_dense, key)
        values = apply_to_rows(self.value_dense, value)
        return self._split_heads(keys), self._split_heads(values)

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


def _swap_heads(x):
    """`(batch, tokens, heads, head_dim)` to `(batch, heads, tokens, head_dim)`, or back."""
    return ops.transpose(x, (0, 2, 1, 3))


def _resolve_mask(query_mask, key_mask, attention_mask, causal_mask):
    """Combines all masks; each may be `None`.

    Returns:
        A tuple: the attention mask, bool `(batch or 1, query_tokens or 1, value_tokens)`, or
        `None` if every query attends to every key; and the query mask, which is `False` also for
        queries without any key.
    """
    key_mask = None if key_mask is None else ops.expand_dims(key_mask, 1)
    mask = _combine_masks(key_mask, attention_mask, causal_mask)
    if mask is None:
        return None, query_mask
    has_key = ops.any(mask, axis=-1)
    # A query without any key attends to all, and its output is zeroed: otherwise some backends'
    # attention gives NaN, and NaN gradients.
    mask = ops.logical_or(mask, ops.logical_not(ops.expand_dims(has_key, -1)))
    return mask, _combine_masks(query_mask, has_key)


def _combine_masks(*masks):
    """The logical and of masks that are not `None`, or `None`."""
    combined = None
    for mask in masks:
        if mask is not None:
            mask = ops.cast(mask, "bool")
            combined = mask if combined is None else ops.logical_and(combined, mask)
    return combined


def _make_causal_mask(query_tokens, value_tokens):
    """Bool `(1, query_tokens, value_tokens)`."""
    rows = ops.expand_dims(ops.arange(query_tokens), 1)
    columns = ops.expand_dims(ops.arange(value_tokens), 0)
    return ops.expand_dims(rows >= columns, 0)


def _batch_and_tokens(x):
    """The first two dims for `ops.reshape`, with -1 for one that is not known statically."""
    if x.shape[1] is None:
        return ops.shape(x)[0], -1
    return -1, x.shape[1]
