"""The embedding of questions and images as one sequence of tokens."""

import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.cast_input import cast_input, cast_mask
from keras_mmfusion.models.bert.bert_embedding import BertEmbedding


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ViltEmbedding(keras.layers.Layer):
    """Embeds a question and the patches of an image, with a vector for each modality.

    ```
    text = BertEmbedding(questions) + t_0
    image = [c + p_0; W patch_1 + b + p_1; ...] + t_1
    tokens = [text; image]
    ```

    The positions `p` belong to `position_grid`. Those of an image with another grid of valid
    patches are interpolated (bilinear, the corners coincide), for each image of the batch.

    Args:
        vocabulary_size: int. Number of token ids.
        sequence_length: int. Maximum number of ids of a question.
        dim: int. The size of a token.
        patch_size: int. Height and width of a patch.
        position_grid: pair of ints, (rows, columns) of the position embeddings.
        epsilon: float. Added to the variance in the normalization of the text.

    Call arguments:
        images: float tensor `(batch, height, width, 3)`.
        image_sizes: int tensor `(batch, 2)`, heights and widths of the images without padding,
            which is at the bottom and at the right.
        questions: int tensor `(batch, question_tokens)`.
        question_mask: bool tensor `(batch, question_tokens)`.

    Returns:
        A tuple of tokens `(batch, question_tokens + 1 + patches, dim)`, and their mask, bool.

    Example:

    >>> import numpy as np
    >>> embedding = ViltEmbedding(50, 8, dim=6, patch_size=16, position_grid=(2, 2))
    >>> ids = np.array([[2, 7, 3], [2, 3, 0]])
    >>> sizes = np.array([[32, 48], [32, 16]])
    >>> tokens, mask = embedding(np.zeros((2, 32, 48, 3)), sizes, ids, ids > 0)
    >>> tuple(tokens.shape), keras.ops.convert_to_numpy(mask).sum(axis=1).tolist()
    ((2, 10, 6), [10, 5])

    Reference:
        Kim et al., "ViLT: Vision-and-Language Transformer Without Convolution or Region
        Supervision", 2021, section 3.1.
    """

    def __init__(
        self,
        vocabulary_size,
        sequence_length,
        dim,
        patch_size,
        position_grid,
        epsilon=1e-12,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.sequence_length = sequence_length
        self.dim = check_integer(self, "dim", dim)
        self.patch_size = check_integer(self, "patch_size", patch_size)
        self.position_grid = tuple(position_grid)
        self.epsilon = epsilon
        self.text_embedding = BertEmbedding(
            vocabulary_size,
            sequence_length,
            dim,
            epsilon,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name="text_embedding",
        )
        self.convolution = keras.layers.Conv2D(
            dim,
            patch_size,
            strides=patch_size,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="convolution",
        )

    def build(self, images_shape, *shapes):
        self.text_embedding.build((None, None))
        self.convolution.build(images_shape)
        rows, columns = self.position_grid
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.class_embedding = self.add_weight((self.dim,), normal, name="class_embedding")
        self.position_embedding = self.add_weight(
            (1 + rows * columns, self.dim), normal.clone(), name="position_embedding"
        )
        self.modality_embedding = self.add_weight(
            (2, self.dim), normal.clone(), name="modality_embedding"
        )

    def call(self, images, image_sizes, questions, question_mask):
        text = self.text_embedding(questions) + self.modality_embedding[0]
        patches = self.convolution(cast_input(self, images))
        batch, rows, columns, _ = ops.shape(patches)
        grids = ops.cast(image_sizes, "int32") // self.patch_size
        positions = self._interpolate_positions(grids, rows, columns)
        patches = ops.reshape(patches + ops.cast(positions, patches.dtype), (batch, -1, self.dim))
        first = ops.cast(self.class_embedding + self.position_embedding[0], patches.dtype)
        first = ops.broadcast_to(first[None, None], (batch, 1, self.dim))
        image = ops.concatenate([first, patches], axis=1) + self.modality_embedding[1]
        is_row = ops.arange(rows) < grids[:, :1]
        is_column = ops.arange(columns) < grids[:, 1:]
        patch_mask = is_row[:, :, None] & is_column[:, None]
        patch_mask = ops.reshape(patch_mask, (batch, -1))
        first_mask = ops.ones((batch, 1), "bool")
        mask = [cast_mask(question_mask), first_mask, patch_mask]
        return ops.concatenate([text, image], axis=1), ops.concatenate(mask, axis=1)

    def _interpolate_positions(self, grids, rows, columns):
        """Position embeddings `(batch, rows, columns, dim)` for images with the given grids."""
        positions = ops.cast(self.position_embedding[1:], "float32")
        positions = ops.reshape(positions, (*self.position_grid, self.dim))
        row_weights = _interpolation_weights(grids[:, 0], rows, self.position_grid[0])
        column_weights = _interpolation_weights(grids[:, 1], columns, self.position_grid[1])
        positions = ops.einsum("byr,rcd->bycd", row_weights, positions)
        return ops.einsum("bxc,bycd->byxd", column_weights, positions)

    def compute_output_spec(self, images, image_sizes, questions, question_mask):
        batch = images.shape[0]
        tokens = keras.KerasTensor((batch, None, self.dim), dtype=self.compute_dtype)
        return tokens, keras.KerasTensor((batch, None), dtype="bool")

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "sequence_length": self.sequence_length,
            "dim": self.dim,
            "patch_size": self.patch_size,
            "position_grid": list(self.position_grid),
            "epsilon": self.epsilon,
        }


def _interpolation_weights(new_sizes, length, size):
    """Weights `(batch, length, size)` of linear interpolation from `size` to `new_sizes` values.

    They are those of `torch.nn.functional.interpolate` with `align_corners=True`. Rows from the new
    size on belong to padding.
    """
    steps = (size - 1) / ops.cast(ops.maximum(new_sizes - 1, 1), "float32")
    indices = ops.arange(length, dtype="float32") * steps[:, None]
    distances = ops.abs(indices[:, :, None] - ops.arange(size, dtype="float32"))
    return ops.maximum(1.0 - distances, 0.0)
