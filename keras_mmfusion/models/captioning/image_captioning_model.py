import keras
from keras import ops

from keras_mmfusion.models.captioning.captioner import Captioner


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ImageCaptioningModel(Captioner):
    """Image captioning with one attention over the image between embedding and decoder.

    ```
    image_tokens = image_encoder(images)
    embeddings = text_decoder.embedding(captions)
    attended = cross_modal_attention(embeddings, image_tokens, image_tokens)
    logits = text_decoder(embeddings + attended)
    ```

    Each part can be a custom layer or a KerasHub backbone: `image_encoder` returns tokens
    `(batch, tokens, dim)` or a feature map `(batch, height, width, channels)`; `text_decoder` has
    an `embedding` layer and maps embeddings to vocabulary logits, each position from earlier ones
    only; `cross_modal_attention` is called like Keras's attention layers. Generation caches keys
    and values if the decoder is a `TextDecoder`.

    With a `preprocessor`, `fit`, `evaluate` and `generate` accept raw images and strings.

    Args:
        image_encoder: layer or model that maps images to tokens.
        text_decoder: layer that maps embeddings to logits, with an `embedding` attribute.
        cross_modal_attention: layer called as `(query, value, key)`.
        preprocessor: `CaptioningPreprocessor` or `None`.

    Call arguments and output shape: see `Captioner`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import (
    ...     CrossModalAttention, ImageCaptioningModel, ImageEncoder, TextDecoder)
    >>> image_encoder = ImageEncoder(image_size=64)
    >>> text_decoder = TextDecoder(vocabulary_size=50, dim=32, num_layers=1, num_heads=2)
    >>> cross_modal_attention = CrossModalAttention(num_heads=2, head_dim=16)
    >>> model = ImageCaptioningModel(image_encoder, text_decoder, cross_modal_attention)
    >>> images = np.zeros((2, 64, 64, 3), "float32")
    >>> captions = np.array([[1, 4, 5, 2], [1, 6, 2, 0]])
    >>> tuple(model(images, captions).shape)
    (2, 4, 50)

    Reference:
        The attention over image features: Xu et al., "Show, Attend and Tell", 2015.
    """

    parts = ("image_encoder", "text_decoder", "cross_modal_attention", "preprocessor")

    def __init__(
        self, image_encoder, text_decoder, cross_modal_attention, preprocessor=None, **kwargs
    ):
        super().__init__(image_encoder, text_decoder, preprocessor, **kwargs)
        self.cross_modal_attention = cross_modal_attention
        self._build_parts()

    def _attend_and_decode(self, x, image_tokens, count, return_attention_scores, training):
        length, dim = ops.shape(x)[1:]
        # Only passed if it is set, since custom attention layers may not have the argument.
        options = {"return_attention_scores": True} if return_attention_scores else {}
        attended = self.cross_modal_attention(
            ops.reshape(x, (-1, count * length, dim)),
            image_tokens,
            image_tokens,
            training=training,
            **options,
        )
        scores = None
        if return_attention_scores:
            attended, scores = attended
            scores = ops.mean(scores, axis=1)
        x = x + ops.reshape(attended, (-1, length, dim))
        return self.text_decoder(x, training=training), scores

    def _build_attention(self, image_tokens):
        attention = self.cross_modal_attention
        if not hasattr(attention, "project_key_value"):
            return lambda x: attention(x, image_tokens, image_tokens)
        cache = attention.project_key_value(image_tokens)
        return lambda x: attention.attend_cached(x, cache)
