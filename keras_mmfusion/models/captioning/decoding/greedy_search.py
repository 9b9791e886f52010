from keras import ops

from keras_mmfusion.models.captioning.decoding.token_by_token import decode_token_by_token


def greedy_search(step, cache, batch_size, settings, special, prompts=None):
    """Generates the most probable token at each step: `beam_search` with one beam.

    Args and Returns: see `beam_search`; `settings.beams` is 1.
    """

    prompts = settings.pack_prompt() if prompts is None else prompts

    def choose(log_probs, index):
        return ops.cast(ops.argmax(log_probs, axis=-1), "int32")

    tokens, log_probs = decode_token_by_token(
        step, cache, choose, (batch_size, 1), settings, special, prompts
    )
    counts = ops.sum(ops.cast(special.mask_tokens(tokens), "float32"), axis=-1)
    return tokens, settings.score(log_probs, counts, prompts)
