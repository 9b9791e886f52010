"""Preprocessing of images and captions for training and generation."""

import keras
import numpy as np
from keras_hub.layers import ImageConverter
from keras_hub.models import Preprocessor

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.encoders.image_encoder import ImageEncoder
from keras_mmfusion.models.captioning.decoding.decoding_settings import SpecialTokens
from keras_mmfusion.models.captioning.word_tokenizer import WordTokenizer
from keras_mmfusion.models.convert_frames import convert_frames

_NO_WORDS = (
    "None of the `captions` contains a word of the tokenizer's vocabulary, so there is nothing to "
    "learn. Check that the captions are in the language of the vocabulary."
)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CaptioningPreprocessor(Preprocessor):
    """Preprocesses images and captions for an image captioning model.

    With `w` the ids of a caption's words and `L = sequence_length`, the caption becomes

        inputs   [START] w_1 ... w_n [END] [PAD] ...     (the first L)
        targets  w_1 ... w_n [END] [PAD] [PAD] ...       (the first L)
        weights  1   ... 1   1     0     0    ...

    A caption of `L` or more words is truncated and has no `[END]`. A caption without words, such
    as an empty string that pads a batch, has only zero weights.

    Calls work eagerly on every backend, without TensorFlow, and inside `tf.data`.

    Args:
        tokenizer: a `WordTokenizer` or any tokenizer with `start_token_id`, `end_token_id` and
            `pad_token_id`.
        image_converter: a `keras_hub.layers.ImageConverter` that resizes and scales the images.
        sequence_length: int. The number of input ids, and of target ids, of a caption.
        **kwargs: passed to `keras_hub.models.Preprocessor`.

    Call arguments:
        x: dict with `"images"`, `(height, width, 3)` or `(batch, height, width, 3)` with values
            from 0 to 255, and `"captions"`, strings of shape `()`, `(captions,)`, `(batch,)` or
            `(batch, captions)`.
        y: must be `None`; the targets are computed from the captions.
        sample_weight: optional weights of the captions, with the shape of `captions` or its
            leading axes (such as one weight for each image).

    Returns:
        A tuple `(x, y, sample_weight)`: `x` is a dict of float `"images"` and int32 `"captions"`
        ids, `y` int32 target ids, `sample_weight` float32. The ids and weights have shape
        `(..., sequence_length)`, where `...` is the shape of the captions.

    Raises:
        ValueError: if `x` is not such a dict, `y` is given, an argument is invalid, or no caption
            of a batch contains a word of the vocabulary (inside `tf.data`, TensorFlow raises an
            `InvalidArgumentError`).

    Example:

    >>> import numpy as np
    >>> from keras_hub.layers import ImageConverter
    >>> preprocessor = CaptioningPreprocessor(
    ...     WordTokenizer.from_captions(["a dog runs"], min_count=1),
    ...     ImageConverter(image_size=(4, 4), scale=1 / 128, offset=-127 / 128),
    ...     sequence_length=5,
    ... )
    >>> images = np.zeros((1, 8, 8, 3), "uint8")
    >>> x, y, sample_weight = preprocessor({"images": images, "captions": ["a dog"]})
    >>> x["captions"].tolist(), y.tolist(), sample_weight.tolist()
    ([[1, 4, 5, 2, 0]], [[4, 5, 2, 0, 0]], [[1.0, 1.0, 1.0, 0.0, 0.0]])
    >>> preprocessor.generate_postprocess([[4, 5, 2, 0, 0]])
    ['a dog']
    """

    # `from_preset` uses these to find the preprocessor in a model's preset folder.
    backbone_cls = ImageEncoder
    tokenizer_cls = WordTokenizer
    image_converter_cls = ImageConverter

    def __init__(self, tokenizer, image_converter, sequence_length=24, **kwargs):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer
        self.image_converter = image_converter
        self.sequence_length = check_integer(self, "sequence_length", sequence_length)

    def call(self, x, y=None, sample_weight=None):
        if not isinstance(x, dict) or not {"images", "captions"} <= x.keys():
            received = sorted(x) if isinstance(x, dict) else type(x)
            raise ValueError(
                "`x` must be a dict with 'images' and 'captions'. "
                f"Received: {received}. For images alone use `generate_preprocess`."
            )
        if y is not None:
            raise ValueError(
                "`y` must be None: the targets are computed from the captions in `x`. "
                f"Received: {type(y)}"
            )
        images = self.generate_preprocess(x["images"])
        pack, check = self.pack_captions, self._check_words
        if uses_tensorflow_operations(self):
            pack, check = self.pack_captions_tensor, self._check_words_tensor
        inputs, targets, weights = pack(x["captions"], sample_weight)
        targets = check(x["captions"], targets)
        return {"images": images, "captions": inputs}, targets, weights

    def generate_preprocess(self, images):
        """Resizes and scales images, as in training.

        Args:
            images: `(height, width, 3)` or `(batch, height, width, 3)` array or tensor with
                values from 0 to 255, or a list of images of different sizes; or videos
                `(batch, frames, height, width, 3)`.

        Returns:
            Float images of the image converter's size, with the leading axes of `images`.
        """
        if uses_tensorflow_operations(self):
            import tensorflow as tf

            # Cast to float first, so that resizing does not round.
            images = tf.cast(images, "float32")
            shape = [size or tf.shape(images)[i] for i, size in enumerate(images.shape)]
            return convert_frames(self.image_converter, images, tf.reshape, shape)
        if isinstance(images, (list, tuple)):
            return keras.ops.stack([self.generate_preprocess(image) for image in images])
        if not keras.ops.is_tensor(images):
            images = np.asarray(images)
        images = keras.ops.cast(images, "float32")
        return convert_frames(self.image_converter, images, keras.ops.reshape, images.shape)

    def generate_postprocess(self, token_ids):
        """Converts generated ids `(..., length)` to strings `(...)`, up to `[END]`."""
        return self.tokenizer.detokenize(token_ids)

    def check_max_length(self, max_length):
        """Checks a maximum caption length; `None` stands for the sequence length."""
        if max_length is None:
            return self.sequence_length
        if check_integer(None, "max_length", max_length) > self.sequence_length:
            raise ValueError(
                f"`max_length` must be at most {self.sequence_length}, the preprocessor's sequence "
                f"length. Received: {max_length}"
            )
        return max_length

    def tokenize_prompt(self, prompt):
        """Converts the first words of captions to a tuple of ids; `None` to an empty tuple."""
        if prompt is None:
            return ()
        if not isinstance(prompt, str):
            raise ValueError(f"`prompt` must be a string or None. Received: {prompt!r}")
        return tuple(int(token) for token in self.tokenizer([prompt])[0])

    def tokenize_prompts(self, prompts):
        """Converts a prompt as `tokenize_prompt`, or a list of strings to a list of tuples."""
        if prompts is None or isinstance(prompts, str):
            return self.tokenize_prompt(prompts)
        check_texts(prompts, "prompt")
        return [self.tokenize_prompt(prompt) for prompt in np.asarray(prompts).ravel().tolist()]

    def get_special_tokens(self):
        """Returns the tokenizer's `SpecialTokens`; `[UNK]` is never generated."""
        return SpecialTokens(
            start=self.tokenizer.start_token_id,
            end=self.tokenizer.end_token_id,
            pad=self.tokenizer.pad_token_id,
            blocked=(self.tokenizer.unknown_token_id,),
        )

    def count_known_words(self, targets):
        """Counts the words of each caption that are in the vocabulary.

        Args:
            targets: int array `(..., sequence_length)`, the targets of `pack_captions`.

        Returns:
            Int array `(...)`.
        """
        return (~np.isin(targets, self._special_ids())).sum(axis=-1)

    def _special_ids(self):
        special = self.get_special_tokens()
        return [special.start, special.end, special.pad, *special.blocked]

    def _check_words(self, captions, targets):
        captions = [_decode(caption) for caption in np.asarray(captions).ravel().tolist()]
        has_text = any(caption.strip() for caption in captions)
        if has_text and targets.ndim > 1 and not self.count_known_words(targets).any():
            raise ValueError(f"{_NO_WORDS} Received: {captions[:3]!r:.300}")
        return targets

    def _check_words_tensor(self, captions, targets):
        import tensorflow as tf

        if targets.shape.rank == 1:
            return targets
        captions = tf.reshape(tf.convert_to_tensor(captions), [-1])
        is_special = tf.zeros_like(targets, "bool")
        for token_id in self._special_ids():
            is_special |= targets == token_id
        are_blank = tf.reduce_all(tf.strings.strip(captions) == "")
        is_valid = are_blank | ~tf.reduce_all(is_special)
        with tf.control_dependencies([tf.debugging.Assert(is_valid, [_NO_WORDS, captions])]):
            return tf.identity(targets)

    def pack_captions(self, captions, sample_weight=None):
        """Packs captions into ids and weights, without TensorFlow.

        Returns:
            A tuple of NumPy arrays: input ids, target ids and weights; see the class.
        """
        check_texts(captions, "captions")
        try:
            captions = np.asarray(captions)
        except ValueError as error:
            raise ValueError(
                "`captions` must have the same number of captions for each image; pad with empty "
                f"strings. Received: {captions}"
            ) from error
        tokens = self.tokenizer(captions.ravel().tolist())
        targets = np.full((len(tokens), self.sequence_length), self.tokenizer.pad_token_id, "int32")
        weights = np.zeros(targets.shape, "float32")
        for row, ids in enumerate(tokens):
            ids = [*ids, self.tokenizer.end_token_id][: self.sequence_length] if ids else []
            targets[row, : len(ids)] = ids
            weights[row, : len(ids)] = 1
        inputs = np.roll(targets, 1, axis=-1)
        inputs[:, 0] = self.tokenizer.start_token_id
        shape = (*captions.shape, self.sequence_length)
        weights = weights.reshape(shape)
        if sample_weight is not None:
            factors = np.asarray(keras.ops.convert_to_numpy(sample_weight), "float32")
            weights = weights * factors.reshape(factors.shape + (1,) * (len(shape) - factors.ndim))
        return inputs.reshape(shape), targets.reshape(shape), weights

    def pack_captions_tensor(self, captions, sample_weight=None):
        """Implements `pack_captions` with TensorFlow operations."""
        import tensorflow as tf

        if not tf.is_tensor(captions):
            check_texts(captions, "captions")
        captions = tf.convert_to_tensor(captions)
        tokens = self.tokenizer(tf.reshape(captions, [-1]))
        rows, length = tokens.nrows(), self.sequence_length
        pad, counts = self.tokenizer.pad_token_id, tokens.row_lengths()[:, None]
        targets = tokens.to_tensor(pad, shape=[None, length])
        positions = tf.range(length, dtype=counts.dtype)[None]
        is_end = (positions == counts) & (counts > 0)
        targets = tf.where(is_end, self.tokenizer.end_token_id, targets)
        weights = tf.cast((positions < counts) | is_end, "float32")
        start = tf.fill([rows, 1], tf.constant(self.tokenizer.start_token_id, targets.dtype))
        inputs = tf.concat([start, targets[:, :-1]], axis=1)
        shape = tf.concat([tf.shape(captions), [length]], axis=0)
        static_shape = [*captions.shape, length]
        inputs, targets, weights = (
            tf.ensure_shape(tf.reshape(packed, shape), static_shape)
            for packed in (inputs, targets, weights)
        )
        if sample_weight is not None:
            factors = tf.cast(sample_weight, "float32")
            for _ in range(len(static_shape) - factors.shape.rank):
                factors = factors[..., None]
            weights *= factors
        return inputs, targets, weights

    def get_config(self):
        return {**super().get_config(), "sequence_length": self.sequence_length}


def _decode(caption):
    return caption.decode("utf-8", "replace") if isinstance(caption, bytes) else caption
