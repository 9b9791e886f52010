"""Decoding settings, constraints on the next token, and tensor helpers for all search methods.

The hypotheses of a batch have shape `(batch, hypotheses, ...)`; `tokens[..., 0]` is the start
token. A *step function* `(tokens, index, ancestors, cache) -> (logits, cache)` returns the logits
`(batch, hypotheses, vocabulary)` of the token after position `index`. `ancestors`
`(batch, hypotheses, length)` contains, for every position, the slot in which the hypothesis's
token was computed, so cached keys and values are never moved when beams are reordered.
"""

import dataclasses

from keras import ops

from keras_mmfusion._checks import check_integer, check_number
from keras_mmfusion.models.captioning.decoding.decoding_arguments import (
    LENGTH_PENALTIES,
    MAX_BEAMS,
)
from keras_mmfusion.models.captioning.decoding.prompts import count_prompt_tokens, pack_prompts

MASKED_LOGIT = -1e9  # Log-probability of a disallowed token. Finite, since 0 * -inf is NaN.
# Outside this range float32 yields NaN probabilities, or disallowed tokens may be sampled.
TEMPERATURES = (1e-30, 1e6)
MIN_TOP_P = 1e-6


@dataclasses.dataclass(frozen=True)
class DecodingSettings:
    """Settings of caption decoding: beam search, greedy search or sampling.

    Args:
        max_length: int. Maximum number of tokens of a caption, including the end token.
        min_length: int. Minimum number of words before the end token is allowed.
        beams: int. Beam width; 1 is greedy search.
        length_penalty: float from -2 to 10. The score of a hypothesis is its log-probability
            divided by `tokens ** length_penalty`: 0 favors short captions, larger values longer
            ones.
        no_repeat_ngram: int. No n-gram of this size occurs twice; 0 allows all.
        samples: int. If positive, this many captions are sampled instead of searched for.
        temperature, top_k, top_p: sampling parameters. The logits are divided by `temperature`;
            only the `top_k` most probable tokens are kept, and of these the smallest set with a
            total probability of at least `top_p`.
        prompt: tuple of ints. Ids of the tokens that every caption begins with. They count for
            `max_length`, but not for `min_length` and the score.

    Raises:
        ValueError: if a setting has the wrong type or is out of range.
    """

    max_length: int
    min_length: int = 1
    beams: int = 4
    length_penalty: float = 0.7
    no_repeat_ngram: int = 0
    samples: int = 0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    prompt: tuple[int, ...] = ()

    def __post_init__(self):
        checked = {
            "max_length": check_integer(None, "max_length", self.max_length, 1),
            "min_length": check_integer(None, "min_length", self.min_length, 1),
            "beams": check_integer(None, "beams", self.beams, 1, MAX_BEAMS),
            "length_penalty": check_number(
                None, "length_penalty", self.length_penalty, *LENGTH_PENALTIES
            ),
            "no_repeat_ngram": check_integer(None, "no_repeat_ngram", self.no_repeat_ngram, 0),
            "samples": check_integer(None, "samples", self.samples, 0),
            "temperature": check_number(None, "temperature", self.temperature, *TEMPERATURES),
        }
        if self.top_k is not None:
            checked["top_k"] = check_integer(None, "top_k", self.top_k, 1)
        if self.top_p is not None:
            checked["top_p"] = check_number(None, "top_p", self.top_p, MIN_TOP_P, 1.0)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "prompt", tuple(int(token) for token in self.prompt))
        if self.min_length >= self.max_length:
            raise ValueError(
                f"`min_length` must be below `max_length`. Received: min_length={self.min_length}, "
                f"max_length={self.max_length}"
            )
        self.check_prompt(self.prompt)

    def check_prompt(self, prompt):
        """Raises an error if a prompt is too long for `max_length`."""
        if len(prompt) + self.min_length >= self.max_length:
            raise ValueError(
                f"`prompt` must leave room for a caption: it has {len(prompt)} tokens, with "
                f"min_length={self.min_length} and max_length={self.max_length}."
            )

    def pack_prompt(self):
        """Returns the prompt of all rows, see `prompts`, or `None`."""
        return pack_prompts([self.prompt], len(self.prompt) + 1) if self.prompt else None

    def score(self, log_probs, count, prompts=None):
        """Computes the scores of captions from their log-probabilities.

        Args:
            log_probs: float tensor `(batch, hypotheses)`.
            count: tensor. The number of tokens, including those of the prompt.
            prompts: see `prompts`.
        """
        count = ops.cast(count, "float32")
        if prompts is not None:
            count = count - ops.cast(count_prompt_tokens(prompts), "float32")
        return log_probs / ops.power(ops.maximum(count, 1.0), self.length_penalty)


