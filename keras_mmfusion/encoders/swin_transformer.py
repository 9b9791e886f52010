import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.encoders.image_size import parse_image_size
from keras_mmfusion.encoders.transformer_backbone import TransformerBackbone
from keras_mmfusion.layers.patch_embedding import PatchEmbedding
from keras_mmfusion.layers.patch_merging import PatchMerging
from keras_mmfusion.layers.window_transformer_block import WindowTransformerBlock


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SwinTransformer(TransformerBackbone):
    """Swin Transformer: patches of images in, tokens of a coarser grid out.

    ```
    x = LayerNorm(PatchEmbedding(images))
    for each stage:  x = PatchMerging(x), except in the first stage
                     x = WindowTransformerBlock(x) for each block; every other one is shifted
    tokens = LayerNorm(x)
    ```

    Each stage after the first has half as many rows and columns of tokens, of twice the dim. There
    is no class token. The defaults are Swin-T. Weights are initialized randomly;
    `SwinTransformer.from_preset(folder)` loads weights, and accepts any argument below to override
    the preset's. No weight depends on `image_size`.

    Args:
        image_size: int or pair of ints (height, width), multiples of `patch_size`.
        patch_size: int. Height and width of a patch.
        dim: int. The size of a token in the first stage.
        depths: ints. The number of blocks of each stage.
        num_heads: ints. The number of attention heads of each stage.
        window_size: int. Rows and columns of a window.
        mlp_ratio: float. Hidden units of an MLP, divided by the size of its tokens.
        activation: string. The activation of the MLPs; see `TransformerBlock`.
        epsilon: float. Added to the variance in the normalizations of the blocks and the output.
        dtype: string or `keras.DTypePolicy`. The dtype policy of the layers.
        **kwargs: `name` and `trainable`.

    Call arguments:
        images: float tensor `(batch, height, width, 3)`, normalized as for the weights.

    Returns:
        Tokens `(batch, rows * columns, token_dim)` in the policy's compute dtype.

    Attributes:
        image_size: pair of ints, (height, width) of the images.
        grid: pair of ints, (rows, columns) of the tokens.
        token_dim: int, the size of a token, `dim * 2 ** (stages - 1)`.

    Raises:
        ValueError: if `image_size` is not a multiple of `patch_size`, the grid of a stage is
            smaller than a window, or `depths` and `num_heads` differ in length.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import SwinTransformer
    >>> encoder = SwinTransformer(
    ...     image_size=32, dim=8, depths=(2, 1), num_heads=(2, 4), window_size=4)
    >>> encoder.grid, encoder.token_dim
    ((4, 4), 16)
    >>> encoder(np.zeros((1, 32, 32, 3), "float32")).shape == (1, 16, 16)
    True

    Reference:
        Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
        ICCV 2021 (https://arxiv.org/abs/2103.14030).
    """

    def __init__(
        self,
        image_size=224,
        patch_size=4,
        dim=96,
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        window_size=7,
        mlp_ratio=4.0,
        activation="gelu",
        epsilon=1e-5,
        dtype=None,
        **kwargs,
    ):
        image_size = parse_image_size(image_size)
        check_integer(self, "patch_size", patch_size)
        if any(size % patch_size for size in image_size) or len(depths) != len(num_heads):
            raise ValueError(
                "SwinTransformer: `image_size` must be a multiple of `patch_size`, and `depths` as "
                f"long as `num_heads`. Received: image_size={image_size}, patch_size={patch_size}, "
                f"depths={tuple(depths)}, num_heads={tuple(num_heads)}"
            )
        settings = {
            "image_size": list(image_size),
            "patch_size": patch_size,
            "dim": dim,
            "depths": list(depths),
            "num_heads": list(num_heads),
            "window_size": window_size,
            "mlp_ratio": mlp_ratio,
            "activation": activation,
            "epsilon": epsilon,
        }

        grid = tuple(size // patch_size for size in image_size)
        images = keras.Input((*image_size, 3), name="images")
        embedding = PatchEmbedding(
            patch_size, dim, class_token=False, use_positions=False, dtype=dtype, name="embedding"
        )
        embedding_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=dtype, name="embedding_norm"
        )
        final_norm = keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=dtype, name="final_norm"
        )
        tokens, stages, mergings = embedding_norm(embedding(images)), [], []
        for stage, (depth, heads) in enumerate(zip(depths, num_heads, strict=True)):
            if stage > 0:
                mergings.append(PatchMerging(grid, dtype=dtype, name=f"merging_{stage}"))
                tokens, grid = mergings[-1](tokens), mergings[-1].merged_grid
            mlp_dim = int(mlp_ratio * tokens.shape[-1])
            # One window of the whole grid is not shifted.
            shift = window_size // 2 if min(grid) > window_size else 0
            stages.append(
                [
                    WindowTransformerBlock(
                        heads,
                        mlp_dim,
                        grid,
                        window_size,
                        shift=shift if index % 2 else 0,
                        activation=activation,
                        epsilon=epsilon,
                        dtype=dtype,
                        name=f"stage_{stage}_block_{index:02d}",
                    )
                    for index in range(depth)
                ]
            )
            for block in stages[-1]:
                tokens = block(tokens)
        super().__init__(
            images,
            final_norm(tokens),
            settings,
            embedding,
            [block for blocks in stages for block in blocks],
            final_norm,
            dtype=dtype,
            **kwargs,
        )
        self.image_size = image_size
        self.grid = grid
        self.token_dim = tokens.shape[-1]
        self.embedding_norm = embedding_norm
        self.stages = stages
        self.mergings = mergings
