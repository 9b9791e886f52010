from keras import ops

from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    MASKED_LOGIT,
    gather,
    next_log_probs,
    write_at,
)


def beam_search(step, cache, batch_size, settings, special, prompts=None):
    """Runs a beam search over a step function, independently for each row of the batch.

    `settings.beams` unfinished hypotheses are kept. Of the `2 * beams` best continuations, those
    that end and are among the best `beams` enter the row's pool of finished hypotheses, scored by
    `log_probability / tokens ** length_penalty`; the best others are continued. A row is done when
    its pool is full and its worst score is at least the current score of the best unfinished
    hypothesis. The pool is then frozen, so the result of a row does not depend on the other rows.
    At `max_length`, unfinished hypotheses compete with the finished ones.

    Args:
        step: step function, see `decoding_settings`.
        cache: nested structure of tensors, the state of `step`.
        batch_size: int or scalar tensor.
        settings: `DecodingSettings`.
        special: `SpecialTokens`.
        prompts: the prompt of each row, see `prompts`. Defaults to that of the settings.

    Returns:
        Tokens `(batch, beams, max_length)`, best first, padded with `special.pad`, and scores
        `(batch, beams)`. The score of an unused beam is `MASKED_LOGIT` or less.

    Reference:
        Graves, "Sequence Transduction with Recurrent Neural Networks", 2012; length
        normalization: Wu et al., "Google's Neural Machine Translation System", 2016, section 7.
    """
    prompts = settings.pack_prompt() if prompts is None else prompts
    beams, length = settings.beams, settings.max_length + 1
    shape = (batch_size, beams)
    slots = ops.broadcast_to(ops.arange(beams, dtype="int32"), shape)
    first = ops.equal(slots, 0)

    def unfinished(index, tokens, log_probs, ancestors, pool, pool_scores, done, cache):
        return ops.logical_and(index < settings.max_length, ops.logical_not(ops.all(done)))

    def advance(index, tokens, log_probs, ancestors, pool, pool_scores, done, cache):
        logits, cache = step(tokens, index, ancestors, cache)
        continued = next_log_probs(logits, tokens, index, settings, special, prompts)
        vocabulary_size = continued.shape[-1]
        continued = ops.reshape(
            continued + ops.expand_dims(log_probs, -1), (-1, beams * vocabulary_size)
        )
        best, indices = ops.top_k(continued, 2 * beams)
        best = ops.reshape(best, (-1, 2 * beams))
        indices = ops.reshape(ops.cast(indices, "int32"), (-1, 2 * beams))
        origin, chosen = indices // vocabulary_size, indices % vocabulary_size
        candidates = write_at(gather(tokens, origin), index + 1, chosen)
        ends = ops.equal(chosen, special.end)

        may_finish = ops.logical_and(ends, ops.arange(2 * beams) < beams)
        may_finish = ops.logical_and(may_finish, ops.logical_not(ops.expand_dims(done, -1)))
        may_finish = ops.logical_and(may_finish, best > MASKED_LOGIT / 2)
        finished_scores = settings.score(best, index + 1, prompts)
        finished_scores = ops.where(may_finish, finished_scores, 2 * MASKED_LOGIT)
        pool, pool_scores = _select_best(
            ops.concatenate([pool, candidates], axis=1),
            ops.concatenate([pool_scores, finished_scores], axis=1),
            beams,
        )
        log_probs, kept = ops.top_k(ops.where(ends, 2 * MASKED_LOGIT, best), beams)
        kept = ops.cast(ops.reshape(kept, (-1, beams)), "int32")
        log_probs = ops.reshape(log_probs, (-1, beams))
        tokens = gather(candidates, kept)
        ancestors = gather(ancestors, ops.take_along_axis(origin, kept, axis=1))
        ancestors = write_at(ancestors, index + 1, slots)
        open_scores = settings.score(log_probs, index + 1, prompts)
        done = ops.logical_or(done, pool_scores[:, -1] >= open_scores[:, 0])
        return index + 1, tokens, log_probs, ancestors, pool, pool_scores, done, cache

    padding = ops.full((*shape, length), special.pad, dtype="int32")
    start = write_at(padding, 0, ops.full(shape, special.start, dtype="int32"))
    state = (
        ops.convert_to_tensor(0, dtype="int32"),
        start,
        ops.where(first, 0.0, MASKED_LOGIT),
        write_at(ops.zeros((*shape, length), dtype="int32"), 0, slots),
        padding,
        ops.full(shape, 2 * MASKED_LOGIT, dtype="float32"),
        ops.zeros((batch_size,), dtype="bool"),
        cache,
    )
    index, tokens, log_probs, _, pool, pool_scores, done, _ = ops.while_loop(
        unfinished, advance, state
    )
    open_scores = ops.where(
        ops.expand_dims(done, -1), 2 * MASKED_LOGIT, settings.score(log_probs, index, prompts)
    )
    pool, pool_scores = _select_best(
        ops.concatenate([pool, tokens], axis=1),
        ops.concatenate([pool_scores, open_scores], axis=1),
        beams,
    )
    return pool[:, :, 1:], pool_scores


def _select_best(hypotheses, scores, count):
    scores, order = ops.top_k(scores, count)
    order = ops.cast(ops.reshape(order, (-1, count)), "int32")
    return gather(hypotheses, order), ops.reshape(scores, (-1, count))
