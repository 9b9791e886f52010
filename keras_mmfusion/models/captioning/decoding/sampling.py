from keras import ops

from keras_mmfusion.models.captioning.decoding.token_by_token import decode_token_by_token


def sample_captions(step, cache, noise, settings, special, prompts=None):
    """Samples captions token by token from the model's distribution.

    Inverse transform sampling: tokens are sorted by probability, those outside `top_k` and
    `top_p` are removed, and the first whose cumulative probability exceeds a uniform number is
    chosen. The uniform numbers are passed as `noise`, so the function is pure: the same noise
    gives the same captions on every backend, in any batch.

    Args:
        step: step function, see `decoding_settings`.
        cache: nested structure of tensors, the state of `step`.
        noise: float32 tensor `(batch, samples, max_length)`, uniform in [0, 1).
        settings: `DecodingSettings`.
        special: `SpecialTokens`.
        prompts: the prompt of each row, see `prompts`. Defaults to that of the settings.

    Returns:
        Tokens `(batch, samples, max_length)`, padded with `special.pad`, and log-probabilities
        `(batch, samples)` of the captions under the model at temperature 1.

    Reference:
        Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section 3.1;
        top-k: Fan et al., "Hierarchical Neural Story Generation", 2018.
    """

    prompts = settings.pack_prompt() if prompts is None else prompts

    def choose(log_probs, index):
        return choose_by_noise(log_probs, ops.take(noise, index, axis=-1), settings)

    shape = (ops.shape(noise)[0], settings.samples)
    return decode_token_by_token(step, cache, choose, shape, settings, special, prompts)


def choose_by_noise(log_probs, uniform, settings):
    """Samples the next tokens; see `sample_captions`.

    Args:
        log_probs: float tensor `(batch, samples, vocabulary)`.
        uniform: float tensor `(batch, samples)`, uniform in [0, 1).
        settings: `DecodingSettings`.

    Returns:
        Int32 ids `(batch, samples)`.
    """
    ids = None
    if settings.top_k is not None or settings.top_p is not None:  # Sorting is slow.
        vocabulary_size = log_probs.shape[-1]
        log_probs, ids = ops.top_k(
            log_probs, min(settings.top_k or vocabulary_size, vocabulary_size)
        )
    # Relative to the maximum, so that no temperature makes all probabilities underflow.
    maximum = ops.max(log_probs, axis=-1, keepdims=True)
    probs = ops.exp((log_probs - maximum) / settings.temperature)
    probs = probs / ops.sum(probs, axis=-1, keepdims=True)
    cumulative = ops.cumsum(probs, axis=-1)
    if settings.top_p is not None:
        # Keep a token if the more probable ones sum to less than `top_p`; always keep the first.
        probs = ops.where(cumulative - probs < settings.top_p, probs, 0.0)
        cumulative = ops.cumsum(probs, axis=-1)
    # Scaled down so that rounding cannot move the threshold to the total, beyond every token.
    threshold = ops.expand_dims(uniform * (1 - 3e-7) * cumulative[..., -1], -1)
    position = ops.sum(ops.cast(cumulative <= threshold, "int32"), axis=-1, keepdims=True)
    chosen = position if ids is None else ops.take_along_axis(ids, position, axis=-1)
    return ops.cast(ops.squeeze(chosen, -1), "int32")
