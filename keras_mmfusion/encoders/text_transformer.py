import keras
import keras_hub

from keras_mmfusion._checks import check_integer
from keras_mmfusion.encoders.transformer_backbone import TransformerBackbone, make_blocks


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TextTransformer(TransformerBackbone):
    """Pre-norm Transformer encoder of texts, as in CLIP and SigLIP.

    ```
    x = E[token_ids] + P
    for each block:  x = x + Attention(LayerNorm(x));  x = x + MLP(LayerNorm(x))
    tokens = LayerNorm(x)
    ```

    The defaults are the text encoder of CLIP ViT-B. `TextEncoder` is the post-norm encoder of BERT.

    Args:
        vocabulary_size: int. Number of token ids.
        dim: int. The size of a token.
        num_layers: int. Number of Transformer blocks.
        num_heads: int. Number of attention heads; must divide `dim`.
        mlp_dim: int. Hidden units of the MLPs.
        max_sequence_length: int. The maximum number of tokens.
        activation: string. The activation of the MLPs, see `VisionTransformer`.
        epsilon: float. Added to the variance in the normalizations.
        causal: bool. Whether a token attends only to itself and earlier tokens.
        dtype: string or `keras.DTypePolicy`. The dtype policy of the layers.
        **kwargs: `name` and `trainable`.

    Call arguments:
        inputs: dict of `"token_ids"`, int tensor `(batch, tokens)`, and `"padding_mask"`, bool or
            int tensor `(batch, tokens)`, true for a real token. Padding follows the real tokens.

    Returns:
        Tokens `(batch, tokens, dim)` in the policy's compute dtype. Masked tokens are undefined and
        do not affect the others.

    Attributes:
        token_dim: int, the size of a token.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import TextTransformer
    >>> encoder = TextTransformer(
    ...     vocabulary_size=50, dim=8, num_layers=1, num_heads=2, mlp_dim=16)
    >>> ids = np.array([[2, 7, 9, 3], [2, 8, 3, 0]])
    >>> encoder({"token_ids": ids, "padding_mask": ids > 0}).shape == (2, 4, 8)
    True

    Reference:
        Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
        2021, section 2.4.
    """

    def __init__(
        self,
        vocabulary_size=49408,
        dim=512,
        num_layers=12,
        num_heads=8,
        mlp_dim=2048,
        max_sequence_length=77,
        activation="quick_gelu",
        epsilon=1e-5,
        causal=True,
        dtype=None,
        **kwargs,
    ):
        settings = {
            "vocabulary_size": vocabulary_size,
            "dim": dim,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "mlp_dim": mlp_dim,
            "max_sequence_length": max_sequence_length,
            "activation": activation,
            "epsilon": epsilon,
            "causal": causal,
        }
        for name in ("vocabulary_size", "dim", "num_layers", "max_sequence_length"):
            settings[name] = check_integer(self, name, settings[name])

        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
        embedding = keras_hub.layers.TokenAndPositionEmbedding(
            vocabulary_size, max_sequence_length, dim, dtype=dtype, name="embedding"
        )
        blocks = make_blocks(num_layers, num_heads, mlp_dim, activation, epsilon, dtype)
        final_norm = keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=dtype, name="final_norm"
        )
        # Real tokens precede the padding, so a causal encoder needs no other mask.
        masks = {"use_causal_mask": True} if causal else {"mask": padding_mask}
        tokens = embedding(token_ids)
        for block in blocks:
            tokens = block(tokens, **masks)
        inputs = {"token_ids": token_ids, "padding_mask": padding_mask}
        super().__init__(
            inputs,
            final_norm(tokens),
            settings,
            embedding,
            blocks,
            final_norm,
            dtype=dtype,
            **kwargs,
        )
