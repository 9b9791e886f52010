from keras import ops

from keras_mmfusion.layers.alignment.alignment import normalize_vectors


def find_similar_nodes(targets, sources, neighbors, source_mask=None, loops=True):
    """Selects each target's nearest sources by cosine similarity.

    Sources that tie with the last one, to four decimals, are selected too, so that rounding does
    not decide between equal ones.

    Args:
        targets: float tensor `(batch, targets, dim)`.
        sources: float tensor `(batch, sources, dim)` with a static number of sources.
        neighbors: int. Number of sources to select; all if there are fewer.
        source_mask: bool tensor `(batch, sources)`, `False` for a missing source.
        loops: bool. Whether target `i` may select source `i`, which is itself in one node set.

    Returns:
        Bool tensor `(batch, targets, sources)`, without a gradient.

    Raises:
        ValueError: if the number of sources is not static.
    """
    count = sources.shape[1]
    if count is None:
        raise ValueError(
            "The nearest nodes can be selected only if the number of nodes is static. Received "
            f"shape: {tuple(sources.shape)}. Pad the nodes to a fixed number, or connect all."
        )
    targets, sources = (normalize_vectors(ops.cast(x, "float32")) for x in (targets, sources))
    similarity = ops.stop_gradient(ops.matmul(targets, ops.transpose(sources, (0, 2, 1))))
    similarity = ops.round(similarity * 1e4)
    allowed = ops.ones_like(similarity, "bool")
    if not loops:
        positions = ops.arange(count)
        allowed = ops.logical_and(allowed, positions[:, None] != positions[None, :])
    if source_mask is not None:
        allowed = ops.logical_and(allowed, ops.expand_dims(ops.cast(source_mask, "bool"), 1))
    similarity = ops.where(allowed, similarity, -2e4)
    nearest, _ = ops.top_k(similarity, min(neighbors, count))
    return ops.logical_and(allowed, similarity >= nearest[..., -1:])
