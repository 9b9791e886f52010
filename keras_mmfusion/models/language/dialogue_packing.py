"""Several dialogues as one sequence."""

from keras_mmfusion.models.language.encoded_sample import EncodedSample


def pack_lengths(lengths, limit):
    """Assigns samples to sequences: the longest first, each to the first sequence with space.

    Args:
        lengths: dict, index of a sample -> its number of tokens.
        limit: int. The maximum number of tokens of a sequence with several samples; 0 for sequences
            of one sample each.

    Returns:
        List of lists of indices.

    Example:

    >>> pack_lengths({0: 3, 1: 5, 2: 2, 3: 4}, 8)
    [[0, 1], [2, 3]]
    >>> pack_lengths({0: 3, 1: 5}, 0)
    [[0], [1]]
    """
    if not limit:
        return [[index] for index in lengths]
    rows, spaces = [], []
    for index in sorted(lengths, key=lengths.get, reverse=True):
        length = lengths[index]
        row = next((i for i, space in enumerate(spaces) if space >= length), None)
        if row is None:
            rows.append([index])
            spaces.append(limit - length)
        else:
            rows[row].append(index)
            spaces[row] -= length
    return sorted(sorted(row) for row in rows)


def join_samples(samples):
    """Joins `EncodedSample`s to one, in which all items are in the order of their placeholders.

    Example:

    >>> sample = EncodedSample([1, 2], [False, True], {})
    >>> join_samples([sample, sample]).token_ids
    [1, 2, 1, 2]
    """
    if len(samples) == 1:
        return samples[0]
    joined = EncodedSample([], [], {})
    for sample in samples:
        joined.token_ids.extend(sample.token_ids)
        joined.is_answer.extend(sample.is_answer)
        for name, items in sample.items.items():
            joined.items.setdefault(name, []).extend(items)
    return joined
