import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.cast_input import cast_input
from keras_mmfusion.layers.resize_positions import make_bicubic_matrix


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PatchEmbedding(keras.layers.Layer):
    """Embeds the patches of images, with a class token and learned positions.

    ```
    tokens = [c; W patch_1 + b; ...; W patch_n + b] + P       [c; d; W patch_1 + b; ...] + P
    ```

    The patches do not overlap, and are ordered row by row; pixels beyond the last whole patch are
    not used. `P` belongs to the grid `position_grid`. For images with another grid, the positions
    of the patches are resized by bicubic interpolation in every call, so the weights stay those of
    `position_grid`.

    Args:
        patch_size: int. Height and width of a patch.
        dim: int. The size of a token.
        position_grid: pair of ints, (rows, columns) of patches of the position embeddings;
            `None` for the grid of the images with which the layer is built.
        class_token: bool. Whether a learned token, `c`, comes first.
        distillation_token: bool. Whether another learned token, `d`, follows the class token.
        use_positions: bool. Whether the positions, `P`, are added.
        use_bias: bool. Whether the projection of the patches has a bias.

    Call arguments:
        images: float tensor `(batch, height, width, channels)`. Height and width must be known
            when the layer is traced.

    Output shape:
        `(batch, tokens, dim)`.

    Raises:
        ValueError: if the height or the width is not known.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers import PatchEmbedding
    >>> embedding = PatchEmbedding(patch_size=4, dim=6)
    >>> tuple(embedding(np.zeros((2, 8, 12, 3))).shape)
    (2, 7, 6)

    Reference:
        Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, equation 1; distillation
        token: Touvron et al., "Training data-efficient image transformers & distillation through
        attention", 2021, section 4.
    """

    def __init__(
        self,
        patch_size,
        dim,
        position_grid=None,
        class_token=True,
        use_bias=True,
        distillation_token=False,
        use_positions=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.patch_size = check_integer(self, "patch_size", patch_size)
        self.dim = check_integer(self, "dim", dim)
        self.position_grid = None if position_grid is None else tuple(position_grid)
        self.class_token = bool(class_token)
        self.use_bias = bool(use_bias)
        self.distillation_token = bool(distillation_token)
        self.use_positions = bool(use_positions)
        self.convolution = keras.layers.Conv2D(
            self.dim,
            self.patch_size,
            strides=self.patch_size,
            use_bias=self.use_bias,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="convolution",
        )

    def build(self, images_shape):
        self.convolution.build(images_shape)
        self.position_grid = self.position_grid or self._grid(images_shape)
        rows, columns = self.position_grid
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.class_embedding = None
        if self.class_token:
            self.class_embedding = self.add_weight((self.dim,), normal, name="class_embedding")
        self.distillation_embedding = None
        if self.distillation_token:
            self.distillation_embedding = self.add_weight(
                (self.dim,), normal.clone(), name="distillation_embedding"
            )
        self.position_embedding = None
        if not self.use_positions:
            return
        self.position_embedding = self.add_weight(
            (self._first_patch + rows * columns, self.dim),
            normal.clone(),
            name="position_embedding",
        )

    @property
    def _first_patch(self):
        """The number of tokens before those of the patches."""
        return self.class_token + self.distillation_token

    def call(self, images):
        grid = self._grid(images.shape)
        patches = self.convolution(cast_input(self, images))
        tokens = ops.reshape(patches, (-1, grid[0] * grid[1], self.dim))
        if self.use_positions:
            tokens = tokens + self._patch_positions(grid)
        learned = (self.class_embedding, self.distillation_embedding)
        learned = [embedding for embedding in learned if embedding is not None]
        if not learned:
            return tokens
        first = ops.stack([ops.cast(x, tokens.dtype) for x in learned])
        if self.use_positions:
            first = first + self.position_embedding[: len(learned)]
        first = ops.broadcast_to(first[None], (ops.shape(tokens)[0], len(learned), self.dim))
        return ops.concatenate([ops.cast(first, tokens.dtype), tokens], axis=1)

    def _grid(self, images_shape):
        if None in images_shape[1:3]:
            raise ValueError(
                "PatchEmbedding: `images` must have a static height and width. Received shape: "
                f"{tuple(images_shape)}. Resize the images to a fixed size."
            )
        return tuple(size // self.patch_size for size in images_shape[1:3])

    def _patch_positions(self, grid):
        """Position embeddings `(patches, dim)` for a grid of patches."""
        positions = self.position_embedding[self._first_patch :]
        if grid == self.position_grid:
            return positions
        positions = ops.reshape(ops.cast(positions, "float32"), (*self.position_grid, self.dim))
        sizes = zip(self.position_grid, grid, strict=True)
        rows, columns = (make_bicubic_matrix(*pair) for pair in sizes)
        positions = ops.einsum("yr,xc,rcd->yxd", rows, columns, positions)
        return ops.cast(ops.reshape(positions, (-1, self.dim)), self.compute_dtype)

    def compute_output_shape(self, images_shape):
        rows, columns = self._grid(images_shape)
        return images_shape[0], self._first_patch + rows * columns, self.dim

    def get_config(self):
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "dim": self.dim,
            "position_grid": self.position_grid and list(self.position_grid),
            "class_token": self.class_token,
            "use_bias": self.use_bias,
            "distillation_token": self.distillation_token,
            "use_positions": self.use_positions,
        }
