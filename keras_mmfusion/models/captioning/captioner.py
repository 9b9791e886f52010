import keras
import keras_hub
from keras import ops

from keras_mmfusion.encoders.image_encoder import ImageEncoder
from keras_mmfusion.layers.flatten_feature_map import flatten_feature_map
from keras_mmfusion.models.captioning.captioner_fitting import CaptionerFitting
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.captioning.decoding.caption_generator import CaptionGenerator
from keras_mmfusion.models.captioning.decoding.generation_settings import (
    resolve_generation_settings,
)
from keras_mmfusion.models.captioning.decoding.step_functions import (
    build_cached_step,
    build_uncached_step,
)
from keras_mmfusion.models.captioning.export.captioner_export import export_captioner
from keras_mmfusion.models.captioning.text_decoder import TextDecoder
from keras_mmfusion.models.task_model import TaskModel


class Captioner(CaptionerFitting, TaskModel, keras_hub.models.Task):
    """Base class of image captioning models: encoding, decoding, training, generation, export.

    ```
    image_tokens = encode(images)
    logits = decode(image_tokens, captions)
    ```

    With a `preprocessor`, `fit`, `evaluate` and `generate` accept raw images and strings. With
    targets `y`, the inputs of `fit` and `evaluate` must be preprocessed. `Captioner.from_preset`
    loads captioners of all classes.

    With a `VideoEncoder` as its encoder, a captioner describes videos: `"images"` are videos
    `(batch, frames, height, width, 3)`, and `generate` reads the encoder's number of frames from
    arrays, lists and folders of frames, animations and video files.

    A subclass implements `_attend_and_decode`. If it has further parts, it lists them in `parts`
    and sets them after `super().__init__`, followed by `self._build_parts()`.

    Args:
        image_encoder: layer or model that maps images to tokens `(batch, tokens, dim)` or to a
            feature map `(batch, height, width, channels)`.
        text_decoder: layer that maps embeddings to logits, with an `embedding` layer.
        preprocessor: `CaptioningPreprocessor` or `None`.
        **kwargs: passed to `keras_hub.models.Task`.

    Call arguments:
        images: float tensor `(batch, height, width, 3)`, preprocessed; or a dict of all inputs:
            `"images"` or, if they are encoded already, `"image_tokens"`; and `"captions"`.
        captions: int tensor `(batch, tokens)` that begins with the start token; or
            `(batch, captions, tokens)`: the captions of an image share one pass of the encoder.

    Output shape:
        Vocabulary logits with the shape of `captions` and a last axis of size `vocabulary_size`.
    """

    backbone_cls = ImageEncoder
    preprocessor_cls = CaptioningPreprocessor
    parts = ("image_encoder", "text_decoder", "preprocessor")

    def __init__(self, image_encoder, text_decoder, preprocessor=None, **kwargs):
        super().__init__(compile=False, **kwargs)
        if not hasattr(text_decoder, "embedding"):
            raise ValueError(
                "`text_decoder` must have an `embedding` layer, called on token ids. "
                f"Received: {text_decoder!r}"
            )
        self.image_encoder = image_encoder
        self.text_decoder = text_decoder
        self.preprocessor = preprocessor
        self.dtype_policy = text_decoder.dtype_policy  # Used by `compile` for loss scaling.
        self._generator = CaptionGenerator(self)
        self.compile()
        self._build_parts()

    def _build_parts(self):
        """Builds the model as soon as it has all its parts and the image size is known."""
        image_shape = self._infer_image_shape()
        if image_shape is not None and all(hasattr(self, name) for name in self.parts):
            self.build(image_shape)

    def _infer_image_shape(self):
        """Returns the batch shape of images if the encoder or preprocessor specifies it."""
        shape = getattr(self.image_encoder, "input_shape", None)
        if isinstance(shape, tuple) and None not in shape[1:]:
            return shape
        size = getattr(self.preprocessor, "image_size", None)
        frames = (self.num_frames,) if self.encodes_only_videos else ()
        return None if size is None else (None, *frames, *size, 3)

    @property
    def num_frames(self):
        """Number of frames that are read of a video; `None` if `encode` accepts only images."""
        return getattr(self.image_encoder, "num_frames", None)

    @property
    def encodes_only_videos(self):
        """Whether the inputs are videos, `(batch, frames, height, width, 3)`."""
        return hasattr(self.image_encoder, "num_frames")

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
                "`model.generate(images)` to generate captions."
            )
        if image_tokens is None:
            image_tokens = self.encode(images, training=training)
        return self.decode(image_tokens, captions, training=training)

    def encode(self, images, training=None):
        """Encodes images into tokens `(batch, tokens, dim)`; feature maps are flattened by row."""
        return flatten_feature_map(self.image_encoder(images, training=training))

    def decode(self, image_tokens, captions, return_attention_scores=False, training=None):
        """Computes logits of captions `(batch, [captions,] tokens)` for encoded images.

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
        """Computes logits of embeddings `(batch * count, length, dim)`, and attention scores.

        Returns:
            A tuple of logits `(batch * count, length, vocabulary_size)` and scores
            `(batch, count * length, image_tokens)`, or `None` without
            `return_attention_scores`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `_attend_and_decode`.")

    def _build_step(self, image_tokens, length, hypotheses):
        """Builds the step function of a search and its empty cache; see `decoding_settings`."""
        if not isinstance(self.text_decoder, TextDecoder):
            return build_uncached_step(self, image_tokens), ()
        attend = self._build_attention(image_tokens)
        return build_cached_step(self.text_decoder, image_tokens, length, hypotheses, attend)

    def _build_attention(self, image_tokens):
        """Returns a function for the attention before the decoder in a search, or `None`."""
        return None

    def generate(
        self,
        images,
        prompt=None,
        beams=4,
        hypotheses=1,
        length_penalty=0.7,
        no_repeat_ngram=0,
        sample=False,
        temperature=1.0,
        top_k=None,
        top_p=None,
        seed=None,
        min_length=1,
        max_length=None,
        batch_size=32,
        details=False,
    ):
        """Generates captions for images, by beam search or by sampling.

        Args:
            images: one image or several: paths, encoded bytes, open files, PIL images, arrays,
                tensors; a list, array or pandas `Series` of them; or a `tf.data.Dataset` of images
                or of dicts with `"images"`. For a model of videos, one video or several; see
                `datasets.read_video`.
            prompt: string. The first words of every caption, such as `"a picture of"`; they are
                part of the result. Or a list of strings: one for each image, or several for one
                image, which then has a caption for each.
            beams: int. Beam width; 1 is greedy search. At most 1,024, and at most the size of the
                vocabulary.
            hypotheses: int. Number of captions for each image, best first. If more than one, a
                list of captions is returned for each image.
            length_penalty, no_repeat_ngram, temperature, top_k, top_p: see `DecodingSettings`.
            sample: bool. Whether to sample captions instead of searching.
            seed: int. Seed of sampling.
            min_length: int. Minimum number of words of a caption.
            max_length: int. Maximum number of tokens of a caption, including the end token.
                Defaults to the preprocessor's sequence length.
            batch_size: int. Maximum number of images decoded together; wide searches use smaller
                batches to limit memory.
            details: bool. Whether to return `Caption` objects with scores, log-probabilities and
                attention instead of strings.

        Returns:
            A string or `Caption` for one image, a list for several.

        Raises:
            ValueError: if an argument is invalid or there is no preprocessor.
        """
        settings = resolve_generation_settings(
            self.preprocessor,
            beams=beams,
            hypotheses=hypotheses,
            length_penalty=length_penalty,
            no_repeat_ngram=no_repeat_ngram,
            sample=sample,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_length=min_length,
            max_length=max_length,
        )
        prompt = self.preprocessor.tokenize_prompts(prompt)
        return self._generator.generate(
            images, settings, prompt, hypotheses, seed, batch_size, details
        )

    def generate_tokens(self, images, settings, special_tokens, noise=None):
        """Generates token ids for preprocessed images, without a preprocessor.

        Args:
            images: float tensor `(batch, height, width, 3)`; or tokens `(batch, tokens, dim)` from
                `encode`.
            settings: `DecodingSettings`.
            special_tokens: `SpecialTokens`.
            noise: float array `(batch, samples, max_length)` of uniform numbers in [0, 1), required
                for sampling.

        Returns:
            Ids `(batch, hypotheses, max_length)` and scores `(batch, hypotheses)`, NumPy arrays.
        """
        return self._generator.generate_tokens(images, settings, special_tokens, noise)

    def reset_compiled_functions(self):
        self._generator.reset()

    def export(
        self,
        folder,
        prompt=None,
        beams=4,
        length_penalty=0.7,
        no_repeat_ngram=0,
        min_length=1,
        max_length=None,
        int8_weights=False,
        manifest=None,
    ):
        """Writes a SavedModel for TensorFlow Serving that maps image files to captions.

        The graph decodes image files, searches and detokenizes, and contains only TensorFlow
        operations. All signatures accept batches of any size:

        | signature | inputs | outputs |
        |---|---|---|
        | `serving_default` | `image_bytes`, strings `(batch,)`: files | `captions`, strings `(batch,)`; `scores`, float32 `(batch,)`; `token_ids`, int32 `(batch, max_length)`; `error_codes` |
        | `caption_pixels` | `images`, float32 `(batch, height, width, 3)`, 0 to 255 | as `serving_default`, without `error_codes` |
        | `hypotheses` | `image_bytes` | `captions`, `scores`, `token_ids` of all beams, `(batch, beams, ...)`; `error_codes` |
        | `features` | `image_bytes` | `features`, float32 `(batch, tokens, dim)`; `error_codes` |
        | `score` | `image_bytes`; `captions`, strings `(batch,)` | `log_probability`, float32 `(batch,)`; `token_ids`, `token_log_probs` `(batch, sequence_length)`; `error_codes` |
        | `attention` | `image_bytes` | `captions`, `token_ids`, `token_log_probs`; `attention`, float32 `(batch, max_length, image tokens)`; `error_codes` |

        `error_codes`, int32 `(batch,)`: 0 valid, 1 empty, 2 not a JPEG, PNG, GIF, WebP or BMP file,
        3 more than 89 million pixels, 4 damaged, 5 unsupported variant of the format. Invalid rows
        have empty captions and do not affect other rows.

        A model of videos receives the sampled frames of each video: `image_bytes` is `(batch,
        frames)`, a file for each frame, and `images` is `(batch, frames, height, width, 3)`. The
        error code of a video is the largest of its frames.

        Args:
            folder: string or path. Versions are written to its subfolders `1`, `2`, ..., with a
                `manifest.json` in each. Nothing is overwritten.
            prompt, beams, length_penalty, no_repeat_ngram, min_length, max_length: see `generate`.
            int8_weights: bool. Whether to store large weights as int8.
            manifest: dict or `None`. Additional entries of the manifest.

        Returns:
            The path of the new version.

        Raises:
            ValueError: if the Keras backend is not TensorFlow, there is no preprocessor, or an
                argument is invalid.
        """  # noqa: E501
        settings = resolve_generation_settings(
            self.preprocessor,
            caller="export",
            prompt=prompt,
            beams=beams,
            length_penalty=length_penalty,
            no_repeat_ngram=no_repeat_ngram,
            min_length=min_length,
            max_length=max_length,
        )
        return export_captioner(self, folder, settings, int8_weights, manifest)

    def with_image_encoder(self, image_encoder):
        """Creates a captioner with another image encoder that shares all other parts.

        Args:
            image_encoder: layer or model whose tokens have the same size.

        Returns:
            A model of the same class, compiled with default settings.
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
