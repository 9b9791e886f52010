import keras

from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class EncoderDecoderCaptioner(TransformerCaptioner):
    """Any vision encoder and any text decoder with cross-attention, such as ViT and GPT-2.

    ```
    image_tokens = encoder_projection(image_encoder(images))
    logits = text_decoder(text_decoder.embedding(captions), image_tokens)
    ```

    This is the `VisionEncoderDecoderModel` of transformers; checkpoints of it are loaded by
    `load_checkpoint`.

    Args:
        image_encoder: layer or model that maps images to tokens or to a feature map.
        text_decoder: `TextDecoder` with `cross_attention=True`. GPT-2 is a `TextDecoder` with
            `activation="gelu_tanh"`; BERT and RoBERTa are a `BertTextDecoder`.
        preprocessor: `CaptioningPreprocessor` or `None`.
        encoder_projection: layer that is applied to the image tokens, such as a `Dense` layer to
            the dim of the decoder; or `None`.

    Call arguments and output shape: see `Captioner`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import TextDecoder
    >>> from keras_mmfusion.encoders import VisionTransformer
    >>> from keras_mmfusion.models import EncoderDecoderCaptioner
    >>> encoder = VisionTransformer(
    ...     image_size=32, patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16)
    >>> decoder = TextDecoder(
    ...     50, dim=8, num_layers=1, num_heads=2, cross_attention=True, activation="gelu_tanh")
    >>> model = EncoderDecoderCaptioner(encoder, decoder)
    >>> tuple(model(np.zeros((2, 32, 32, 3), "float32"), np.array([[1, 4], [1, 5]])).shape)
    (2, 2, 50)

    Reference:
        Rothe et al., "Leveraging Pre-trained Checkpoints for Sequence Generation Tasks", 2020;
        with a vision encoder: Li et al., "TrOCR: Transformer-based Optical Character Recognition
        with Pre-trained Models", 2023.
    """

    parts = ("image_encoder", "text_decoder", "preprocessor", "encoder_projection")

    def __init__(
        self, image_encoder, text_decoder, preprocessor=None, encoder_projection=None, **kwargs
    ):
        super().__init__(image_encoder, text_decoder, preprocessor, **kwargs)
        self.encoder_projection = encoder_projection
        self._build_parts()

    def encode(self, images, training=None):
        tokens = super().encode(images, training=training)
        if self.encoder_projection is None:
            return tokens
        return apply_to_rows(self.encoder_projection, tokens)
