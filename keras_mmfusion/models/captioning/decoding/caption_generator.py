import dataclasses
import itertools

import keras
import numpy as np
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.models.captioning.decoding.beam_search import beam_search
from keras_mmfusion.models.captioning.decoding.caption import Caption
from keras_mmfusion.models.captioning.decoding.decoding_arguments import compute_max_batch
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)
from keras_mmfusion.models.captioning.decoding.greedy_search import greedy_search
from keras_mmfusion.models.captioning.decoding.image_batches import preprocess_images
from keras_mmfusion.models.captioning.decoding.prompts import drop_prompts, pack_prompts
from keras_mmfusion.models.captioning.decoding.sampling import sample_captions
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.question_answering.question_answering_model import Answer


class CaptionGenerator:
    """Runs the search of a captioner in compiled functions, one for each decoding setting.

    Args:
        model: `Captioner`.
    """

    def __init__(self, model):
        self.model = model
        self.reset()

    def reset(self):
        """Discards the compiled functions, as required after changes of the model."""
        self._functions = {}

    def generate(
        self,
        images,
        settings,
        prompt=(),
        hypotheses=1,
        seed=None,
        batch_size=32,
        details=False,
        as_answers=False,
    ):
        """Generates captions; see `Captioner.generate`.

        Args:
            images, hypotheses, seed, batch_size, details: see `Captioner.generate`.
            settings: `DecodingSettings` without a prompt.
            prompt: see `preprocess_images`.
            as_answers: bool. Whether to return a list of `Answer`s for each image, without the
                prompts.
        """
        if seed is not None:
            seed = check_integer(None, "seed", seed, 0)
        rng = np.random.default_rng(seed)
        batch_size = check_integer(None, "batch_size", batch_size)
        batch_size = min(batch_size, compute_max_batch(settings.samples or settings.beams))
        for each in prompt if isinstance(prompt, list) else [prompt]:
            settings.check_prompt(each)
        batches, single = preprocess_images(
            images,
            prompt,
            self.model.preprocessor,
            batch_size,
            self.model.num_frames,
            self.model.encodes_only_videos,
        )
        captions = []
        for batch, prompts in batches:
            captions += self._generate_batch(
                batch, prompts, settings, hypotheses, rng, details, as_answers
            )
        return captions[0] if single else captions

    def generate_tokens(self, images, settings, special, noise=None, prompts=None):
        """Generates token ids; see `Captioner.generate_tokens`."""
        is_encoded = len(images.shape) == 3
        image_tokens = images if is_encoded else self._encode(images)
        search = self.compile(
            (settings, special, prompts is None),
            SearchFunction(self.model, settings, special),
            self.model._jit_compile_search,
        )
        ids, scores = search(*(x for x in (image_tokens, noise, prompts) if x is not None))
        return ops.convert_to_numpy(ids), ops.convert_to_numpy(scores)

    def _encode(self, images):
        encode = self.compile("encode", _EncodeFunction(self.model))
        return encode(images)

    def compile(self, key, function, jit_compile=False):
        """Compiles `function` once for each key and compute dtype."""
        key = (key, self.model.compute_dtype)
        if key not in self._functions:
            self._functions[key] = compile_function(self.model, function, jit_compile)
        return self._functions[key]

    def _generate_batch(self, images, prompts, settings, hypotheses, rng, details, as_answers):
        special = self.model.preprocessor.get_special_tokens()
        noise = None
        count = len(images)
        if settings.samples:
            shape = (count, settings.samples, settings.max_length)
            noise = pad_batch(rng.random(shape).astype("float32"))
        forced = None
        if any(prompts):
            # Of the same length in every batch, so that the search is compiled once.
            forced = pad_batch(pack_prompts(prompts, settings.max_length))
        ids, scores = self.generate_tokens(pad_batch(images), settings, special, noise, forced)
        ids, scores = ids[:count, :hypotheses], scores[:count, :hypotheses]
        if as_answers:
            return self._make_answers(ids, scores, prompts, settings)
        texts = self.model.preprocessor.generate_postprocess(ids.reshape(-1, ids.shape[-1]))
        results = texts
        if details:
            results = self._add_details(images, ids, scores.reshape(-1), texts)
        if hypotheses == 1:
            return list(results)
        return [results[i : i + hypotheses] for i in range(0, len(results), hypotheses)]

    def _make_answers(self, ids, scores, prompts, settings):
        """Returns the texts after the prompts and their probabilities, a list for each image."""
        special = self.model.preprocessor.get_special_tokens()
        ids = drop_prompts(ids, prompts, special.pad)
        counts = ops.convert_to_numpy(special.mask_tokens(ids)).sum(axis=-1)
        probabilities = np.exp(scores * np.maximum(counts, 1) ** settings.length_penalty)
        texts = self.model.preprocessor.generate_postprocess(ids.reshape(-1, ids.shape[-1]))
        answers = map(Answer, texts, probabilities.ravel().tolist())
        return [list(itertools.islice(answers, ids.shape[1])) for _ in ids]

    def _add_details(self, images, ids, scores, texts):
        """Computes log-probabilities and attention in another pass over the finished captions."""
        details = self.compile(("details", ids.shape[1:]), _DetailsFunction(self.model))
        log_probs, attention = map(
            ops.convert_to_numpy, details(images, self._prepend_start(ids), ids)
        )
        tokenizer = self.model.preprocessor.tokenizer
        special = self.model.preprocessor.get_special_tokens()
        lengths = ops.convert_to_numpy(special.mask_tokens(ids)).sum(axis=-1)
        attention = _arrange_on_grid(attention, getattr(self.model.image_encoder, "grid", None))
        captions = []
        for row, (text, score) in enumerate(zip(texts, scores, strict=True)):
            image, rank = divmod(row, ids.shape[1])
            length = lengths[image, rank]
            captions.append(
                Caption(
                    text=text,
                    score=float(score),
                    tokens=[tokenizer.id_to_token(int(i)) for i in ids[image, rank, :length]],
                    token_log_probs=log_probs[image, rank, :length],
                    attention=attention[image, rank, :length],
                )
            )
        return captions

    def _prepend_start(self, ids):
        start = np.full((*ids.shape[:2], 1), self.model.preprocessor.tokenizer.start_token_id)
        return np.concatenate([start, ids[:, :, :-1]], axis=-1).astype("int32")


