from keras import ops

from keras_mmfusion.models.captioning.decoding.token_by_token import decode_token_by_token


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

    def draw(log_probs, index):
        return _draw(log_probs, ops.take(noise, index, axis=-1), settings)

    shape = (ops.shape(noise)[0], settings.samples)
    return decode_token_by_token(step, cache, draw, shape, settings, special)


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
