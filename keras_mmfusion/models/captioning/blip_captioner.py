import keras

from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BlipCaptioner(TransformerCaptioner):
    """BLIP for image captioning: a Vision Transformer and a BERT decoder that attends to it.

    ```
    image_tokens = image_encoder(images)                              # VisionTransformer
    logits = text_decoder(text_decoder.embedding(captions), image_tokens)
    ```

    Captions may begin with a prompt: `model.generate(image, prompt="a picture of")`.

    Args:
        image_encoder: `VisionTransformer`.
        text_decoder: `BertTextDecoder` with `cross_attention=True`.
        preprocessor: `CaptioningPreprocessor` or `None`. A caption starts with BLIP's `[DEC]`
            token and ends with `[SEP]`.

    Call arguments and output shape: see `Captioner`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import VisionTransformer
    >>> from keras_mmfusion.models import BertTextDecoder, BlipCaptioner
    >>> encoder = VisionTransformer(
    ...     image_size=32, patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16)
    >>> decoder = BertTextDecoder(50, dim=8, num_layers=1, num_heads=2, cross_attention=True)
    >>> model = BlipCaptioner(encoder, decoder)
    >>> tuple(model(np.zeros((2, 32, 32, 3), "float32"), np.array([[1, 4], [1, 5]])).shape)
    (2, 2, 50)

    Reference:
        Li et al., "BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language
        Understanding and Generation", 2022, section 3.1: the image-grounded text decoder.
    """