def pad_batch(batch):
    """Pads a batch to a power of two by repeating its first row.

    Functions are compiled for each batch size, so this limits the number of sizes.
    """
    size = 2 ** (len(batch) - 1).bit_length()
    return np.concatenate([batch, np.repeat(batch[:1], size - len(batch), axis=0)])


def _arrange_on_grid(attention, grid):
    """Arranges attention `(..., image_tokens)` as maps `(..., rows, columns)` that sum to 1.

    The tokens before the grid, such as a class token, are omitted. Several grids, such as those of
    the frames of a video, are placed side by side.
    """
    shape, tokens = attention.shape[:-1], attention.shape[-1]
    rows, columns = grid or (1, tokens)
    frames = max(tokens // (rows * columns), 1)
    attention = attention.reshape(*shape, frames, -1)[..., -rows * columns :]
    maps = attention.reshape(*shape, frames, rows, columns)
    maps = np.moveaxis(maps, -3, -2).reshape(*shape, rows, frames * columns)
    total = maps.sum(axis=(-2, -1), keepdims=True)
    return maps / np.where(total > 0, total, 1)


@dataclasses.dataclass(frozen=True)
class _EncodeFunction:
    model: keras.Model

    def __call__(self, images):
        return self.model.encode(images, training=False)


@dataclasses.dataclass(frozen=True)
class SearchFunction:
    model: keras.Model
    settings: DecodingSettings
    special: SpecialTokens

    def __call__(self, image_tokens, *inputs):
        """`inputs` are the noise, for sampling only, and the prompts, if there are any."""
        settings, inputs = self.settings, list(inputs)
        noise = inputs.pop(0) if settings.samples else None
        prompts = inputs.pop(0) if inputs else None
        step, cache = self.model._build_step(
            image_tokens, settings.max_length, settings.samples or settings.beams
        )
        if settings.samples:
            return sample_captions(step, cache, noise, settings, self.special, prompts)
        search = greedy_search if settings.beams == 1 else beam_search
        return search(step, cache, ops.shape(image_tokens)[0], settings, self.special, prompts)


@dataclasses.dataclass(frozen=True)
class _DetailsFunction:
    model: keras.Model

    def __call__(self, images, inputs, targets):
        image_tokens = self.model.encode(images, training=False)
        return compute_token_log_probs(self.model, image_tokens, inputs, targets)


def compute_token_log_probs(model, image_tokens, inputs, targets):
    """Computes the log-probabilities of given captions and the attention over the image.

    Args:
        model: `Captioner`.
        image_tokens: float tensor `(batch, tokens, dim)`, from `model.encode`.
        inputs: int tensor `(batch, [captions,] tokens)` that begins with the start token.
        targets: int tensor of the same shape: the next token at each position.

    Returns:
        Float32 log-probabilities of the same shape, and the attention scores of `model.decode`.
    """
    logits, attention = model.decode(
        image_tokens, inputs, return_attention_scores=True, training=False
    )
    log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    log_probs = ops.take_along_axis(log_probs, ops.expand_dims(targets, -1), axis=-1)
    return ops.squeeze(log_probs, -1), attention
