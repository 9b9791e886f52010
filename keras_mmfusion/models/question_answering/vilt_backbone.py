import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.encoders.image_size import parse_image_size
from keras_mmfusion.encoders.transformer_backbone import TransformerBackbone, make_blocks
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.dropout import Dropout
from keras_mmfusion.models.question_answering.vilt_embedding import ViltEmbedding
from keras_mmfusion.models.steps_by_rank import StepsByRank


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ViltBackbone(StepsByRank, TransformerBackbone):
    """ViLT: one Transformer of the tokens of a text and the patches of an image.

    ```
    x, mask = ViltEmbedding(images, image_sizes, questions, question_mask)
    for each block:  x = x + Attention(LayerNorm(x), mask);  x = x + MLP(LayerNorm(x))
    vector = tanh(Dense(LayerNorm(x)[0]))            # of the first token of the text
    ```

    Images may have any size, and those of a batch different sizes. The defaults are ViLT-B/32.

    Args:
        vocabulary_size: int. Number of token ids.
        sequence_length: int. Maximum number of ids of a text.
        image_size: int or pair of ints (height, width), to whose grid of patches the position
            embeddings belong.
        patch_size: int. Height and width of a patch.
        dim: int. The size of a token.
        num_layers: int. Number of Transformer blocks.
        num_heads: int. Number of attention heads; must divide `dim`.
        mlp_dim: int. Hidden units of the MLPs.
        activation: string. The activation of the MLPs, see `TransformerBlock`.
        epsilon: float. Added to the variance in the normalizations.
        dropout: float. Dropout rate of the tokens and of every branch.
        dtype: string or `keras.DTypePolicy`. The dtype policy of the layers.
        **kwargs: `name` and `trainable`.

    Call arguments:
        inputs: dict of the call arguments of `ViltEmbedding`.

    Returns:
        Vectors `(batch, dim)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models import ViltBackbone
    >>> backbone = ViltBackbone(50, 8, 32, 16, dim=8, num_layers=1, num_heads=2, mlp_dim=16)
    >>> vectors = backbone({
    ...     "images": np.zeros((1, 32, 48, 3), "float32"),
    ...     "image_sizes": np.array([[32, 48]]),
    ...     "questions": np.array([[2, 7, 3]]),
    ...     "question_mask": np.ones((1, 3), "bool"),
    ... })
    >>> tuple(vectors.shape)
    (1, 8)

    Reference:
        Kim et al., "ViLT: Vision-and-Language Transformer Without Convolution or Region
        Supervision", 2021, figure 3.
    """

    def __init__(
        self,
        vocabulary_size=30_522,
        sequence_length=40,
        image_size=384,
        patch_size=32,
        dim=768,
        num_layers=12,
        num_heads=12,
        mlp_dim=3072,
        activation="gelu",
        epsilon=1e-12,
        dropout=0.0,
        dtype=None,
        **kwargs,
    ):
        image_size = parse_image_size(image_size)
        check_integer(self, "patch_size", patch_size, maximum=min(image_size))
        check_integer(self, "num_layers", num_layers)
        settings = {
            "vocabulary_size": vocabulary_size,
            "sequence_length": sequence_length,
            "image_size": list(image_size),
            "patch_size": patch_size,
            "dim": dim,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "mlp_dim": mlp_dim,
            "activation": activation,
            "epsilon": epsilon,
            "dropout": dropout,
        }
        inputs = {
            "images": keras.Input((None, None, 3), name="images"),
            "image_sizes": keras.Input((2,), dtype="int32", name="image_sizes"),
            "questions": keras.Input((None,), dtype="int32", name="questions"),
            "question_mask": keras.Input((None,), dtype="bool", name="question_mask"),
        }
        embedding = ViltEmbedding(
            vocabulary_size,
            sequence_length,
            dim,
            patch_size,
            [size // patch_size for size in image_size],
            epsilon,
            dtype=dtype,
            name="embedding",
        )
        blocks = make_blocks(num_layers, num_heads, mlp_dim, activation, epsilon, dtype, dropout)
        final_norm = keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=dtype, name="final_norm"
        )
        pooler = Dense(dim, activation="tanh", dtype=dtype, name="pooler")
        tokens, mask = embedding(**inputs)
        if dropout:
            tokens = Dropout(dropout, dtype=dtype, name="embedding_dropout")(tokens)
        for block in blocks:
            tokens = block(tokens, mask=mask)
        vectors = pooler(final_norm(tokens[:, 0]))
        super().__init__(
            inputs, vectors, settings, embedding, blocks, final_norm, dtype=dtype, **kwargs
        )
        self.pooler = pooler
