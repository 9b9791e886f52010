import keras

from keras_mmfusion.layers.graph.convolution.image_graph import ImageGraph
from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphCaptioner(TransformerCaptioner):
    """Image captioning with graph convolutions over the image tokens before the decoder.

    ```
    nodes = image_graph(image_encoder(images))
    logits = text_decoder(text_decoder.embedding(captions), nodes)
    ```

    Args:
        image_encoder: layer or model that maps images to tokens or to a feature map.
        text_decoder: `TextDecoder` with `cross_attention=True`.
        image_graph: layer that maps tokens to tokens. Defaults to an `ImageGraph` with the dim of
            the decoder and the encoder's `grid`, or a square grid if it has none.
        preprocessor: `CaptioningPreprocessor` or `None`.

    Call arguments and output shape: see `Captioner`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import GraphCaptioner, ImageEncoder, TextDecoder
    >>> decoder = TextDecoder(50, dim=32, num_layers=1, num_heads=2, cross_attention=True)
    >>> model = GraphCaptioner(ImageEncoder(image_size=64), decoder)
    >>> tuple(model(np.zeros((2, 64, 64, 3), "float32"), np.array([[1, 4], [1, 5]])).shape)
    (2, 2, 50)

    Reference:
        Graph convolutions over an image's regions before a caption's decoder: Yao et al.,
        "Exploring Visual Relationship for Image Captioning", 2018. The edges: see `ImageGraph`.
    """

    parts = ("image_encoder", "text_decoder", "image_graph", "preprocessor")

    def __init__(self, image_encoder, text_decoder, image_graph=None, preprocessor=None, **kwargs):
        super().__init__(image_encoder, text_decoder, preprocessor, **kwargs)
        if image_graph is None:
            image_graph = ImageGraph(
                text_decoder.dim,
                grid=getattr(image_encoder, "grid", None),
                dtype=text_decoder.dtype_policy,
                name="image_graph",
            )
        self.image_graph = image_graph
        self._build_parts()

    def encode(self, images, training=None):
        """Encodes images into nodes `(batch, tokens, dim)`, after the graph convolutions."""
        tokens = super().encode(images, training=training)
        return self.image_graph(tokens, training=training)
