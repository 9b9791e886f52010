"""`tf.data` pipeline of variable-length sequences, in padded batches with masks."""

import numpy as np

from keras_mmfusion._checks import check_integer


def sequence_dataset(data, labels=None, batch_size=32, num_buckets=8, shuffle=True, seed=0):
    """Batches segments of similar length, to reduce padding.

    Segments are assigned to buckets by the length of their longest modality. The boundaries of
    the buckets minimize the total length after padding:

    ```
    minimum over the boundaries of  Σ_buckets segments(bucket) · longest(bucket)
    ```

    A batch contains segments of one bucket, padded to the longest segment of the bucket, so that
    XLA and JAX compile a model once per bucket instead of once per length. The last batch of each
    bucket may be smaller.

    Args:
        data: `SentimentSequences`.
        labels: array `(segments, ...)`, such as `data.seven_classes`. Defaults to `data.labels`.
        batch_size: int.
        num_buckets: int. The maximum number of buckets. With 1, and without shuffling, segments
            keep their order, which `predict` requires.
        shuffle: bool. Whether to visit the segments in a new random order each epoch.
        seed: int. The seed of the order.

    Returns:
        A `tf.data.Dataset` of tuples of a dict, the inputs of `FusionModel`, and labels
        `(batch, ...)`. The dict contains the tokens of each modality, float32 `(batch, tokens,
        dim)`, and `"<modality>_mask"`, bool `(batch, tokens)`, `False` for padding, tokens without
        features, and missing modalities.

    Raises:
        ValueError: if there is no segment, a size is not positive, or the number of labels
            differs.
    """
    import tensorflow as tf

    labels = np.asarray(data.labels if labels is None else labels)
    if len(labels) != len(data) or not len(data):
        raise ValueError(
            "`data` must have at least one segment, and `labels` a label for each. Received: "
            f"{len(labels)} labels, {len(data)} segments"
        )
    check_integer(None, "batch_size", batch_size)
    check_integer(None, "num_buckets", num_buckets)

    lengths = {
        # A missing modality has one masked token, so that no batch is empty.
        name: np.array([max(1, len(x)) for x in values])
        for name, values in data.tokens.items()
    }
    longest = np.max(list(lengths.values()), axis=0)
    bounds = compute_bucket_bounds(longest, num_buckets)
    buckets = np.searchsorted(bounds, longest)
    ragged = {}
    for name, values in data.tokens.items():
        blank = np.zeros((1, values[0].shape[1]), "float32")
        ragged[name] = _to_ragged(values, blank, lengths[name])
        ragged[f"{name}_mask"] = _to_ragged(data.masks[name], np.zeros(1, "bool"), lengths[name])
    widths = {
        name: tf.constant([sizes[buckets == b].max(initial=1) for b in range(len(bounds))])
        for name, sizes in lengths.items()
    }
    buckets, labels = tf.constant(buckets, "int64"), tf.constant(labels)

    def build_batch(segments):
        bucket = buckets[segments[0]]
        batch = {}
        for name in widths:
            for key in (name, f"{name}_mask"):
                rows = tf.gather(ragged[key], segments)
                # Only the tokens are padded; -1 keeps the size of the other axes.
                shape = [-1, widths[name][bucket], -1][: rows.shape.rank]
                batch[key] = rows.to_tensor(shape=tf.stack(shape))
                batch[key].set_shape(rows.shape)
        return batch, tf.gather(labels, segments)

    dataset = tf.data.Dataset.range(len(data))
    if shuffle:
        dataset = dataset.shuffle(len(data), seed=seed)
    dataset = dataset.group_by_window(
        lambda segment: buckets[segment],
        lambda bucket, segments: segments.batch(batch_size),
        window_size=batch_size,
    )
    batches = int(np.sum(-(-np.bincount(buckets) // batch_size)))
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches))
    return dataset.map(build_batch, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _to_ragged(arrays, blank, lengths):
    import tensorflow as tf

    flat = np.concatenate([array if len(array) else blank for array in arrays])
    return tf.RaggedTensor.from_row_lengths(flat, lengths)


def measure_padding(dataset):
    """Computes the fraction of masked tokens by one pass over the batches.

    Args:
        dataset: `tf.data.Dataset` returned by `sequence_dataset`.

    Returns:
        A dict, modality -> fraction of the tokens whose mask is `False`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import SentimentSequences, measure_padding, sequence_dataset
    >>> sizes = [2, 2, 9, 10]
    >>> data = SentimentSequences(
    ...     tokens={"text": [np.ones((size, 3), "float32") for size in sizes]},
    ...     masks={"text": [np.ones(size, "bool") for size in sizes]},
    ...     labels=np.zeros(4, "float32"),
    ...     segment_ids=np.array(["a[0]", "a[1]", "b[0]", "b[1]"]),
    ...     video_ids=np.array(["a", "a", "b", "b"]),
    ...     texts=np.full(4, ""),
    ... )
    >>> for num_buckets in 1, 2:
    ...     shares = measure_padding(sequence_dataset(data, batch_size=2, num_buckets=num_buckets))
    ...     print(round(shares["text"], 3))
    0.425
    0.042
    """
    tokens, masked = {}, {}
    for batch, _ in dataset:
        for name in batch:
            if f"{name}_mask" in batch:
                mask = batch[f"{name}_mask"].numpy()
                tokens[name] = tokens.get(name, 0) + mask.size
                masked[name] = masked.get(name, 0) + np.sum(~mask)
    return {name: float(masked[name] / count) for name, count in tokens.items()}


def compute_bucket_bounds(lengths, num_buckets):
    """Computes the maximum length of each bucket that minimizes the padding.

    Args:
        lengths: int array.
        num_buckets: int. The maximum number of buckets, limited by the number of distinct lengths.

    Returns:
        Int array, in ascending order. The last value is the maximum of `lengths`.

    Example:

    >>> from keras_mmfusion.datasets.sentiment.sequence_pipeline import compute_bucket_bounds
    >>> compute_bucket_bounds([5, 3, 40, 4, 41, 5], 2).tolist()
    [5, 41]
    """
    sizes, counts = np.unique(lengths, return_counts=True)
    before = np.r_[0, np.cumsum(counts)]
    # costs[n] is the minimum cost of the n shortest sizes; cuts are the starts of the last bucket.
    costs, cuts = np.r_[0.0, np.full(len(sizes), np.inf)], []
    for _ in range(min(num_buckets, len(sizes))):
        ends = np.arange(1, len(sizes) + 1)
        new_costs = costs[None, :-1] + sizes[:, None] * (
            before[1:, None] - before[None, :-1]
        )  # (end, start)
        new_costs[np.arange(len(sizes))[None, :] >= ends[:, None]] = np.inf
        cuts.append(new_costs.argmin(axis=1))
        costs = np.r_[np.inf, new_costs.min(axis=1)]
    bounds, end = [], len(sizes)
    for starts in reversed(cuts):
        bounds.append(sizes[end - 1])
        end = starts[end - 1]
    return np.array(bounds[::-1])
