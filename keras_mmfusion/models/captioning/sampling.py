from keras import ops

from keras_mmfusion.models.captioning.decoding import next_log_probs, write_at


def sample_captions(step, cache, noise, settings, special):
    """Draws captions token by token from the model's distribution.

    The draw is by inverse transform: tokens sorted by probability, those outside `top_k` and
    `top_p` removed, and the first taken whose cumulated mass exceeds a uniform number. The
    numbers come in as `noise`, so the function is pure: the same noise gives the same captions on
    every backend, in any batch.

    Args:
        step: function, see `decoding`.
        cache: nested structure of tensors, what `step` keeps between calls.
        noise: float32 tensor `(batch, samples, max_length)`, uniform in [0, 1).
        settings: `DecodingSettings`.
        special: `SpecialTokens`.

    Returns:
        Tokens `(batch, samples, max_length)`, `special.pad` behind the end token, and the log-
        probabilities `(batch, samples)` of the captions under the model, temperature left out.

    Reference:
        Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section 3.1;
        top-k: Fan et al., "Hierarchical Neural Story Generation", 2018.
    """
    samples, length = settings.samples, settings.max_length + 1
    shape = (ops.shape(noise)[0], samples)
    slots = ops.broadcast_to(
        ops.reshape(ops.arange(samples, dtype="int32"), (1, samples, 1)), (*shape, length)
    )

    def unfinished(index, tokens, log_probs, ended, cache):
        return ops.logical_and(index < settings.max_length, ops.logical_not(ops.all(ended)))

    def advance(index, tokens, log_probs, ended, cache):
        logits, cache = step(tokens, index, slots, cache)
        next_probs = next_log_probs(logits, tokens, index, settings, special)
        chosen = _draw(next_probs, ops.take(noise, index, axis=-1), settings)
        chosen_log_probs = ops.take_along_axis(next_probs, ops.expand_dims(chosen, -1), axis=-1)
        log_probs = log_probs + ops.where(ended, 0.0, ops.squeeze(chosen_log_probs, -1))
        chosen = ops.where(ended, special.pad, chosen)
        tokens = write_at(tokens, index + 1, chosen)
        return index + 1, tokens, log_probs, ops.logical_or(ended, chosen == special.end), cache

    padding = ops.full((*shape, length), special.pad, dtype="int32")
    state = (
        ops.convert_to_tensor(0, dtype="int32"),
        write_at(padding, 0, ops.full(shape, special.start, dtype="int32")),
        ops.zeros(shape, dtype="float32"),
        ops.zeros(shape, dtype="bool"),
        cache,
    )
    _, tokens, log_probs, _, _ = ops.while_loop(unfinished, advance, state)
    return tokens[:, :, 1:], log_probs


def _draw(log_probs, uniform, settings):
    ids = None
    if settings.top_k is not None or settings.top_p is not None:  # Sorting takes its time.
        vocabulary_size = log_probs.shape[-1]
        log_probs, ids = ops.top_k(
            log_probs, min(settings.top_k or vocabulary_size, vocabulary_size)
        )
    # Against the likeliest token, so that no temperature carries all of them out of range.
    likeliest = ops.max(log_probs, axis=-1, keepdims=True)
    probs = ops.exp((log_probs - likeliest) / settings.temperature)
    probs = probs / ops.sum(probs, axis=-1, keepdims=True)
    cumulated = ops.cumsum(probs, axis=-1)
    if settings.top_p is not None:
        # A token stays when the likelier ones do not yet hold `top_p`: the first always does.
        probs = ops.where(cumulated - probs < settings.top_p, probs, 0.0)
        cumulated = ops.cumsum(probs, axis=-1)
    # Rounding must not carry the threshold to the last sum, behind every token.
    threshold = ops.expand_dims(uniform * (1 - 3e-7) * cumulated[..., -1], -1)
    place = ops.sum(ops.cast(cumulated <= threshold, "int32"), axis=-1, keepdims=True)
    chosen = place if ids is None else ops.take_along_axis(ids, place, axis=-1)
    return ops.cast(ops.squeeze(chosen, -1), "int32")
