from keras import ops

from keras_mmfusion.layers.alignment.alignment import normalize_vectors


def similar_nodes(targets, sources, neighbors, source_mask=None, loops=True):
    """For each target its nearest sources, by the cosine of their features.

    Sources that are as near as the last of them, to four decimals, are among them too: which of
    two equal ones comes first would be up to rounding.

    Args:
        targets: float tensor `(batch, targets, dim)`.
        sources: float tensor `(batch, sources, dim)`, of a number that is known.
        neighbors: int. How many; all of them where there are fewer.
        source_mask: bool tensor `(batch, sources)`, `False` for a source that is not there.
        loops: bool. Whether target `i` may have source `i`, which in one node set is itself.

    Returns:
        Bool tensor `(batch, targets, sources)`, without a gradient.

    Raises:
        ValueError: if it is not known how many sources there are.
    """
    count = sources.shape[1]
    if count is None:
        raise ValueError(
            "The nearest of the nodes can be chosen only where it is known how many there are. "
            f"Received shape: {tuple(sources.shape)}. Pad them to a fixed number, or take all."
        )
    targets, sources = (normalize_vectors(ops.cast(x, "float32")) for x in (targets, sources))
    similarity = ops.stop_gradient(ops.matmul(targets, ops.transpose(sources, (0, 2, 1))))
    similarity = ops.round(similarity * 1e4)
    allowed = ops.ones_like(similarity, "bool")
    if not loops:
        places = ops.arange(count)
        allowed = ops.logical_and(allowed, places[:, None] != places[None, :])
    if source_mask is not None:
        allowed = ops.logical_and(allowed, ops.expand_dims(ops.cast(source_mask, "bool"), 1))
    similarity = ops.where(allowed, similarity, -2e4)
    nearest, _ = ops.top_k(similarity, min(neighbors, count))
    return ops.logical_and(allowed, similarity >= nearest[..., -1:])
