import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.activations import get_activation
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.cross_modal_attention import CrossModalAttention
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GitBlock(keras.layers.Layer):
    """One post-norm Transformer block over the tokens of an image followed by those of its text.

    ```
    x = LayerNorm(x + SelfAttention(x))
    x = LayerNorm(x + MLP(x))                  Dense, activation, Dense
    ```

    Image tokens attend to all image tokens; text tokens attend to all image tokens, themselves
    and earlier text tokens. The image tokens thus do not depend on the text, and are computed
    once for all captions of an image.

    Args:
        num_heads: int. Number of attention heads; must divide the dim of the tokens.
        mlp_dim: int. Hidden units of the MLP.
        dropout: float. Dropout rate of each branch.
        activation: string. Activation of the MLP; see `keras_mmfusion.layers.activations`.
        epsilon: float. Added to the variance in the normalizations.

    Call arguments:
        x: float tensor `(batch, captions, tokens, dim)`, the texts.
        image_tokens: float tensor `(batch, image_tokens, dim)`.
        return_attention_scores: bool. Whether to also return the attention to the image.
        training: bool. Whether dropout is active.

    Output shape:
        A tuple of tensors with the shapes of `x` and `image_tokens`; with
        `return_attention_scores`, also scores `(batch, num_heads, captions * tokens,
        image_tokens)`, float32.

    Reference:
        Wang et al., "GIT: A Generative Image-to-text Transformer for Vision and Language", 2022,
        section 3.1 and figure 3.
    """

    def __init__(self, num_heads, mlp_dim, dropout=0.1, activation="gelu", epsilon=1e-12, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        self.mlp_dim = check_integer(self, "mlp_dim", mlp_dim)
        self.dropout = dropout
        self.activation = activation
        self.epsilon = epsilon
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)
        self.mlp_hidden = Dense(
            self.mlp_dim,
            activation=get_activation(activation, self),
            dtype=self.dtype_policy,
            name="mlp_hidden",
        )
        self.attention_norm, self.mlp_norm = (
            keras.layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name=name)
            for name in ("attention_norm", "mlp_norm")
        )

    def build(self, x_shape, image_tokens_shape=None):
        dim = x_shape[-1]
        tokens_shape = (None, None, dim)
        self.attention = CrossModalAttention(
            self.num_heads, dim // self.num_heads, dtype=self.dtype_policy, name="attention"
        )
        self.attention.build(tokens_shape, tokens_shape)
        self.mlp_hidden.build(tokens_shape)
        self.mlp_output = Dense(dim, dtype=self.dtype_policy, name="mlp_output")
        self.mlp_output.build((None, None, self.mlp_dim))
        self.attention_norm.build(tokens_shape)
        self.mlp_norm.build(tokens_shape)

    def call(self, x, image_tokens, return_attention_scores=False, training=None):
        x, image_tokens = cast_input(self, x), cast_input(self, image_tokens)
        captions, tokens, dim = ops.shape(x)[1:]
        image_rows = self.attention.project_key_value(image_tokens)
        text = ops.reshape(x, (-1, captions * tokens, dim))
        attended, scores = self._attend(
            text,
            image_rows,
            self.attention.project_key_value(text),
            _make_text_mask(captions, tokens),
        )
        text = self._finish(text, attended, training)
        image_tokens = self.encode_image(image_tokens, image_rows, training)
        outputs = ops.reshape(text, (-1, captions, tokens, dim)), image_tokens
        return (*outputs, scores) if return_attention_scores else outputs

    def encode_image(self, image_tokens, image_rows, training=None):
        """Computes the block's image tokens from their keys and values."""
        attended = self.attention.attend_cached(image_tokens, image_rows)
        return self._finish(image_tokens, attended, training)

    def step(self, x, cache, image_rows, slot_mask, write_mask):
        """Processes the last token of every hypothesis; see `TextDecoderBlock.step`.

        Args:
            x, cache, slot_mask, write_mask: see `TextDecoderBlock.step`.
            image_rows: the keys and values of the image tokens.

        Returns:
            A tuple: `x` after the block, and the updated cache.
        """
        new_rows = self.attention.project_key_value(x)
        cache = tuple(
            ops.where(write_mask, ops.expand_dims(new, 2), old)
            for new, old in zip(new_rows, cache, strict=True)
        )
        heads, length, hypotheses, head_dim = cache[0].shape[1:]
        rows = [ops.reshape(c, (-1, heads, length * hypotheses, head_dim)) for c in cache]
        attended, _ = self._attend(x, image_rows, rows, slot_mask)
        return self._finish(x, attended), cache

    def _attend(self, x, image_rows, text_rows, text_mask):
        """Attends to the whole image and, where `text_mask` is True, to the text."""
        rows = [ops.concatenate(pair, axis=2) for pair in zip(image_rows, text_rows, strict=True)]
        image_tokens = image_rows[0].shape[2]
        image_mask = ops.ones((*ops.shape(text_mask)[:2], image_tokens), dtype="bool")
        mask = ops.concatenate([image_mask, text_mask], axis=-1)
        attended, scores = self.attention.attend_cached(
            x, rows, attention_mask=mask, return_attention_scores=True
        )
        return attended, scores[..., :image_tokens]

    def _finish(self, x, attended, training=None):
        x = self.attention_norm(x + self.dropout_layer(attended, training=training))
        hidden = apply_to_rows(self._mlp, x)
        return self.mlp_norm(x + self.dropout_layer(hidden, training=training))

    def _mlp(self, rows):
        return self.mlp_output(self.mlp_hidden(rows))

    def compute_output_spec(self, x, image_tokens, return_attention_scores=False, training=None):
        outputs = tuple(
            keras.KerasTensor(each.shape, dtype=self.compute_dtype) for each in (x, image_tokens)
        )
        if not return_attention_scores:
            return outputs
        captions, tokens = x.shape[1:3]
        queries = None if None in (captions, tokens) else captions * tokens
        shape = (x.shape[0], self.num_heads, queries, image_tokens.shape[1])
        return *outputs, keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "dropout": self.dropout,
            "activation": self.activation,
            "epsilon": self.epsilon,
        }


def _make_text_mask(captions, tokens):
    """Bool `(1, captions * tokens, captions * tokens)`: earlier tokens of the same caption."""
    index = ops.arange(captions * tokens)
    caption, position = index // tokens, index % tokens
    same = ops.equal(ops.expand_dims(caption, 1), caption)
    earlier = ops.expand_dims(position, 1) >= position
    return ops.expand_dims(ops.logical_and(same, earlier), 0)
