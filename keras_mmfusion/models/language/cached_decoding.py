"""Decoding with a multimodal language model, with cached keys and values."""

import dataclasses

from keras import ops

from keras_mmfusion.layers.sort_by_mask import sort_by_mask, take_tokens
from keras_mmfusion.models.language.causal_layers import (
    add_positions,
    apply_layers,
    make_cache,
)


@dataclasses.dataclass
class PromptState:
    """A batch of prompts, processed up to the token before the last.

    The prompts are aligned at their end, so that the next token of each has the same index.

    Args:
        cache: the keys and values of the prompts, with space for the tokens that follow; see
            `make_cache`.
        last: float tensor `(batch, dim)`, the embeddings of the last tokens.
        mask: bool tensor `(batch, length)`, the valid entries of the cache, those that follow
            included.
        context: the context of gated cross-attention for the last tokens; see `MultimodalLM.embed`.
        length: int. The number of tokens of the padded prompts.
    """

    cache: list
    last: object
    mask: object
    context: tuple | None
    length: int

    def to_list(self):
        """Returns the tensors as a list, for a compiled function."""
        return [self.last, self.mask, *(self.context or ()), *self.cache]

    @classmethod
    def from_list(cls, tensors, num_layers, length):
        """Restores the result of `to_list`."""
        last, mask, *rest = tensors
        context = tuple(rest[:-num_layers]) or None
        return cls(rest[-num_layers:], last, mask, context, length)

    def repeat(self, count):
        """Repeats each row."""
        if count == 1:
            return self
        context = self.context and tuple(ops.repeat(x, count, axis=0) for x in self.context)
        cache = [ops.repeat(x, count, axis=0) for x in self.cache]
        last, mask = ops.repeat(self.last, count, axis=0), ops.repeat(self.mask, count, axis=0)
        return PromptState(cache, last, mask, context, self.length)


def process_prompts(model, inputs, new_tokens):
    """Processes a batch of prompts.

    Args:
        model: `MultimodalLM`.
        inputs: dict, see `MultimodalLM`. At least two tokens, padding included.
        new_tokens: int. The number of tokens that follow.

    Returns:
        `PromptState`.
    """
    ids, mask = ops.cast(inputs["token_ids"], "int32"), ops.cast(inputs["padding_mask"], "bool")
    order, _ = sort_by_mask(mask, valid_first=False)
    ids, mask = take_tokens(ids, order), take_tokens(mask, order)
    length = ids.shape[1]
    x, context = model.embed(ids, mask, inputs, training=False)
    new = ops.ones((ops.shape(ids)[0], new_tokens), dtype="bool")
    cache_mask = ops.concatenate([mask, new], axis=1)
    cache = make_cache(model.backbone, ops.shape(ids)[0], length + new_tokens)
    positions = ops.maximum(ops.cumsum(ops.cast(mask, "int32"), axis=1) - 1, 0)
    _, cache = apply_layers(
        model.backbone,
        add_positions(model.backbone, x[:, :-1], positions[:, :-1], training=False),
        cache_mask,
        cache,
        0,
        model.make_attend(context, slice(0, -1), training=False),
        training=False,
    )
    if context is not None:  # Of the last token, and of those that follow.
        context = context[0], context[1][:, -1:]
    return PromptState(cache, x[:, -1], cache_mask, context, length)


def decode_tokens(model, state, x, index):
    """Computes the hidden states of tokens that follow prompts.

    Args:
        model: `MultimodalLM`.
        state: `PromptState`.
        x: float tensor `(batch, tokens, dim)`, embeddings without positions.
        index: int or scalar tensor: 0 if the first token is the last one of the prompts.

    Returns:
        Hidden states `(batch, tokens, dim)`, and the new cache.
    """
    prompt_lengths = ops.sum(ops.cast(state.mask[:, : state.length], "int32"), axis=1)
    steps = ops.arange(x.shape[1], dtype="int32")
    positions = ops.expand_dims(prompt_lengths - 1 + index, 1) + ops.expand_dims(steps, 0)
    x = add_positions(model.backbone, x, positions, training=False)
    attend = model.make_attend(state.context, training=False)
    start = state.length - 1 + index
    return apply_layers(model.backbone, x, state.mask, state.cache, start, attend, training=False)


def build_step(model, state, hypotheses, reorders):
    """Builds the step function of a search and its cache; see `decoding_settings`.

    Args:
        model: `MultimodalLM`.
        state: `PromptState`.
        hypotheses: int. The number of hypotheses of each row.
        reorders: bool. Whether hypotheses continue others, as in beam search.
    """
    state = state.repeat(hypotheses)

    def step(tokens, index, ancestors, cache):
        if reorders:
            parents = ops.take(ancestors, ops.maximum(index - 1, 0), axis=-1)
            first = ops.arange(ops.shape(parents)[0], dtype="int32") * hypotheses
            rows = ops.reshape(parents + ops.expand_dims(first, 1), (-1,))
            cache = [ops.take(x, rows, axis=0) for x in cache]
        ids = ops.reshape(ops.take(tokens, index, axis=-1), (-1, 1))
        x = model.backbone.token_embedding(ids)
        x = ops.where(ops.equal(index, 0), ops.expand_dims(state.last, 1), x)
        x, cache = decode_tokens(model, dataclasses.replace(state, cache=cache), x, index)
        logits = model.backbone.token_embedding(x[:, 0], reverse=True)
        return ops.reshape(logits, (-1, hypotheses, logits.shape[-1])), cache

    return step, state.cache


def score_continuations(model, state, continuations):
    """Computes the log-probabilities of the tokens of given continuations of prompts.

    Args:
        model: `MultimodalLM`.
        state: `PromptState`, with space for all tokens but the last.
        continuations: int tensor `(batch, count, tokens)`.

    Returns:
        Float32 tensor of the same shape.
    """
    count, length = continuations.shape[1:]
    state = state.repeat(count)
    ids = ops.reshape(continuations, (-1, length))
    x = model.backbone.token_embedding(ids[:, :-1])
    x = ops.concatenate([ops.expand_dims(state.last, 1), x], axis=1)
    x, _ = decode_tokens(model, state, x, 0)
    logits = ops.cast(model.backbone.token_embedding(x, reverse=True), "float32")
    log_probs = ops.log_softmax(logits, axis=-1)
    log_probs = ops.take_along_axis(log_probs, ops.expand_dims(ids, -1), axis=-1)
    return ops.reshape(log_probs, (-1, count, length))
