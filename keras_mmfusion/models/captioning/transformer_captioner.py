import keras
from keras import ops

from keras_mmfusion.models.captioning.captioner import Captioner


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TransformerCaptioner(Captioner):
    """Image captioning with cross-attention to the image in every block of the decoder.

    ```
    image_tokens = image_encoder(images)
    logits = text_decoder(text_decoder.embedding(captions), image_tokens)
    ```

    Args:
        image_encoder: layer or model that maps images to tokens or to a feature map.
        text_decoder: `TextDecoder` with `cross_attention=True`.
        preprocessor: `CaptioningPreprocessor` or `None`.

    Call arguments and output shape: see `Captioner`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import ImageEncoder, TextDecoder, TransformerCaptioner
    >>> decoder = TextDecoder(50, dim=32, num_layers=1, num_heads=2, cross_attention=True)
    >>> model = TransformerCaptioner(ImageEncoder(image_size=64), decoder)
    >>> tuple(model(np.zeros((2, 64, 64, 3), "float32"), np.array([[1, 4], [1, 5]])).shape)
    (2, 2, 50)

    Reference:
        Vaswani et al., 2017, section 3.1, with image tokens in place of the encoder's text.
    """

    def __init__(self, image_encoder, text_decoder, preprocessor=None, **kwargs):
        if not getattr(text_decoder, "cross_attention", False):
            raise ValueError(
                "`text_decoder` must attend to the image: create it with "
                f"`TextDecoder(..., cross_attention=True)`. Received: {text_decoder!r}"
            )
        super().__init__(image_encoder, text_decoder, preprocessor, **kwargs)

    def _attend_and_decode(self, x, image_tokens, count, return_attention_scores, training):
        length, dim = ops.shape(x)[1:]
        outputs = self.text_decoder(
            ops.reshape(x, (-1, count, length, dim)),
            image_tokens,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        if not return_attention_scores:
            return outputs, None
        logits, scores = outputs
        return logits, ops.mean(scores, axis=(0, 2))
