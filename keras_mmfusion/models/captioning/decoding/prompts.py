"""Prompts: the ids of the tokens that captions begin with.

In a search they are an int array `(batch, length)`, or `(1, length)` for the same prompt in every
row, with -1 after the last token of a prompt.
"""

import numpy as np
from keras import ops

NO_TOKEN = -1


def pack_prompts(prompts, length):
    """Packs prompts of different lengths into an array.

    Args:
        prompts: list of sequences of ids.
        length: int. More than the number of tokens of the longest prompt.

    Returns:
        An int32 array `(len(prompts), length)`.

    Example:

    >>> pack_prompts([(5, 9), ()], 3).tolist()
    [[5, 9, -1], [-1, -1, -1]]
    """
    packed = np.full((len(prompts), length), NO_TOKEN, "int32")
    for row, prompt in enumerate(prompts):
        packed[row, : len(prompt)] = prompt
    return packed


def count_prompt_tokens(prompts):
    """Returns the number of tokens of each prompt, an int tensor `(batch or 1, 1)`; 0 if `None`."""
    if prompts is None:
        return 0
    return ops.sum(ops.cast(ops.not_equal(prompts, NO_TOKEN), "int32"), axis=-1, keepdims=True)


def drop_prompts(ids, prompts, pad):
    """Removes the prompts from generated ids.

    Args:
        ids: int array `(batch, hypotheses, length)`.
        prompts: list of sequences of ids, one for each row.
        pad: int. The id that fills the ends of the rows.

    Example:

    >>> drop_prompts(np.array([[[5, 9, 4, 2]], [[7, 2, 0, 0]]]), [(5, 9), ()], 0).tolist()
    [[[4, 2, 0, 0]], [[7, 2, 0, 0]]]
    """
    rest = np.full_like(ids, pad)
    for row, prompt in enumerate(prompts):
        rest[row, :, : ids.shape[-1] - len(prompt)] = ids[row, :, len(prompt) :]
    return rest
