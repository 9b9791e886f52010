"""Generation of texts in compiled functions."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.models.captioning.decoding.beam_search import beam_search
from keras_mmfusion.models.captioning.decoding.caption_generator import pad_batch
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
    next_log_probs,
)
from keras_mmfusion.models.captioning.decoding.greedy_search import greedy_search
from keras_mmfusion.models.captioning.decoding.sampling import choose_by_noise, sample_captions
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.language.cached_decoding import (
    PromptState,
    build_step,
    process_prompts,
    score_continuations,
)
from keras_mmfusion.models.language.generated_text import GeneratedText

_MIN_LENGTH = 16


class TextGenerator:
    """Runs the searches of a `MultimodalLM` in functions that are compiled once for each shape.

    The lengths of prompts are padded to powers of two and the numbers between them, `1.5 * 2**n`;
    the numbers of prompts and of items are padded to powers of two.

    Args:
        model: `MultimodalLM` with a preprocessor.
    """

    def __init__(self, model):
        self.model = model
        self.reset()

    def reset(self):
        """Discards the compiled functions, as required after changes of the model."""
        self._functions = {}

    @property
    def special(self):
        """The `SpecialTokens` of the model. Placeholders are never generated."""
        tokenizer = self.model.preprocessor.tokenizer
        size = self.model.backbone.vocabulary_size
        blocked = tuple(id for id in self.model.placeholders.values() if id < size)
        end, pad = tokenizer.end_token_id, tokenizer.pad_token_id
        return SpecialTokens(pad, end, pad, blocked, suppress_start_and_pad=False)

    def generate(self, samples, settings, hypotheses, rng, batch_size, details, stop):
        """Generates texts; see `MultimodalLM.generate`.

        Args:
            samples: list of `EncodedSample`s.
            settings: `DecodingSettings`.
            rng: `np.random.Generator` for sampling.
            hypotheses, batch_size, details, stop: see `MultimodalLM.generate`.

        Returns:
            A list with a list of strings or `GeneratedText`s for each sample.
        """
        results = []
        for names, arrays, count in self._make_batches(samples, settings.max_length, batch_size):
            function = _SearchFunction(self.model, names, settings, self.special)
            noise = []
            if settings.samples:
                shape = (count, settings.samples, settings.max_length)
                noise = [pad_batch(rng.random(shape).astype("float32"))]
            ids, scores = self._run(function, *noise, *arrays)
            log_probs = None
            if details:
                function = _ScoreFunction(self.model, names)
                log_probs = self._run(function, ids, *arrays)
            for row in range(count):
                texts = []
                for rank in range(hypotheses):
                    text = self.decode(ids[row, rank], stop)
                    if details:
                        text = self._describe(
                            text, ids[row, rank], scores[row, rank], log_probs[row, rank]
                        )
                    texts.append(text)
                results.append(texts)
        return results

    def stream(self, sample, settings, rng, stop):
        """Yields the pieces of a text as they are generated; see `MultimodalLM.stream`."""
        length = settings.max_length
        ((names, arrays, _),) = self._make_batches([sample], length, 1)
        prompt_length = arrays[names.index("token_ids")].shape[1]
        state = self._compile(_PromptFunction(self.model, names, length))(*arrays)
        step = self._compile(_StepFunction(self.model, settings, self.special, prompt_length))
        tokens = np.full((1, 1, length + 1), self.special.pad, "int32")
        shown = ""
        for index in range(length):
            noise = rng.random((1, 1)).astype("float32")
            chosen, *cache = step(np.array([index], "int32"), noise, tokens, *state)
            state = [*state[: len(state) - len(cache)], *cache]
            chosen = int(ops.convert_to_numpy(chosen)[0, 0])
            tokens[0, 0, index + 1] = chosen
            text = self.decode(tokens[0, 0, 1 : index + 2])
            cut = _find_stop(text, stop)
            text = text[:cut]
            ended = chosen == self.special.end or index == length - 1 or cut is not None
            if not ended:
                text = text[: _count_certain(text, stop)]
            if len(text) > len(shown):
                yield text[len(shown) :]
                shown = text
            if ended:
                return

    def score(self, samples, choices, batch_size):
        """Computes the log-probabilities of choices; see `MultimodalLM.score_choices`."""
        tokenizer, scores = self.model.preprocessor.tokenizer, []
        ids = [[*tokenizer.split_text(choice), self.special.end] for choice in choices]
        length = max(map(len, ids))
        packed = np.full((len(ids), length), self.special.pad, "int32")
        valid = np.zeros(packed.shape, bool)
        for row, each in enumerate(ids):
            packed[row, : len(each)], valid[row, : len(each)] = each, True
        for names, arrays, count in self._make_batches(samples, length, batch_size):
            continuations = np.repeat(packed[np.newaxis], len(arrays[0]), axis=0)
            log_probs = self._run(_ScoreFunction(self.model, names), continuations, *arrays)
            scores.append(np.where(valid, log_probs, 0).sum(axis=-1)[:count])
        return np.concatenate(scores)

    def decode(self, ids, stop=()):
        """Converts generated ids to a text, up to the end token or a stop string."""
        ids = [int(id) for id in ids]
        if self.special.end in ids:
            ids = ids[: ids.index(self.special.end)]
        tokenizer = self.model.preprocessor.tokenizer
        kept = [id for id in ids if id not in tokenizer.special_token_ids]
        kept = [id for id in kept if id < tokenizer.vocabulary_size()]
        text = tokenizer.join_tokens([tokenizer.id_to_token(id) for id in kept])
        return text[: _find_stop(text, stop)]

    def _describe(self, text, ids, score, log_probs):
        length = int(np.sum(ops.convert_to_numpy(self.special.mask_tokens(ids[np.newaxis]))))
        tokenizer = self.model.preprocessor.tokenizer
        tokens = [tokenizer.id_to_token(int(id)) for id in ids[:length]]
        return GeneratedText(text, float(score), tokens, log_probs[:length])

    def _make_batches(self, samples, new_tokens, batch_size):
        """Yields the names and arrays of the inputs of each padded batch, and its size."""
        preprocessor = self.model.preprocessor
        for i, sample in enumerate(samples):
            total = len(sample) + new_tokens
            if not len(sample):
                raise ValueError(f"The prompt {i} is empty. It must have at least one token.")
            if total > preprocessor.sequence_length:
                raise ValueError(
                    f"The prompt {i} has {len(sample)} tokens, and with {new_tokens} new ones it "
                    f"exceeds the `sequence_length` {preprocessor.sequence_length}. Use a shorter "
                    "prompt, fewer items, or a smaller `max_length`."
                )
        for start in range(0, len(samples), batch_size):
            chunk = samples[start : start + batch_size]
            length = _round_up(max(map(len, chunk)))
            inputs = preprocessor.pack(chunk, length)
            for name in self.model.modalities:
                if name in inputs:
                    for key in (name, f"{name}_mask"):
                        inputs[key] = _pad_items(inputs[key])
            yield tuple(inputs), [pad_batch(x) for x in inputs.values()], len(chunk)

    def _run(self, function, *arrays):
        outputs = self._compile(function)(*arrays)
        return keras.tree.map_structure(ops.convert_to_numpy, outputs)

    def _compile(self, function):
        """Compiles a function once for each compute dtype."""
        key = (function, self.model.compute_dtype)
        if key not in self._functions:
            jit_compile = self.model._jit_compile_search
            self._functions[key] = compile_function(self.model, function, jit_compile)
        return self._functions[key]


@dataclasses.dataclass(frozen=True)
class _PromptFunction:
    model: keras.Model
    names: tuple
    new_tokens: int

    def __call__(self, *arrays):
        inputs = dict(zip(self.names, arrays, strict=True))
        return process_prompts(self.model, inputs, self.new_tokens).to_list()


@dataclasses.dataclass(frozen=True)
class _SearchFunction:
    model: keras.Model
    names: tuple
    settings: DecodingSettings
    special: SpecialTokens

    def __call__(self, *arrays):
        """`arrays` are the noise, for sampling only, and the inputs."""
        settings, arrays = self.settings, list(arrays)
        noise = arrays.pop(0) if settings.samples else None
        inputs = dict(zip(self.names, arrays, strict=True))
        state = process_prompts(self.model, inputs, settings.max_length)
        reorders = not settings.samples and settings.beams > 1
        step, cache = build_step(self.model, state, settings.samples or settings.beams, reorders)
        if settings.samples:
            return sample_captions(step, cache, noise, settings, self.special)
        search = beam_search if reorders else greedy_search
        return search(step, cache, ops.shape(inputs["token_ids"])[0], settings, self.special)


@dataclasses.dataclass(frozen=True)
class _StepFunction:
    """Chooses the next token of one text, by its probability or by `noise`."""

    model: keras.Model
    settings: DecodingSettings
    special: SpecialTokens
    prompt_length: int

    def __call__(self, index, noise, tokens, *state):
        num_layers = len(self.model.backbone.transformer_layers)
        state = PromptState.from_list(state, num_layers, self.prompt_length)
        step, cache = build_step(self.model, state, 1, reorders=False)
        index = ops.reshape(index, ())
        logits, cache = step(tokens, index, None, cache)
        log_probs = next_log_probs(logits, tokens, index, self.settings, self.special)
        if self.settings.samples:
            chosen = choose_by_noise(log_probs, noise, self.settings)
        else:
            chosen = ops.cast(ops.argmax(log_probs, axis=-1), "int32")
        return [chosen, *cache]


@dataclasses.dataclass(frozen=True)
class _ScoreFunction:
    model: keras.Model
    names: tuple

    def __call__(self, continuations, *arrays):
        inputs = dict(zip(self.names, arrays, strict=True))
        state = process_prompts(self.model, inputs, continuations.shape[-1])
        return score_continuations(self.model, state, continuations)


def _round_up(length):
    """Returns the next number of the form `2**n` or `1.5 * 2**n`."""
    size = max(_MIN_LENGTH, 2 ** (length - 1).bit_length())
    return size * 3 // 4 if length <= size * 3 // 4 and size > _MIN_LENGTH else size


def _pad_items(array):
    """Pads the second axis to a power of two, with zeros."""
    count = array.shape[1]
    size = 2 ** (count - 1).bit_length()
    return np.pad(array, [(0, 0), (0, size - count), *[(0, 0)] * (array.ndim - 2)])


def _find_stop(text, stop):
    """Returns where the first stop string begins, or `None`."""
    return min((text.index(each) for each in stop if each in text), default=None)


def _count_certain(text, stop):
    """Counts the characters that no later token can change.

    The last ones may be an incomplete character, or the beginning of a stop string.
    """
    text = text.rstrip("\N{REPLACEMENT CHARACTER}")
    for length in range(max(map(len, stop), default=1) - 1, 0, -1):
        if any(each.startswith(text[-length:]) for each in stop if len(text) >= length):
            return len(text) - length
    return len(text)


def resolve_stop(stop):
    """Returns stop strings as a tuple.

    Raises:
        ValueError: if one is not a string, or is empty.
    """
    stop = (stop,) if isinstance(stop, str) else tuple(stop)
    if not all(isinstance(each, str) and each for each in stop):
        raise ValueError(f"`stop` must be strings that are not empty. Received: {stop!r}")
    return stop


def make_rng(seed):
    """Makes a random number generator from an int or `None`."""
    if seed is not None:
        seed = check_integer(None, "seed", seed, 0)
    return np.random.default_rng(seed)
