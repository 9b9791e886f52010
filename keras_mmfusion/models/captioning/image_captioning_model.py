import keras
import keras_hub
from keras import ops

from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.encoders.image_encoder import ImageEncoder
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.captioning.decoding.caption_generator import CaptionGenerator
from keras_mmfusion.models.captioning.export.captioner_export import export_captioner
from keras_mmfusion.models.captioning.text_decoder import TextDecoder
from keras_mmfusion.models.flatten_feature_map import flatten_feature_map
from keras_mmfusion.models.nan_checks import NaNChecks
from keras_mmfusion.models.preprocessed_sequence import PreprocessedSequence
from keras_mmfusion.models.presets.preset_folder import PresetModel
from keras_mmfusion.models.steps_by_rank import StepsByRank


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ImageCaptioningModel(PresetModel, StepsByRank, NaNChecks, keras_hub.models.Task):
    """Image captioning: encode the image, attend over it from the caption, decode.

    ```
    image_tokens = image_encoder(images)
    embeddings = text_decoder.embedding(captions)
    attended = cross_modal_attention(embeddings, image_tokens, image_tokens)
    logits = text_decoder(embeddings + attended)
    ```

    Each part can be a layer of your own or a KerasHub backbone: `image_encoder` gives tokens
    `(batch, tokens, dim)` or a feature map `(batch, height, width, channels)`; `text_decoder` has
    an `embedding` layer and maps embeddings to vocabulary logits, each position from earlier ones
    only; `cross_modal_attention` is called as Keras's attention layers are. A decoder other than
    `TextDecoder` generates without cached keys and values.

    With a `preprocessor`, `fit`, `evaluate` and `generate` take raw images and strings;
    `preprocessor=None` opts out.

    Args:
        image_encoder: layer or model, images to tokens.
        text_decoder: layer, embeddings to logits, with an `embedding` attribute.
        cross_modal_attention: layer called as `(query, value, key)`.
        preprocessor: `CaptioningPreprocessor` or `None`.

    Call arguments:
        images: float tensor `(batch, height, width, 3)`, preprocessed; or a dict of all inputs:
            `"images"` or, already encoded, `"image_tokens"`; and `"captions"`.
        captions: int tensor `(batch, tokens)`, starting with the start token; or
            `(batch, captions, tokens)`: the captions of an image share one pass of the encoder.

    Output shape:
        Vocabulary logits, as `captions` with a last dim of `vocabulary_size`.

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

    backbone_cls = ImageEncoder
    preprocessor_cls = CaptioningPreprocessor
    parts = ("image_encoder", "text_decoder", "cross_modal_attention", "preprocessor")

    def __init__(
        self, image_encoder, text_decoder, cross_modal_attention, preprocessor=None, **kwargs
    ):
        more = {"cross_modal_attention": cross_modal_attention}
        self._init_parts(image_encoder, text_decoder, preprocessor, more, **kwargs)

    def _init_parts(self, image_encoder, text_decoder, preprocessor, more=(), **kwargs):
        """`more`: a dict, name -> part, of those that not every captioner has."""
        super().__init__(compile=False, **kwargs)
        if not hasattr(text_decoder, "embedding"):
            raise ValueError(
                "`text_decoder` must have an `embedding` layer, called on token ids. "
                f"Received: {text_decoder!r}"
            )
        self.image_encoder = image_encoder
        self.text_decoder = text_decoder
        for name, part in dict(more).items():
            setattr(self, name, part)
        self.preprocessor = preprocessor
        self.dtype_policy = text_decoder.dtype_policy  # `compile` scales the loss by it
        self.generator = CaptionGenerator(self)
        self.compile()
        image_shape = self._image_shape()
        if image_shape is not None:
            self.build(image_shape)

    def _image_shape(self):
        """The batch shape of images if it is known: fixed by the encoder or the preprocessor."""
        shape = getattr(self.image_encoder, "input_shape", None)
        if isinstance(shape, tuple) and None not in shape[1:]:
            return shape
        size = getattr(self.preprocessor, "image_size", None)
        return None if size is None else (None, *size, 3)

    @property
    def backbone(self):
        return getattr(self, "image_encoder", None)

    def build(self, images_shape, captions_shape=None):
        """Builds every part by a symbolic call, so that all weights exist before loading."""
        if isinstance(images_shape, dict):
            images_shape = images_shape.get("images")
        if images_shape is not None:
            images = keras.KerasTensor((None, *images_shape[1:]), dtype="float32")
            self.decode(self.encode(images), keras.KerasTensor((None, 2), dtype="int32"))
        self.built = True

    def call(self, images, captions=None, training=None):
        image_tokens = None
        if isinstance(images, dict):
            inputs = images
            captions = inputs["captions"]
            images, image_tokens = inputs.get("images"), inputs.get("image_tokens")
        if captions is None:
            raise ValueError(
                "`captions` is missing: call `model(images, captions)` with token ids, or "
                "`model.generate(images)` for captions."
            )
        if image_tokens is None:
            image_tokens = self.encode(images, training=training)
        return self.decode(image_tokens, captions, training=training)

    def encode(self, images, training=None):
        """Tokens `(batch, tokens, dim)` of the images; a feature map is laid out row by row."""
        return flatten_feature_map(self.image_encoder(images, training=training))

    def decode(self, image_tokens, captions, return_attention_scores=False, training=None):
        """Logits of captions `(batch, [captions,] tokens)`, given the encoded image.

        With `return_attention_scores`, a tuple with the attention over the image tokens, averaged
        over heads and layers: `(batch, [captions,] tokens, image_tokens)`, float32.
        """
        ids = ops.cast(captions, "int32")
        count, length = (1, *ops.shape(ids)[1:])[-2:]
        x = self.text_decoder.embedding(ops.reshape(ids, (-1, length)))
        logits, scores = self._attend_and_decode(
            x, image_tokens, count, return_attention_scores, training
        )
        shape = (-1, length) if len(ids.shape) == 2 else (-1, count, length)
        logits = ops.reshape(logits, (*shape, logits.shape[-1]))
        if not return_attention_scores:
            return logits
        return logits, ops.reshape(scores, (*shape, scores.shape[-1]))

    def _attend_and_decode(self, x, image_tokens, count, return_attention_scores, training):
        """From embeddings `(batch * count, length, dim)` to logits of the same rows."""
        length, dim = ops.shape(x)[1:]
        attended = self.cross_modal_attention(
            ops.reshape(x, (-1, count * length, dim)),
            image_tokens,
            image_tokens,
            training=training,
            **({"return_attention_scores": True} if return_attention_scores else {}),
        )
        scores = None
        if return_attention_scores:
            attended, scores = attended
            scores = ops.mean(scores, axis=1)
        x = x + ops.reshape(attended, (-1, length, dim))
        return self.text_decoder(x, training=training), scores

    def decoding_step(self, image_tokens, length, hypotheses):
        """The step function of `decoding` for these images, and its empty cache."""
        if not isinstance(self.text_decoder, TextDecoder):
            return self.uncached_step(image_tokens), ()
        decoder = self.text_decoder
        attend = self._cached_attention(image_tokens)
        context = decoder.project_context(image_tokens)
        cache = decoder.empty_cache(ops.shape(image_tokens)[0], length, hypotheses)
        times = ops.arange(length, dtype="int32")
        slots = ops.arange(hypotheses, dtype="int32")

        def step(tokens, index, ancestors, cache):
            ids = ops.expand_dims(ops.take(tokens, index, axis=-1), -1)
            x = ops.squeeze(decoder.embedding(ids, start_index=index), 2)
            written = ops.expand_dims(times <= index, -1)
            descends = ops.equal(ops.expand_dims(ancestors[:, :, :length], -1), slots)
            slot_mask = ops.reshape(
                ops.logical_and(descends, written), (-1, hypotheses, length * hypotheses)
            )
            write_mask = ops.reshape(ops.equal(times, index), (1, 1, length, 1, 1))
            return decoder.step(attend(x), cache, slot_mask, write_mask, context)

        return step, cache

    def _cached_attention(self, image_tokens):
        """A function from embeddings to what the decoder takes; keys and values computed once."""
        attention = self.cross_modal_attention
        if not hasattr(attention, "project_key_value"):
            return lambda x: x + attention(x, image_tokens, image_tokens)
        context = attention.project_key_value(image_tokens)
        return lambda x: x + attention.attend(x, *context)

    def uncached_step(self, image_tokens):
        """A step function that decodes the whole caption so far, for any decoder."""

        def step(tokens, index, ancestors, cache):
            logits = self.decode(image_tokens, tokens[:, :, :-1])
            return ops.take(logits, index, axis=2), cache

        return step

    def generate(self, images, **settings):
        """Captions for images. See `CaptionGenerator.generate` for the arguments.

        Args:
            images: one image or several, of any kinds: paths, encoded bytes, open files, PIL
                images, arrays, tensors; a list, array or pandas `Series` of them; or a
                `tf.data.Dataset` of images or of dicts with `"images"`.
            **settings: how to decode: `beams`, `length_penalty`, `top_k`, ...

        Returns:
            A string for one image, a list of strings for several; with `details=True`, `Caption`
            objects in their place.
        """
        return self.generator.generate(images, **settings)

    def fit(self, x=None, y=None, batch_size=None, validation_data=None, **kwargs):
        """Keras's `fit`, on raw or preprocessed batches; with `PyDataset`s, or with targets that
        are made already, it needs no TensorFlow."""
        _check_raw(x, validation_data)
        sequences = any(isinstance(each, keras.utils.PyDataset) for each in (x, validation_data))
        if y is None and not sequences:
            # KerasHub's pipeline is a dataset, of which Keras warns that it does not shuffle it.
            kwargs = {"shuffle": False, **kwargs}
            return super().fit(
                x, y, batch_size=batch_size, validation_data=validation_data, **kwargs
            )
        # KerasHub's own pipeline takes no PyDataset, and has nothing to do where targets are.
        validation_data = self._preprocessed(validation_data)
        return keras.Model.fit(
            self, self._preprocessed(x), y, batch_size, validation_data=validation_data, **kwargs
        )

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Keras's `evaluate`, on raw or preprocessed batches."""
        _check_raw(x)
        if y is not None or isinstance(x, keras.utils.PyDataset):
            return keras.Model.evaluate(self, self._preprocessed(x), y, *args, **kwargs)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x=None, *args, **kwargs):
        """Keras's `predict`: logits, of raw or preprocessed batches."""
        if isinstance(x, keras.utils.PyDataset):
            return keras.Model.predict(self, self._preprocessed(x), *args, **kwargs)
        return super().predict(x, *args, **kwargs)

    def _features(self, inputs):
        """What may have NaN, for `NaNChecks`; images have no mask."""
        names = ("images", "image_tokens") if isinstance(inputs, dict) else ()
        return [(name, None, inputs[name], None) for name in names if name in inputs]

    def _preprocessed(self, data):
        data = self._known(data)
        if isinstance(data, keras.utils.PyDataset):
            return PreprocessedSequence(data, self.preprocess_samples)
        if hasattr(data, "element_spec"):
            return data.map(self.preprocess_samples)
        return data

    def preprocess_samples(self, x, y=None, sample_weight=None):
        if y is not None:  # Targets are made from raw captions: with them, it is done already.
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        return super().preprocess_samples(x, y, sample_weight)

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        weighted_metrics="auto",
        jit_compile="auto",
        **kwargs,
    ):
        """Keras's `compile`; the defaults are AdamW at 1e-4, label smoothing and token accuracy.

        On TensorFlow, `jit_compile="auto"` means XLA for the search of `generate`, if the
        decoder is a `TextDecoder`, and for training on a GPU only: on a CPU the convolutions of
        an image encoder run many times slower with it.
        """
        self._jit_compile_argument = jit_compile
        if optimizer == "auto":
            optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.01, clipnorm=1.0)
        if loss == "auto":
            loss = SmoothedCrossEntropy(label_smoothing=0.1)
        if weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        if jit_compile == "auto" and keras.config.backend() == "tensorflow":
            import tensorflow as tf

            jit_compile = "auto" if tf.config.list_physical_devices("GPU") else False
        super().compile(
            optimizer=optimizer,
            loss=loss,
            weighted_metrics=weighted_metrics,
            jit_compile=jit_compile,
            **kwargs,
        )
        self.reset_compiled_functions()

    @property
    def jit_compile_search(self):
        """Whether XLA compiles the search on TensorFlow, which it does not for any layer."""
        if self._jit_compile_argument == "auto":
            return isinstance(self.text_decoder, TextDecoder)
        return self._jit_compile_argument

    def reset_compiled_functions(self):
        self.generator.reset()

    def get_compile_config(self):
        config = super().get_compile_config()
        return config and {
            **config,
            "jit_compile": self._jit_compile_argument,
            "optimizer_built": self.optimizer.built,
        }

    def compile_from_config(self, config):
        config = keras.saving.deserialize_keras_object(config)
        # An optimizer that was never used has no state in the file.
        optimizer_built = config.pop("optimizer_built")
        self.compile(**config)
        if optimizer_built and self.built:
            self.optimizer.build(self.trainable_variables)

    def export(self, folder, **settings):
        """Writes the next version of a folder that TensorFlow Serving takes: bytes to captions.

        Decoding of the files, search and text are in the graph, of TensorFlow's own operations
        alone. Signatures, each of batches of any size:

        | signature | takes | returns |
        |---|---|---|
        | `serving_default` | `image_bytes`, strings `(batch,)`: files | `captions`, strings `(batch,)`; `scores`, float32 `(batch,)`; `token_ids`, int32 `(batch, max_length)`; `error_codes` |
        | `caption_pixels` | `images`, float32 `(batch, height, width, 3)`, 0 to 255 | as `serving_default`, but `error_codes` |
        | `hypotheses` | `image_bytes` | `captions`, `scores`, `token_ids` of all beams, `(batch, beams, ...)`; `error_codes` |
        | `features` | `image_bytes` | `features`, float32 `(batch, tokens, dim)`; `error_codes` |
        | `score` | `image_bytes`; `captions`, strings `(batch,)` | `log_probability`, float32 `(batch,)`; `token_ids`, `token_log_probs` `(batch, sequence_length)`; `error_codes` |
        | `attention` | `image_bytes` | `captions`, `token_ids`, `token_log_probs`; `attention`, float32 `(batch, max_length, image tokens)`; `error_codes` |

        `error_codes`, int32 `(batch,)`: 0 all is well, 1 empty, 2 not a JPEG, PNG, GIF, WebP or
        BMP, 3 more than 89 million pixels, 4 damaged, 5 a variant of its format that the graph
        does not decode. Such a row has an empty caption, and the
        others are as if it were not there.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next into `2`;
                beside the SavedModel there is a `manifest.json`. Nothing is overwritten.
            **settings: how to decode: `beams`, `length_penalty`, `no_repeat_ngram`, `min_length`,
                `max_length`, as for `generate`; `int8_weights=True` stores the large weights as
                int8; `manifest`, a dict that the manifest is to hold.

        Returns:
            The path of the new version.

        Raises:
            ValueError: if Keras does not run on TensorFlow, if there is no preprocessor, or if a
                setting is unfit.
        """  # noqa: E501
        return export_captioner(self, folder, **settings)

    def with_image_encoder(self, image_encoder):
        """The same captioner on another image encoder: a new model that shares all other parts.

        Args:
            image_encoder: layer or model, whose tokens are as this one's.

        Returns:
            A model of this class, compiled by its defaults.
        """
        parts = {name: getattr(self, name) for name in self.parts}
        return type(self)(**{**parts, "image_encoder": image_encoder})

    def get_config(self):
        parts = {name: getattr(self, name) for name in self.parts}
        return {
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        config = {
            name: keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value
            for name, value in config.items()
        }
        return cls(**config)


def _check_raw(*data):
    """Raw captions that are no text become errors without a row in KerasHub's pipeline."""
    for each in data:
        each = each[0] if isinstance(each, tuple) and each else each
        if isinstance(each, dict) and "captions" in each:
            captions = each["captions"]
            if getattr(getattr(captions, "dtype", None), "kind", "O") not in "iu":  # ids
                check_texts(captions, "captions")
