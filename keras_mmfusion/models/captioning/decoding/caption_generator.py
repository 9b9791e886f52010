import dataclasses

import keras
import numpy as np
from keras import ops

from keras_mmfusion.models.captioning.decoding.beam_search import beam_search
from keras_mmfusion.models.captioning.decoding.caption import Caption
from keras_mmfusion.models.captioning.decoding.decoding_arguments import (
    MAX_BEAMS,
    check_search_width,
    checked_integer,
    images_at_once,
)
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)
from keras_mmfusion.models.captioning.decoding.greedy_search import greedy_search
from keras_mmfusion.models.captioning.decoding.image_batches import image_batches
from keras_mmfusion.models.captioning.decoding.sampling import sample_captions
from keras_mmfusion.models.compiled_function import compile_function


class CaptionGenerator:
    """Runs a captioning model's search in compiled functions, one for each way of decoding.

    Args:
        model: `ImageCaptioningModel`.
    """

    def __init__(self, model):
        self.model = model
        self.reset()

    def reset(self):
        """Forgets the compiled functions, as after a change of the model."""
        self._functions = {}

    def generate(
        self,
        images,
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
        """Captions for images.

        Args:
            images: one image or several: paths, encoded bytes, PIL images, arrays, tensors, or a
                `tf.data.Dataset` of images or of dicts with `"images"`.
            beams: int. Width of the beam search; 1 is greedy. At most 1,024, and at most the size
                of the vocabulary.
            hypotheses: int. Captions to return for each image, best first. With more than one, a
                list of them stands in place of each caption.
            length_penalty: float. See `DecodingSettings`.
            no_repeat_ngram: int. No n-gram of this many words occurs twice.
            sample: bool. Draw captions at random instead of searching.
            temperature, top_k, top_p: of the draw. See `DecodingSettings`.
            seed: int. The same seed gives the same draw.
            min_length: int. Fewest words of a caption.
            max_length: int. Most tokens of a caption, the end included. Defaults to the
                preprocessor's sequence length.
            batch_size: int. Most images decoded together; of a wide search, as many as fit into
                memory.
            details: bool. Return `Caption` objects with scores, log-probabilities and attention.

        Returns:
            For one image a string or `Caption`, for several a list.

        Raises:
            ValueError: if an argument is of another type or out of its range; the message names it.
        """
        model = self.model
        if model.preprocessor is None:
            raise ValueError(
                "`generate` needs a preprocessor, for its tokenizer and image size. Set "
                "`model.preprocessor = CaptioningPreprocessor(...)`, or use `generate_tokens`."
            )
        hypotheses = checked_integer("hypotheses", hypotheses, 1, MAX_BEAMS)
        settings = DecodingSettings(
            max_length=model.preprocessor.checked_max_length(max_length),
            min_length=min_length,
            beams=beams,
            length_penalty=length_penalty,
            no_repeat_ngram=no_repeat_ngram,
            samples=hypotheses if sample else 0,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        if not sample:
            check_search_width(settings.beams, model.preprocessor.tokenizer.vocabulary_size())
            if hypotheses > settings.beams:
                raise ValueError(
                    "`hypotheses` must be at most `beams` in a search. Received: "
                    f"hypotheses={hypotheses}, beams={beams}"
                )
        if seed is not None:
            seed = checked_integer("seed", seed, 0)
        rng = np.random.default_rng(seed)
        batch_size = checked_integer("batch_size", batch_size, 1)
        batch_size = min(batch_size, images_at_once(settings.samples or settings.beams))
        batches, single = image_batches(images, model.preprocessor, batch_size)
        captions = []
        for batch in batches:
            captions += self._generate_batch(batch, settings, hypotheses, rng, details)
        return captions[0] if single else captions

    def generate_tokens(self, images, settings, special, noise=None):
        """Token ids of preprocessed images: the search alone, without text or images files.

        Args:
            images: float tensor `(batch, height, width, 3)`; or the tokens `(batch, tokens, dim)`
                that `model.encode` made of them.
            settings: `DecodingSettings`.
            special: `SpecialTokens`.
            noise: with `settings.samples`, float array `(batch, samples, max_length)` of uniform
                numbers.

        Returns:
            Ids `(batch, hypotheses, max_length)` and scores `(batch, hypotheses)`, NumPy arrays.
        """
        encoded = len(images.shape) == 3
        image_tokens = images if encoded else self._encode(images)
        search = self._function(
            (settings, special),
            SearchFunction(self.model, settings, special),
            self.model.jit_compile_search,
        )
        inputs = (image_tokens,) if noise is None else (image_tokens, noise)
        ids, scores = search(*inputs)
        return ops.convert_to_numpy(ids), ops.convert_to_numpy(scores)

    def _encode(self, images):
        encode = self._function("encode", _EncodeFunction(self.model))
        return encode(images)

    def _function(self, key, function, jit_compile=False):
        """`function` compiled, on the first call for this key and the model's precision."""
        key = (key, self.model.compute_dtype)
        if key not in self._functions:
            self._functions[key] = compile_function(self.model, function, jit_compile)
        return self._functions[key]

    def _generate_batch(self, images, settings, hypotheses, rng, details):
        special = self.model.preprocessor.get_special_tokens()
        noise = None
        count = len(images)
        if settings.samples:
            shape = (count, settings.samples, settings.max_length)
            noise = _padded(rng.random(shape).astype("float32"))
        ids, scores = self.generate_tokens(_padded(images), settings, special, noise)
        ids, scores = ids[:count, :hypotheses], scores[:count, :hypotheses]
        texts = self.model.preprocessor.generate_postprocess(ids.reshape(-1, ids.shape[-1]))
        results = texts
        if details:
            results = self._with_details(images, ids, scores.reshape(-1), texts)
        if hypotheses == 1:
            return list(results)
        return [results[i : i + hypotheses] for i in range(0, len(results), hypotheses)]

    def _with_details(self, images, ids, scores, texts):
        """Log-probabilities and attention, by one more pass over the finished captions."""
        details = self._function(("details", ids.shape[1:]), _DetailsFunction(self.model))
        log_probs, attention = map(
            ops.convert_to_numpy, details(images, self._with_start(ids), ids)
        )
        tokenizer = self.model.preprocessor.tokenizer
        grid = getattr(self.model.image_encoder, "grid", (-1, attention.shape[-1]))
        captions = []
        for row, (text, score) in enumerate(zip(texts, scores, strict=True)):
            image, place = divmod(row, ids.shape[1])
            length = int(np.sum(ids[image, place] != tokenizer.pad_token_id))
            captions.append(
                Caption(
                    text=text,
                    score=float(score),
                    tokens=[tokenizer.id_to_token(int(i)) for i in ids[image, place, :length]],
                    token_log_probs=log_probs[image, place, :length],
                    attention=attention[image, place, :length].reshape(length, *grid),
                )
            )
        return captions

    def _with_start(self, ids):
        start = np.full((*ids.shape[:2], 1), self.model.preprocessor.tokenizer.start_token_id)
        return np.concatenate([start, ids[:, :, :-1]], axis=-1).astype("int32")


def _padded(batch):
    """The batch with its first row repeated, up to a power of two.

    What is compiled, is compiled for one batch size: for images of every number, a few sizes do.
    """
    size = 2 ** (len(batch) - 1).bit_length()
    return np.concatenate([batch, np.repeat(batch[:1], size - len(batch), axis=0)])


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

    def __call__(self, image_tokens, noise=None):
        settings = self.settings
        step, cache = self.model.decoding_step(
            image_tokens, settings.max_length, settings.samples or settings.beams
        )
        if settings.samples:
            return sample_captions(step, cache, noise, settings, self.special)
        search = greedy_search if settings.beams == 1 else beam_search
        return search(step, cache, ops.shape(image_tokens)[0], settings, self.special)


@dataclasses.dataclass(frozen=True)
class _DetailsFunction:
    model: keras.Model

    def __call__(self, images, inputs, targets):
        image_tokens = self.model.encode(images, training=False)
        return token_log_probs(self.model, image_tokens, inputs, targets)


def token_log_probs(model, image_tokens, inputs, targets):
    """How likely the model finds given captions, token by token, and where it looks.

    Args:
        model: `ImageCaptioningModel`.
        image_tokens: what `model.encode` made of the images.
        inputs: int tensor `(batch, [captions,] tokens)`, from the start token on.
        targets: int tensor of that shape, each place's next token.

    Returns:
        Float32 log-probabilities of that shape, and the attention as `model.decode` returns it.
    """
    logits, attention = model.decode(
        image_tokens, inputs, return_attention_scores=True, training=False
    )
    log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    log_probs = ops.take_along_axis(log_probs, ops.expand_dims(targets, -1), axis=-1)
    return ops.squeeze(log_probs, -1), attention
