from keras import ops

from keras_mmfusion.models.captioning.decoding.decoding_settings import next_log_probs, write_at


def decode_token_by_token(step, cache, choose, shape, settings, special, prompts):
    """Decodes captions whose hypotheses are never reordered: greedy search and sampling.

    Args:
        step: step function, see `decoding_settings`.
        cache: nested structure of tensors, the state of `step`.
        choose: function `(log_probs, index) -> tokens`: int32 ids `(batch, captions)` from
            log-probabilities `(batch, captions, vocabulary)`.
        shape: `(batch, captions)`, each an int or a scalar tensor.
        settings: `DecodingSettings`.
        special: `SpecialTokens`.
        prompts: the prompt of each row or `None`, see `prompts`.

    Returns:
        Tokens `(batch, captions, max_length)`, padded with `special.pad`, and log-probabilities
        `(batch, captions)` of the captions under the model.
    """
    captions, length = shape[1], settings.max_length + 1
    slots = ops.reshape(ops.arange(captions, dtype="int32"), (1, captions, 1))
    slots = ops.broadcast_to(slots, (*shape, length))

    def unfinished(index, tokens, log_probs, ended, cache):
        return ops.logical_and(index < settings.max_length, ops.logical_not(ops.all(ended)))

    def advance(index, tokens, log_probs, ended, cache):
        logits, cache = step(tokens, index, slots, cache)
        next_probs = next_log_probs(logits, tokens, index, settings, special, prompts)
        chosen = choose(next_probs, index)
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
