"""Raw images and captions to what a captioning model trains on and generates from."""

import keras
import numpy as np
from keras_hub.layers import ImageConverter
from keras_hub.models import Preprocessor

from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.encoders.image_encoder import ImageEncoder
from keras_mmfusion.models.captioning.decoding.decoding_arguments import checked_integer
from keras_mmfusion.models.captioning.decoding.decoding_settings import SpecialTokens
from keras_mmfusion.models.captioning.word_tokenizer import WordTokenizer

_NO_WORDS = (
    "No caption of `captions` has a word that the tokenizer knows, so that there is nothing to "
    "learn: check that the captions are in the language of its vocabulary."
)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CaptioningPreprocessor(Preprocessor):
    """Prepares images and captions for an image captioning model.

    With `w` the ids of a caption's words and `L = sequence_length`, the caption becomes

        inputs   [START] w_1 ... w_n [END] [PAD] ...     (the first L)
        targets  w_1 ... w_n [END] [PAD] [PAD] ...       (the first L)
        weights  1   ... 1   1     0     0    ...

    A caption of `L` words or more is cut and then has no `[END]`. A caption without a word, such
    as the empty strings that fill up a batch, has only zero weights.

    Calls work eagerly on every backend, without TensorFlow, and inside `tf.data`.

    Args:
        tokenizer: a `WordTokenizer` or any tokenizer with `start_token_id`, `end_token_id` and
            `pad_token_id`.
        image_converter: a `keras_hub.layers.ImageConverter`: resizes and scales the images.
        sequence_length: int. The number of input and of target ids of a caption.
        **kwargs: passed to `keras_hub.models.Preprocessor`.

    Call arguments:
        x: dict with `"images"`, `(height, width, 3)` or `(batch, height, width, 3)` with values
            from 0 to 255, and `"captions"`, strings of shape `()`, `(captions,)`, `(batch,)` or
            `(batch, captions)`.
        y: must be `None`; the targets are made here.
        sample_weight: optional weights of the captions, of the captions' shape or its leading
            part (such as one for each image).

    Returns:
        A tuple `(x, y, sample_weight)`: `x` a dict of float `"images"` and int32 `"captions"`
        ids, `y` int32 target ids, `sample_weight` float32; the last three of shape
        `(..., sequence_length)`, with `...` the captions' shape.

    Raises:
        ValueError: if `x` is not such a dict, `y` is given, the arguments are unfit, or none of a
            batch's captions has a word that the tokenizer knows (inside `tf.data`, TensorFlow's
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

    # With these, `from_preset` finds the preprocessor in a model's preset folder.
    backbone_cls = ImageEncoder
    tokenizer_cls = WordTokenizer
    image_converter_cls = ImageConverter

    def __init__(self, tokenizer, image_converter, sequence_length=24, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(sequence_length, int) or sequence_length < 1:
            raise ValueError(
                f"`sequence_length` must be a positive int. Received: {sequence_length!r}"
            )
        self.tokenizer = tokenizer
        self.image_converter = image_converter
        self.sequence_length = sequence_length

    def call(self, x, y=None, sample_weight=None):
        if not isinstance(x, dict) or not {"images", "captions"} <= x.keys():
            received = sorted(x) if isinstance(x, dict) else type(x)
            raise ValueError(
                "`x` must be a dict with 'images' and 'captions'. "
                f"Received: {received}. For images alone use `generate_preprocess`."
            )
        if y is not None:
            raise ValueError(
                "`y` must be None: the targets are made from the captions in `x`. "
                f"Received: {type(y)}"
            )
        images = self.generate_preprocess(x["images"])
        pack, check = self.pack_captions, self._check_words
        if self._use_tf_workflow():
            pack, check = self.pack_captions_tensor, self._check_words_tensor
        inputs, targets, weights = pack(x["captions"], sample_weight)
        targets = check(x["captions"], targets)
        return {"images": images, "captions": inputs}, targets, weights

    def generate_preprocess(self, images):
        """Resizes and scales images as training does.

        Args:
            images: `(height, width, 3)` or `(batch, height, width, 3)` array or tensor with
                values from 0 to 255, or a list of images of different sizes.

        Returns:
            Float images of the image converter's size, with the batch axis if there was one.
        """
        if self._use_tf_workflow():
            import tensorflow as tf

            # As float from here on, so that resizing rounds nothing, in any workflow.
            return self.image_converter(tf.cast(images, "float32"))
        if isinstance(images, (list, tuple)):
            return keras.ops.stack([self.generate_preprocess(image) for image in images])
        if not keras.ops.is_tensor(images):
            images = np.asarray(images)
        return self.image_converter(keras.ops.cast(images, "float32"))

    def generate_postprocess(self, token_ids):
        """Turns generated ids `(..., length)` into strings `(...)`, cut at `[END]`."""
        return self.tokenizer.detokenize(token_ids)

    def checked_max_length(self, max_length):
        """`max_length`, or where it is `None`, the most that there may be."""
        if max_length is None:
            return self.sequence_length
        if checked_integer("max_length", max_length, 1) > self.sequence_length:
            raise ValueError(
                f"`max_length` must be at most {self.sequence_length}, the preprocessor's sequence "
                f"length. Received: {max_length}"
            )
        return max_length

    def special_tokens(self):
        """The ids with a meaning in decoding, as `SpecialTokens`; `[UNK]` is never generated."""
        return SpecialTokens(
            start=self.tokenizer.start_token_id,
            end=self.tokenizer.end_token_id,
            pad=self.tokenizer.pad_token_id,
            blocked=(self.tokenizer.unknown_token_id,),
        )

    def count_known_words(self, targets):
        """How many words of each caption the tokenizer knows.

        Args:
            targets: int array `(..., sequence_length)`, as `pack_captions` makes them.

        Returns:
            Int array `(...)`.
        """
        return (~np.isin(targets, self._special_ids())).sum(axis=-1)

    def _special_ids(self):
        special = self.special_tokens()
        return [special.start, special.end, special.pad, *special.blocked]

    def _check_words(self, captions, targets):
        captions = [_text(caption) for caption in np.asarray(captions).ravel().tolist()]
        written = any(caption.strip() for caption in captions)
        if written and targets.ndim > 1 and not self.count_known_words(targets).any():
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
        fine = are_blank | ~tf.reduce_all(is_special)
        with tf.control_dependencies([tf.debugging.Assert(fine, [_NO_WORDS, captions])]):
            return tf.identity(targets)

    def pack_captions(self, captions, sample_weight=None):
        """The captions' part of a call, without TensorFlow or images.

        Returns:
            A tuple of NumPy arrays: input ids, target ids and weights; see the class.
        """
        check_texts(captions, "captions")
        try:
            captions = np.asarray(captions)
        except ValueError as error:
            raise ValueError(
                "`captions` must have equally many captions for each image; fill up with empty "
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
            given = np.asarray(keras.ops.convert_to_numpy(sample_weight), "float32")
            weights = weights * given.reshape(given.shape + (1,) * (len(shape) - given.ndim))
        return inputs.reshape(shape), targets.reshape(shape), weights

    def pack_captions_tensor(self, captions, sample_weight=None):
        """The captions' part of a call, by TensorFlow operations: see `pack_captions`."""
        import tensorflow as tf

        if not tf.is_tensor(captions):
            check_texts(captions, "captions")
        captions = tf.convert_to_tensor(captions)
        tokens = self.tokenizer(tf.reshape(captions, [-1]))
        rows, length = tokens.nrows(), self.sequence_length
        pad, counts = self.tokenizer.pad_token_id, tokens.row_lengths()[:, None]
        targets = tokens.to_tensor(pad, shape=[None, length])
        places = tf.range(length, dtype=counts.dtype)[None]
        is_end = (places == counts) & (counts > 0)
        targets = tf.where(is_end, self.tokenizer.end_token_id, targets)
        weights = tf.cast((places < counts) | is_end, "float32")
        start = tf.fill([rows, 1], tf.constant(self.tokenizer.start_token_id, targets.dtype))
        inputs = tf.concat([start, targets[:, :-1]], axis=1)
        shape = tf.concat([tf.shape(captions), [length]], axis=0)
        static_shape = [*captions.shape, length]
        inputs, targets, weights = (
            tf.ensure_shape(tf.reshape(packed, shape), static_shape)
            for packed in (inputs, targets, weights)
        )
        if sample_weight is not None:
            given = tf.cast(sample_weight, "float32")
            for _ in range(len(static_shape) - given.shape.rank):
                given = given[..., None]
            weights *= given
        return inputs, targets, weights

    def get_config(self):
        return {**super().get_config(), "sequence_length": self.sequence_length}


def _text(caption):
    return caption.decode("utf-8", "replace") if isinstance(caption, bytes) else caption