@dataclasses.dataclass(frozen=True)
class SpecialTokens:
    """Ids of the special tokens.

    Args:
        start, end, pad: ints. They may be equal, as in GPT-2.
        blocked: tuple of ints. Further ids that are never generated.
        suppress_start_and_pad: bool. Whether the start and pad tokens are never generated, unless
            they are the end token. The models of `transformers` may generate them.
    """

    start: int
    end: int
    pad: int
    blocked: tuple[int, ...] = ()
    suppress_start_and_pad: bool = True

    @property
    def suppressed_token_ids(self):
        """All ids that are never generated."""
        ids = (self.start, self.pad) if self.suppress_start_and_pad else ()
        return tuple(i for i in (*ids, *self.blocked) if i != self.end)

    def mask_tokens(self, ids):
        """Finds the tokens of captions, up to and including the end token.

        Args:
            ids: int tensor `(..., length)` of generated ids, without the start token.

        Returns:
            Bool tensor of the same shape.
        """
        if self.pad in self.suppressed_token_ids:
            return ops.not_equal(ids, self.pad)
        # The pad token may be the end token or a part of the caption.
        ends = ops.cast(ops.equal(ids, self.end), "int32")
        return ops.equal(ops.cumsum(ends, axis=-1) - ends, 0)


def next_log_probs(logits, tokens, index, settings, special, prompts=None):
    """Computes log-probabilities of the next token; those of disallowed tokens are masked."""
    vocabulary_size = logits.shape[-1]
    log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    ids = ops.arange(vocabulary_size, dtype="int32")
    forbidden = ops.zeros((vocabulary_size,), dtype="bool")
    for blocked in special.suppressed_token_ids:
        forbidden = ops.logical_or(forbidden, ops.equal(ids, blocked))
    too_short = index < settings.min_length + count_prompt_tokens(prompts)
    if prompts is not None:
        too_short = ops.expand_dims(too_short, -1)
    too_short = ops.logical_and(ops.equal(ids, special.end), too_short)
    forbidden = ops.logical_or(forbidden, too_short)
    log_probs = ops.where(forbidden, MASKED_LOGIT, log_probs)
    if settings.no_repeat_ngram:
        repeats = _repeated_ngrams(tokens, index, settings.no_repeat_ngram, vocabulary_size)
        log_probs = ops.where(repeats, MASKED_LOGIT, log_probs)
    return log_probs if prompts is None else _force_prompts(log_probs, ids, index, prompts)


def _force_prompts(log_probs, ids, index, prompts):
    """Gives the next token of a prompt the probability 1."""
    last = prompts.shape[-1] - 1  # Not a token of any prompt.
    forced = ops.take(ops.cast(prompts, "int32"), ops.minimum(index, last), axis=-1)
    forced = ops.reshape(forced, (-1, 1, 1))
    forced_log_probs = ops.where(ops.equal(ids, forced), 0.0, MASKED_LOGIT)
    return ops.where(forced >= 0, forced_log_probs, log_probs)


def _repeated_ngrams(tokens, index, n, vocabulary_size):
    """Finds tokens that would repeat an n-gram: bool `(batch, hypotheses, vocabulary)`."""
    hypotheses, length = tokens.shape[1:]
    starts = max(length - n + 1, 0)
    seen = ops.arange(starts, dtype="int32") + (n - 1) <= index
    seen = ops.logical_and(seen, ops.arange(starts, dtype="int32") >= 1)
    match = ops.broadcast_to(seen, ops.shape(tokens[..., :starts]))
    for offset in range(n - 1):
        newest = ops.take(tokens, ops.maximum(index - (n - 2) + offset, 0), axis=-1)
        window = tokens[..., offset : offset + starts]
        match = ops.logical_and(match, ops.equal(window, ops.expand_dims(newest, -1)))
    rows = ops.shape(tokens)[0] * hypotheses
    row = ops.reshape(ops.arange(rows, dtype="int32"), (-1, hypotheses, 1))
    row = ops.broadcast_to(row, ops.shape(match))
    indices = ops.stack([row, tokens[..., n - 1 :]], axis=-1)
    counts = ops.scatter(
        ops.reshape(indices, (-1, 2)),
        ops.reshape(ops.cast(match, "int32"), (-1,)),
        (rows, vocabulary_size),
    )
    return ops.reshape(counts > 0, (-1, hypotheses, vocabulary_size))


def gather(x, indices):
    """Gathers rows `indices` `(batch, n)` on the second axis of `x` `(batch, hypotheses, ...)`."""
    extra = (1,) * (len(x.shape) - 2)
    indices = ops.reshape(indices, (-1, indices.shape[1], *extra))
    indices = ops.broadcast_to(indices, (*ops.shape(indices)[:2], *x.shape[2:]))
    return ops.take_along_axis(x, indices, axis=1)


def write_at(x, index, value):
    """Returns `x` `(..., length)` with `value` `(...)` at position `index` of the last axis."""
    position = ops.equal(ops.arange(x.shape[-1], dtype="int32"), index)
    return ops.where(position, ops.expand_dims(ops.cast(value, x.dtype), -1), x)
