import keras

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion.encoders.image_size import parse_image_size
from keras_mmfusion.encoders.transformer_backbone import TransformerBackbone, make_blocks
from keras_mmfusion.layers.patch_embedding import PatchEmbedding
from keras_mmfusion.layers.relative_position_bias import RelativePositionBias

RELATIVE_POSITIONS = (None, "shared", "separate")


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class VisionTransformer(TransformerBackbone):
    """Vision Transformer (ViT): patches of images in, tokens out.

    ```
    x = PatchEmbedding(images)              x = LayerNorm(x) with `pre_norm`
    for each block:  x = x + Attention(LayerNorm(x));  x = x + MLP(LayerNorm(x))
    tokens = LayerNorm(x)                   tokens = x without `final_norm`
    ```

    The first token is the class token; those of the patches follow row by row. The defaults are
    ViT-B/16. Weights are initialized randomly; `VisionTransformer.from_preset(folder)` loads
    weights, and accepts any argument below to override the preset's. With another `image_size`,
    the position embeddings are resized by bicubic interpolation; relative positions are not
    resized. With `class_token`, `relative_positions` and `layer_scale`, this is BEiT.

    Args:
        image_size: int or pair of ints (height, width).
        patch_size: int. Height and width of a patch.
        dim: int. The size of a token.
        num_layers: int. Number of Transformer blocks.
        num_heads: int. Number of attention heads; must divide `dim`.
        mlp_dim: int. Hidden units of the MLPs.
        activation: string. The activation of the MLPs: `"gelu"` (exact), `"gelu_tanh"`,
            `"quick_gelu"` or `"relu"`.
        epsilon: float. Added to the variance in the normalizations.
        class_token: bool. Whether there is a class token.
        distillation_token: bool. Whether another learned token follows the class token, as in DeiT.
        use_positions: bool. Whether position embeddings are added to the tokens.
        relative_positions: string or `None`. `"separate"` for a `RelativePositionBias` of the
            attention of each block, `"shared"` for one of all blocks.
        layer_scale: float or `None`. The initial scale of the branches; see `TransformerBlock`.
        patch_bias: bool. Whether the projection of the patches has a bias.
        pre_norm: bool. Whether the embedded patches are normalized, as in CLIP.
        final_norm: bool. Whether the tokens are normalized.
        position_grid: pair of ints, (rows, columns) of patches of the position embeddings.
            Defaults to the grid of `image_size`.
        dtype: string or `keras.DTypePolicy`. The dtype policy of the layers.
        **kwargs: `name` and `trainable`.

    Call arguments:
        images: float tensor `(batch, height, width, 3)`, normalized as for the weights.

    Returns:
        Tokens `(batch, 1 + rows * columns, dim)` in the policy's compute dtype; without a class
        token, `(batch, rows * columns, dim)`; with a distillation token, one more.

    Attributes:
        image_size: pair of ints, (height, width) of the images.
        grid: pair of ints, (rows, columns) of the grid of patches.
        token_dim: int, the size of a token.

    Raises:
        ValueError: if a size is not a positive int, `num_heads` does not divide `dim`,
            `patch_size` is larger than the images, or relative positions would have to be resized.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import VisionTransformer
    >>> encoder = VisionTransformer(
    ...     image_size=(32, 48), patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16)
    >>> encoder.grid, encoder.token_dim
    ((2, 3), 8)
    >>> encoder(np.zeros((1, 32, 48, 3), "float32")).shape == (1, 7, 8)
    True

    Reference:
        Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at
        Scale", ICLR 2021 (https://arxiv.org/abs/2010.11929); BEiT: Bao et al., "BEiT: BERT
        Pre-Training of Image Transformers", ICLR 2022 (https://arxiv.org/abs/2106.08254).
    """

    def __init__(
        self,
        image_size=224,
        patch_size=16,
        dim=768,
        num_layers=12,
        num_heads=12,
        mlp_dim=3072,
        activation="gelu",
        epsilon=1e-5,
        class_token=True,
        patch_bias=True,
        pre_norm=False,
        final_norm=True,
        position_grid=None,
        distillation_token=False,
        use_positions=True,
        relative_positions=None,
        layer_scale=None,
        dtype=None,
        **kwargs,
    ):
        image_size = parse_image_size(image_size)
        check_integer(self, "patch_size", patch_size, maximum=min(image_size))
        check_integer(self, "num_layers", num_layers)
        grid = tuple(size // patch_size for size in image_size)
        position_grid = tuple(position_grid or grid)
        check_choice(self, "relative_positions", relative_positions, RELATIVE_POSITIONS)
        if relative_positions and position_grid != grid:
            raise ValueError(
                f"VisionTransformer: relative positions of the grid {position_grid} cannot be "
                f"resized. Received: image_size={image_size}, with the grid {grid}"
            )
        settings = {
            "image_size": list(image_size),
            "patch_size": patch_size,
            "dim": dim,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "mlp_dim": mlp_dim,
            "activation": activation,
            "epsilon": epsilon,
            "class_token": class_token,
            "patch_bias": patch_bias,
            "pre_norm": pre_norm,
            "final_norm": final_norm,
            "position_grid": list(position_grid),
            "distillation_token": distillation_token,
            "use_positions": use_positions,
            "relative_positions": relative_positions,
            "layer_scale": layer_scale,
        }

        images = keras.Input((*image_size, 3), name="images")
        embedding = PatchEmbedding(
            patch_size,
            dim,
            position_grid,
            class_token,
            patch_bias,
            distillation_token,
            use_positions,
            dtype=dtype,
            name="embedding",
        )
        blocks = make_blocks(
            num_layers, num_heads, mlp_dim, activation, epsilon, dtype, layer_scale=layer_scale
        )
        count = {None: 0, "shared": 1, "separate": num_layers}[relative_positions]
        position_biases = [
            RelativePositionBias(
                grid, num_heads, class_token, dtype=dtype, name=f"position_bias_{index:02d}"
            )
            for index in range(count)
        ]
        norms = {
            name: keras.layers.LayerNormalization(epsilon=epsilon, dtype=dtype, name=name)
            for name, used in (("pre_layer_norm", pre_norm), ("final_norm", final_norm))
            if used
        }
        tokens = embedding(images)
        if pre_norm:
            tokens = norms["pre_layer_norm"](tokens)
        biases = [bias(tokens) for bias in position_biases]
        for index, block in enumerate(blocks):
            bias = biases[index % count] if biases else None
            tokens = block(tokens, attention_bias=bias)
        if final_norm:
            tokens = norms["final_norm"](tokens)
        super().__init__(
            images,
            tokens,
            settings,
            embedding,
            blocks,
            norms.get("final_norm"),
            dtype=dtype,
            **kwargs,
        )
        self.image_size = image_size
        self.grid = grid
        self.position_grid = position_grid
        self.pre_layer_norm = norms.get("pre_layer_norm")
        self.position_biases = position_biases

    @property
    def patch_embedding(self):
        """The convolution that projects the patches."""
        return self.embedding.convolution

    @property
    def class_embedding(self):
        """The variable of the class token, `(dim,)`, or `None`."""
        return self.embedding.class_embedding

    @property
    def position_embedding(self):
        """The variable of the position embeddings, `(tokens, dim)`, or `None`."""
        return self.embedding.position_embedding
