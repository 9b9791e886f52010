"""Preprocessing of images and sentences for contrastive models."""

import warnings

import keras
import numpy as np
from keras_hub.layers import ImageConverter
from keras_hub.models import BertTokenizer, Preprocessor

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import uses_tensorflow_operations
from keras_mmfusion.datasets.io.check_texts import check_texts
from keras_mmfusion.encoders.image_encoder import ImageEncoder


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class RetrievalPreprocessor(Preprocessor):
    """Preprocesses images and sentences for a `ContrastiveModel`.

    A sentence with the word pieces `w_1 ... w_n` becomes

        token_ids      [CLS] w_1 ... w_n [SEP] [PAD] ...
        padding_mask   1     1   ... 1   1     0     ...

    with `sequence_length` entries each; longer sentences are truncated before `[SEP]`. Calls work
    eagerly on every backend, without TensorFlow, and inside `tf.data`.

    Args:
        tokenizer: a `keras_hub.tokenizers.BertTokenizer`, or another tokenizer with
            `pad_token_id`, `sep_token_id` or `end_token_id`, and optionally `cls_token_id` or
            `start_token_id`.
        image_converter: a `keras_hub.layers.ImageConverter`: resizes and scales the images.
        sequence_length: int. Number of token ids of a sentence.
        mask_padding: bool. Whether the mask excludes the padding. `False` for models such as
            SigLIP that were trained to attend to it: the mask is then true everywhere.
        **kwargs: passed to `keras_hub.models.Preprocessor`.

    Call arguments:
        x: dict of `"image"`, `(batch, height, width, 3)` with values from 0 to 255, and `"text"`,
            strings `(batch,)`, or one of them.
        y: must be `None`: the pairs define the target.
        sample_weight: optional weights of the pairs, `(batch,)`.

    Returns:
        `x`, or a tuple `(x, None, sample_weight)` if there are weights: a dict of float
        `"image"`, and `"text"`, a dict of int32 `"token_ids"` and `"padding_mask"`. (The mask is an
        integer, as Keras sums batches over the replicas of `tf.distribute`.)

    Raises:
        ValueError: if `x` is not such a dict, or `y` is not `None`.

    Example:

    >>> import numpy as np
    >>> from keras_hub.layers import ImageConverter
    >>> from keras_hub.tokenizers import BertTokenizer
    >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "run", "##s"]
    >>> preprocessor = RetrievalPreprocessor(
    ...     BertTokenizer(words, lowercase=True),
    ...     ImageConverter(image_size=(4, 4), scale=1 / 128, offset=-127 / 128),
    ...     sequence_length=7,
    ... )
    >>> x = preprocessor({"image": np.zeros((1, 8, 8, 3), "uint8"), "text": ["A dog runs"]})
    >>> x["text"]["token_ids"].tolist()
    [[2, 5, 6, 7, 8, 3, 0]]
    """

    # `from_preset` needs these to find the preprocessor in a preset folder.
    backbone_cls = ImageEncoder
    tokenizer_cls = BertTokenizer
    image_converter_cls = ImageConverter

    def __init__(self, tokenizer, image_converter, sequence_length=32, mask_padding=True, **kwargs):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer
        self.image_converter = image_converter
        self.sequence_length = check_integer(None, "sequence_length", sequence_length, minimum=3)
        self.mask_padding = bool(mask_padding)
        self.built = True

    def call(self, x, y=None, sample_weight=None):
        if not isinstance(x, dict) or not x or not x.keys() <= {"image", "text"}:
            received = sorted(x) if isinstance(x, dict) else type(x)
            raise ValueError(
                f"`x` must be a dict with 'image', 'text' or both. Received: {received}"
            )
        if y is not None:
            raise ValueError(f"`y` must be None: the pairs define the target. Received: {type(y)}")
        prepared = {}
        if "image" in x:
            prepared["image"] = self._prepare_images(x["image"])
        if "text" in x:
            pack = self._pack_tensor if uses_tensorflow_operations(self) else self._pack
            prepared["text"] = pack(x["text"])
        return prepared if sample_weight is None else (prepared, None, sample_weight)

    def _prepare_images(self, images):
        if uses_tensorflow_operations(self):
            import tensorflow as tf

            # Cast first, so that resizing does not round.
            return self.image_converter(tf.cast(images, "float32"))
        if isinstance(images, (list, tuple)):  # They may have different sizes.
            return keras.ops.stack([self._prepare_images(np.asarray(image)) for image in images])
        if not keras.ops.is_tensor(images):
            images = np.asarray(images)
        return self.image_converter(keras.ops.cast(images, "float32"))

    def _pack(self, sentences):
        check_texts(sentences, "text")
        sentences = [
            s.decode("utf-8") if isinstance(s, bytes) else s
            for s in np.asarray(sentences).ravel().tolist()
        ]
        shape = (len(sentences), self.sequence_length)
        ids = np.full(shape, self.tokenizer.pad_token_id, "int32")
        mask = np.full(shape, int(not self.mask_padding), "int32")
        start, end = self._start_and_end()
        if sentences:
            unknown, unknown_texts = self._unknown_id(), []
            for row, words in enumerate(self.tokenizer(sentences)):
                words = [int(word) for word in words]
                if not set(words) - {unknown}:
                    unknown_texts.append(sentences[row])
                words = words[: self.sequence_length - len(start) - len(end)]
                words = [*start, *words, *end]
                ids[row, : len(words)] = words
                mask[row, : len(words)] = 1
            if unknown_texts:
                warnings.warn(
                    f"{len(unknown_texts)} of {len(sentences)} texts have no word in the "
                    "vocabulary, so that their embeddings are meaningless, such as "
                    f"{unknown_texts[:3]!r:.300}",
                    stacklevel=2,
                )
        return {"token_ids": ids, "padding_mask": mask}

    def _start_and_end(self):
        """Returns the ids before the words and after them, two lists."""

        def find(*names):
            ids = (getattr(self.tokenizer, name, None) for name in names)
            return [each for each in ids if each is not None][:1]

        return find("cls_token_id", "start_token_id"), find("sep_token_id", "end_token_id")

    def _unknown_id(self):
        """Returns the id of unknown words, or `None` if the tokenizer has none."""
        token = getattr(self.tokenizer, "oov_token", None)
        return None if token is None else self.tokenizer.token_to_id(token)

    def _pack_tensor(self, sentences):
        import tensorflow as tf

        if not tf.is_tensor(sentences):
            check_texts(sentences, "text")
        words = self.tokenizer(tf.reshape(tf.convert_to_tensor(sentences), [-1]))
        start, end = self._start_and_end()
        words = words[:, : self.sequence_length - len(start) - len(end)]
        ones = tf.ones([words.nrows(), 1], words.dtype)
        words = tf.concat([*(ones * i for i in start), words, *(ones * i for i in end)], axis=1)
        ids = words.to_tensor(self.tokenizer.pad_token_id, shape=[None, self.sequence_length])
        positions = tf.range(self.sequence_length, dtype=words.row_lengths().dtype)
        mask = tf.cast(positions < words.row_lengths()[:, None], "int32")
        if not self.mask_padding:
            mask = tf.ones_like(mask)
        return {"token_ids": ids, "padding_mask": mask}

    def get_config(self):
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "mask_padding": self.mask_padding,
        }
