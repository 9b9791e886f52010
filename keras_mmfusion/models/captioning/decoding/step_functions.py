"""Step functions for searches with a captioner's decoder; see `decoding_settings`."""

from keras import ops


def build_cached_step(decoder, image_tokens, length, hypotheses, attend=None, context_mask=None):
    """Builds a step function that caches keys and values, and its empty cache.

    Args:
        decoder: `TextDecoder`.
        image_tokens: float tensor `(batch, tokens, dim)`.
        length: int. Maximum number of tokens of a caption.
        hypotheses: int. Number of hypotheses per image.
        attend: function or `None`. Maps embeddings `(batch, hypotheses, dim)` to an attention
            output, which is added to them before the decoder.
        context_mask: bool tensor `(batch, tokens)` or `None`, for a `TextDecoder`.
    """
    context = decoder.project_context(image_tokens)
    cache = decoder.empty_cache(ops.shape(image_tokens)[0], length, hypotheses)
    masks = () if context_mask is None else (context_mask,)
    times = ops.arange(length, dtype="int32")
    slots = ops.arange(hypotheses, dtype="int32")

    def step(tokens, index, ancestors, cache):
        ids = ops.expand_dims(ops.take(tokens, index, axis=-1), -1)
        x = ops.squeeze(decoder.embedding(ids, start_index=index), 2)
        if attend is not None:
            x = x + attend(x)
        is_written = ops.expand_dims(times <= index, -1)
        is_ancestor = ops.equal(ops.expand_dims(ancestors[:, :, :length], -1), slots)
        slot_mask = ops.reshape(
            ops.logical_and(is_ancestor, is_written), (-1, hypotheses, length * hypotheses)
        )
        write_mask = ops.reshape(ops.equal(times, index), (1, 1, length, 1, 1))
        return decoder.step(x, cache, slot_mask, write_mask, context, *masks)

    return step, cache


def build_uncached_step(captioner, image_tokens):
    """Builds a step function that decodes the whole caption in each step, for any decoder.

    Args:
        captioner: `Captioner`.
        image_tokens: float tensor `(batch, tokens, dim)`.
    """

    def step(tokens, index, ancestors, cache):
        logits = captioner.decode(image_tokens, tokens[:, :, :-1])
        return ops.take(logits, index, axis=2), cache

    return step
