"""Padded and masked batches of sequences."""

import itertools

import keras
import numpy as np
import pytest
from datasets.mosei_files import write_mosei

from keras_mmfusion import FusionBlock
from keras_mmfusion.datasets import (
    SentimentSequences,
    measure_padding,
    read_cmu_mosei,
    sequence_dataset,
)
from keras_mmfusion.datasets.sentiment.sequence_pipeline import compute_bucket_bounds
from keras_mmfusion.models import FusionModel


def sequences(sizes, seed=0):
    """Text of the given sizes, and audio with twice as many frames, every fourth one missing."""
    rng = np.random.default_rng(seed)
    frames = [0 if i % 4 == 3 else 2 * size for i, size in enumerate(sizes)]
    text = [rng.normal(size=(size, 4)).astype("float32") for size in sizes]
    audio = [rng.normal(size=(size, 3)).astype("float32") for size in frames]
    masks = [np.arange(size) != 1 for size in frames]  # One masked frame.
    return SentimentSequences(
        tokens={"text": text, "audio": audio},
        masks={"text": [np.ones(size, "bool") for size in sizes], "audio": masks},
        labels=np.arange(len(sizes), dtype="float32"),
        segment_ids=np.array([str(i) for i in range(len(sizes))]),
        video_ids=np.array(["a"] * len(sizes)),
        texts=np.full(len(sizes), ""),
    )


@pytest.fixture
def data():
    return sequences([3, 20, 1, 4, 7, 2, 19, 5, 6, 2])


def read_labels(dataset):
    return [labels.numpy().astype(int).tolist() for _, labels in dataset]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("num_buckets", [1, 3, 100])
def test_each_epoch_contains_every_segment_once(data, shuffle, num_buckets):
    dataset = sequence_dataset(data, batch_size=3, num_buckets=num_buckets, shuffle=shuffle)
    assert len(read_labels(dataset)) == len(dataset)
    seen = []
    for batch, labels in dataset:
        assert sorted(batch) == ["audio", "audio_mask", "text", "text_mask"]
        for row, label in enumerate(labels.numpy().astype(int)):
            seen.append(label)
            for name in ("text", "audio"):
                values, mask = batch[name][row].numpy(), batch[f"{name}_mask"][row].numpy()
                size = len(data.tokens[name][label])
                np.testing.assert_array_equal(values[:size], data.tokens[name][label])
                np.testing.assert_array_equal(mask[:size], data.masks[name][label])
                assert not values[size:].any()
                assert not mask[size:].any()
                assert len(mask) >= 1
    assert sorted(seen) == list(range(10))
    assert dataset.element_spec[0]["text"].shape.as_list() == [None, None, 4]


def test_batches_of_a_bucket_have_the_same_shape(data):
    dataset = sequence_dataset(data, batch_size=2, num_buckets=3)
    shapes = {(x["text"].shape[1], x["audio"].shape[1]) for x, _ in dataset}
    assert len(shapes) <= 3


def test_order_depends_on_the_seed_and_the_epoch(data):
    once, again, other = (
        sequence_dataset(data, batch_size=2, num_buckets=2, seed=seed) for seed in (1, 1, 2)
    )
    first, second = read_labels(once), read_labels(once)
    assert first != second
    assert [read_labels(again), read_labels(again)] == [first, second]
    assert read_labels(other) != first
    plain = sequence_dataset(data, batch_size=4, num_buckets=1, shuffle=False)
    assert read_labels(plain) == read_labels(plain) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_custom_labels_and_invalid_arguments(data):
    classes = np.eye(7)[data.seven_classes]
    for batch, labels in sequence_dataset(data, classes, batch_size=5):
        assert labels.shape == (len(batch["text"]), 7)
    with pytest.raises(ValueError, match="`labels` a label for each"):
        sequence_dataset(data, classes[:3])
    with pytest.raises(ValueError, match="`data` must have at least one segment"):
        sequence_dataset(data.select(np.zeros(10, "bool")))
    with pytest.raises(ValueError, match="`num_buckets` must be a positive integer"):
        sequence_dataset(data, num_buckets=0)


def test_buckets_reduce_padding():
    sizes = np.random.default_rng(0).geometric(0.1, 200)
    data = sequences(sizes)
    data = data.select(data.complete)
    sizes = np.array([len(x) for x in data.tokens["text"]])
    shares = [
        measure_padding(sequence_dataset(data, batch_size=8, num_buckets=n))["text"] for n in (1, 8)
    ]
    np.testing.assert_allclose(shares[0], 1 - sizes.mean() / sizes.max())
    assert shares[1] < 0.25 * shares[0]


@pytest.mark.parametrize("num_buckets", [1, 2, 3, 4, 9])
def test_bucket_bounds_minimize_padding(num_buckets):
    lengths = np.random.default_rng(num_buckets).choice([1, 2, 3, 9, 10, 11, 40], 30)

    def cost(bounds):
        return np.array(bounds)[np.searchsorted(bounds, lengths)].sum()

    sizes = np.unique(lengths)
    count = min(num_buckets, len(sizes))
    bounds = compute_bucket_bounds(lengths, num_buckets)
    assert len(bounds) == count
    candidates = itertools.combinations(sizes[:-1], count - 1)
    assert cost(bounds) == min(cost([*candidate, sizes[-1]]) for candidate in candidates)


def test_inconsistent_tokens_and_masks_are_rejected(data):
    with pytest.raises(ValueError, match="Modality 'text' must have tokens for each"):
        SentimentSequences(**{**vars(data), "masks": {**data.masks, "text": data.masks["audio"]}})


def test_fusion_model_trains_on_cmu_mosei(tmp_path):
    data = read_cmu_mosei(write_mosei(tmp_path))
    names = ("text", "audio", "video")
    model = FusionModel({}, FusionBlock(names, combine="gated", dim=4), keras.layers.Dense(1))
    model.compile("sgd", "mae", jit_compile=False)
    batches = sequence_dataset(data, batch_size=2, num_buckets=2)
    history = model.fit(batches, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    # Padding does not change the output: a segment in a batch, and alone.
    data = read_cmu_mosei(tmp_path, align=False)
    inputs, _ = next(iter(sequence_dataset(data, num_buckets=1, shuffle=False)))
    alone = data.select(np.arange(3) == 1)
    alone, _ = next(iter(sequence_dataset(alone)))
    together, alone = model(inputs), model(alone)
    assert together.shape == (3, 1)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)
