"""Texts and conversations with images, tables, or other items, as inputs of `MultimodalLM`."""

import pathlib
import re

import keras
import keras_hub
import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.models.language.encoded_sample import EncodedSample, pack_samples
from keras_mmfusion.models.language.language_preprocessor import LanguagePreprocessor


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MultimodalPreprocessor(keras_hub.models.Preprocessor):
    """Converts texts with items of other modalities to the inputs of `MultimodalLM`.

    In a text, a marker such as `<image>` stands for an item. It becomes one placeholder token for
    each token that the connector returns for the item. Markers in the content of chat messages are
    text; there, a part `{"type": "image", "image": ...}` is an item.

    Args:
        language_preprocessor: `LanguagePreprocessor` of the language model.
        num_tokens: dict, modality -> int. The number of tokens that the connector returns for an
            item; 1 for gated cross-attention.
        converters: dict, modality -> layer that converts an item to an array. A
            `keras_hub.layers.ImageConverter` receives an image of any type that
            `datasets.read_image` reads. Items without a converter are arrays.
        markers: dict, modality -> string. Defaults to `"<modality>"`. A marker that is a token of
            the vocabulary has its id as the placeholder; other placeholders have the ids after
            those of the vocabulary.
        **kwargs: passed to `keras_hub.models.Preprocessor`.

    Call arguments:
        x: dict of `"prompts"`, a string or list of strings with markers; `"responses"`, the texts
            that follow them and are learned; and modality -> list of the items of each sample, a
            list each. Without `"responses"`, the prompts are learned. For one string, the items of
            a modality are one list.

    Returns:
        A tuple of inputs, targets and sample weights of `MultimodalLM.fit`. Sequences are padded to
        the longest of the batch. Longer ones than the `sequence_length` of `language_preprocessor`
        are truncated.

    Raises:
        ValueError: if the markers do not match the items, if a modality is unknown, or if an item
            would be truncated.

    Example:

    >>> from keras_mmfusion.models import Gpt2Tokenizer
    >>> from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters
    >>> tokenizer = Gpt2Tokenizer([*make_byte_characters(), "<|endoftext|>"], [])
    >>> preprocessor = MultimodalPreprocessor(LanguagePreprocessor(tokenizer), {"table": 2})
    >>> sample = preprocessor.encode_text("a<table>b", {"table": [[0.5, 2.0]]})
    >>> sample.token_ids
    [97, 257, 257, 98]
    """

    def __init__(self, language_preprocessor, num_tokens, converters=None, markers=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(language_preprocessor, LanguagePreprocessor):
            raise ValueError(
                "`language_preprocessor` must be a `LanguagePreprocessor`, such as the "
                f"`preprocessor` of a language model. Received: {language_preprocessor!r}"
            )
        self.language_preprocessor = language_preprocessor
        self.num_tokens = {
            name: check_integer(None, f"num_tokens[{name!r}]", count)
            for name, count in num_tokens.items()
        }
        self.converters = dict(converters or {})
        self.markers = {name: f"<{name}>" for name in self.num_tokens} | dict(markers or {})
        for argument in (self.converters, self.markers):
            for name in argument:
                self._check_modality(name)
        self._placeholders = None

    @property
    def tokenizer(self):
        return self.language_preprocessor.tokenizer

    @property
    def sequence_length(self):
        return self.language_preprocessor.sequence_length

    @property
    def placeholders(self):
        """Dict, modality -> id of its placeholder token."""
        if self._placeholders is None:
            vocabulary = set(self.tokenizer.get_vocabulary())
            following, placeholders = len(vocabulary), {}
            for name, marker in self.markers.items():
                if marker in vocabulary:
                    placeholders[name] = self.tokenizer.token_to_id(marker)
                else:
                    placeholders[name], following = following, following + 1
            self._placeholders = placeholders
        return self._placeholders

    def convert_item(self, modality, item):
        """Converts an item to arrays for the encoder, and to its part of the text.

        Subclasses override it for items with several arrays, such as the tiles of an image.

        Args:
            modality: string.
            item: image, array, or other input of the converter.

        Returns:
            A list of arrays, and a list of texts, in which special tokens have their meaning, and
            of ids.
        """
        converter = self.converters.get(modality)
        if isinstance(converter, keras_hub.layers.ImageConverter):
            image = read_image(item, drop_alpha=getattr(converter, "drop_alpha", False))
            item = converter(image[np.newaxis])[0]
        elif converter is not None:
            item = converter(item)
        array = np.asarray(keras.ops.convert_to_numpy(item))
        if array.dtype.kind == "f":
            array = array.astype("float32")
        return [array], [self.placeholders[modality]] * self.num_tokens[modality]

    def encode_text(self, text, items=None, response=None):
        """Converts a text with markers, and the response to it.

        Args:
            text: string.
            items: dict, modality -> list of items, in the order of their markers.
            response: string that the model learns, or `None` to learn the text.

        Returns:
            `EncodedSample`, without an end token.

        Raises:
            ValueError: if the markers do not match the items.
        """
        remaining = {name: list(each) for name, each in (items or {}).items()}
        for name in remaining:
            self._check_modality(name)
        names = {marker: name for name, marker in self.markers.items()}
        pieces, is_learned = [], response is None
        for part in re.split("(" + "|".join(map(re.escape, names)) + ")", text):
            name = names.get(part)
            if name is None:
                pieces.append((part, True, is_learned))
            elif not remaining.get(name):
                raise self._mismatch(text, name, items)
            else:
                pieces.append((name, remaining[name].pop(0)))
        for name, each in remaining.items():
            if each:
                raise self._mismatch(text, name, items)
        if response is not None:
            pieces.append((response, True, True))
        return self._encode(pieces)

    def encode_chat(self, messages, add_generation_prompt=True):
        """Converts a conversation; the answers of the assistant are learned.

        Args:
            messages: list of dicts; see `ChatTemplate.render`. A part `{"type": modality, modality:
                item}` is an item.
            add_generation_prompt: bool. Whether to request an answer at the end.

        Returns:
            `EncodedSample`.

        Raises:
            ValueError: if a message is not valid, a part has an unknown type, or the model has no
                chat template.
        """
        template = self.language_preprocessor.chat_template
        if template is None:
            raise ValueError(
                "The model has no chat template. Set "
                "`preprocessor.language_preprocessor.chat_template`, for example to "
                "`ChatTemplate()`."
            )
        pieces = []
        for piece in template.render(messages, add_generation_prompt):
            if piece.part is None:
                pieces.append((piece.text, piece.is_template, piece.is_answer))
                continue
            name = piece.part["type"]
            self._check_modality(name)
            if name not in piece.part:
                raise ValueError(
                    f"A part of the type {name!r} must have an entry {name!r}, the item. "
                    f"Received: {piece.part!r}"
                )
            pieces.append((name, piece.part[name]))
        return self._encode(pieces)

    def _encode(self, pieces):
        """Encodes tuples `(text, is trusted, is learned)` and `(modality, item)`."""
        sample, spans, learned = EncodedSample([], [], {}), [], None

        def flush():
            ids = self.tokenizer.split_spans(spans)
            sample.token_ids.extend(ids)
            sample.is_answer.extend([bool(learned)] * len(ids))
            spans.clear()

        for first, *rest in pieces:
            if len(rest) == 2:
                if rest[1] != learned:
                    flush()
                learned = rest[1]
                spans.append((first, rest[0]))
                continue
            arrays, parts = self.convert_item(first, rest[0])
            sample.items.setdefault(first, []).extend(arrays)
            for part in parts:
                if isinstance(part, str):
                    spans.append((part, True))
                    continue
                flush()
                sample.token_ids.append(part)
                sample.is_answer.append(False)
        flush()
        return sample

    def pack(self, samples, length=None):
        """Pads and stacks samples; see `pack_samples`. `length` defaults to that of the longest."""
        length = length or max(map(len, samples))
        return pack_samples(samples, length, self.tokenizer.pad_token_id)

    def make_batch(self, samples, length=None):
        """Makes a batch for `fit`.

        Args:
            samples: list of `EncodedSample`s.
            length: int. The number of tokens of the inputs. Defaults to that of the longest sample.

        Returns:
            A tuple of inputs, targets (the next token ids) and sample weights, 1 for the tokens of
            answers.
        """
        samples = [self.truncate(sample, self.sequence_length + 1) for sample in samples]
        inputs = self.pack(samples, length and length + 1)
        targets = inputs["token_ids"][:, 1:]
        weights = np.zeros(targets.shape, "float32")
        for row, sample in enumerate(samples):
            weights[row, : len(sample) - 1] = sample.is_answer[1:]
        for name in ("token_ids", "padding_mask"):
            inputs[name] = inputs[name][:, :-1]
        return inputs, targets, weights

    def truncate(self, sample, length):
        """Truncates a sample to a number of tokens, or raises an error if an item would be lost."""
        if len(sample) <= length:
            return sample
        if set(sample.token_ids[length:]) & set(self.placeholders.values()):
            raise ValueError(
                f"A sample has {len(sample)} tokens, and truncating it to {length} would remove "
                "tokens of an item. Use fewer or smaller items, or a larger `sequence_length`."
            )
        return EncodedSample(sample.token_ids[:length], sample.is_answer[:length], sample.items)

    def build(self, x_shape):
        """Does nothing: only the tokenizer of `language_preprocessor` is used."""

    def call(self, x, y=None, sample_weight=None):
        samples = self.encode_batch(x)
        if self.language_preprocessor.add_end_token:
            for sample in samples:
                sample.token_ids.append(self.tokenizer.end_token_id)
                sample.is_answer.append(True)
        return self.make_batch(samples)

    def encode_batch(self, x):
        """Converts the raw inputs of a batch to a list of `EncodedSample`s; see the class."""
        x = dict(x)
        prompts, responses = x.pop("prompts"), x.pop("responses", None)
        if isinstance(prompts, str):
            prompts, responses = [prompts], None if responses is None else [responses]
            x = {name: [items] for name, items in x.items()}
        prompts = [_to_text(prompt, "prompts") for prompt in prompts]
        responses = [None] * len(prompts) if responses is None else list(responses)
        for name, values in {"responses": responses, **x}.items():
            if len(values) != len(prompts):
                raise ValueError(
                    f"`{name}` must have an entry for each of {len(prompts)} prompts. Received "
                    f"{len(values)} entries."
                )
        return [
            self.encode_text(
                prompt,
                {name: [] if items[i] is None else items[i] for name, items in x.items()},
                None if responses[i] is None else _to_text(responses[i], "responses"),
            )
            for i, prompt in enumerate(prompts)
        ]

    def _check_modality(self, name):
        if name not in self.num_tokens:
            raise ValueError(
                f"Modality {name!r} is unknown. The modalities are: "
                f"{', '.join(map(repr, self.num_tokens))}."
            )

    def _mismatch(self, text, name, items):
        marker, count = self.markers[name], len((items or {}).get(name, ()))
        return ValueError(
            f"A text must have a marker {marker!r} for each item of {name!r}. Received "
            f"{text.count(marker)} markers and {count} items: {text!r}"
        )

    def save_to_preset(self, preset_dir):
        super().save_to_preset(preset_dir)
        # KerasHub saves the parts under the same name.
        config = keras.saving.serialize_keras_object(self)
        write_json(config, pathlib.Path(preset_dir) / self.config_file)

    def get_config(self):
        config = super().get_config()
        config.pop("tokenizer", None)
        serialize = keras.saving.serialize_keras_object
        return {
            **config,
            "language_preprocessor": serialize(self.language_preprocessor),
            "num_tokens": self.num_tokens,
            "converters": {name: serialize(each) for name, each in self.converters.items()},
            "markers": self.markers,
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        converters = config["converters"]
        parts = {
            "language_preprocessor": deserialize(config["language_preprocessor"]),
            "converters": {name: deserialize(each) for name, each in converters.items()},
        }
        return cls(**{**config, **parts})


def _to_text(value, argument):
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise ValueError(f"`{argument}` must be strings. Received: {value!r}")
    return str(value)
