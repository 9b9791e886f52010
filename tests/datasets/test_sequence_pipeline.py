"""Batches of sequences: padded, masked, of one length."""

import itertools

import keras
import numpy as np
import pytest
from datasets.mosei_files import write_mosei

from keras_mmfusion import FusionBlock
from keras_mmfusion.datasets import (
    SentimentSequences,
    padding_share,
    read_cmu_mosei,
    sequence_dataset,
)
from keras_mmfusion.datasets.sentiment.sequence_pipeline import bucket_bounds
from keras_mmfusion.models import FusionModel


def sequences(sizes, seed=0):
    """Text of these sizes, and audio of twice as many frames but every fourth without."""
    rng = np.random.default_rng(seed)
    frames = [0 if i % 4 == 3 else 2 * size for i, size in enumerate(sizes)]
    text = [rng.normal(size=(size, 4)).astype("float32") for size in sizes]
    audio = [rng.normal(size=(size, 3)).astype("float32") for size in frames]
    masks = [np.arange(size) != 1 for size in frames]  # A hole.
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


def order_of(dataset):
    return [labels.numpy().astype(int).tolist() for _, labels in dataset]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("num_buckets", [1, 3, 100])
def test_every_segment_comes_once_with_its_tokens(data, shuffle, num_buckets):
    dataset = sequence_dataset(data, batch_size=3, num_buckets=num_buckets, shuffle=shuffle)
    assert len(order_of(dataset)) == len(dataset)
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


def test_a_bucket_has_one_shape(data):
    dataset = sequence_dataset(data, batch_size=2, num_buckets=3)
    shapes = {(x["text"].shape[1], x["audio"].shape[1]) for x, _ in dataset}
    assert len(shapes) <= 3


def test_order_is_of_the_seed_and_new_each_epoch(data):
    once, again, other = (
        sequence_dataset(data, batch_size=2, num_buckets=2, seed=seed) for seed in (1, 1, 2)
    )
    first, second = order_of(once), order_of(once)
    assert first != second
    assert [order_of(again), order_of(again)] == [first, second]
    assert order_of(other) != first
    plain = sequence_dataset(data, batch_size=4, num_buckets=1, shuffle=False)
    assert order_of(plain) == order_of(plain) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_other_labels(data):
    classes = np.eye(7)[data.seven_classes]
    for batch, labels in sequence_dataset(data, classes, batch_size=5):
        assert labels.shape == (len(batch["text"]), 7)
    with pytest.raises(ValueError, match="`labels` must have one of each segment"):
        sequence_dataset(data, classes[:3])
    with pytest.raises(ValueError, match="`data` at least one"):
        sequence_dataset(data.take(np.zeros(10, "bool")))
    with pytest.raises(ValueError, match="`num_buckets` must be a positive integer"):
        sequence_dataset(data, num_buckets=0)


def test_buckets_save_padding():
    sizes = np.random.default_rng(0).geometric(0.1, 200)
    data = sequences(sizes)
    data = data.take(data.complete)
    sizes = np.array([len(x) for x in data.tokens["text"]])
    shares = [
        padding_share(sequence_dataset(data, batch_size=8, num_buckets=n))["text"] for n in (1, 8)
    ]
    np.testing.assert_allclose(shares[0], 1 - sizes.mean() / sizes.max())
    assert shares[1] < 0.25 * shares[0]


@pytest.mark.parametrize("num_buckets", [1, 2, 3, 4, 9])
def test_bounds_waste_least(num_buckets):
    lengths = np.random.default_rng(num_buckets).choice([1, 2, 3, 9, 10, 11, 40], 30)

    def cost(bounds):
        return np.array(bounds)[np.searchsorted(bounds, lengths)].sum()

    sizes = np.unique(lengths)
    count = min(num_buckets, len(sizes))
    found = bucket_bounds(lengths, num_buckets)
    assert len(found) == count
    best = min(cost([*some, sizes[-1]]) for some in itertools.combinations(sizes[:-1], count - 1))
    assert cost(found) == best


def test_tokens_and_masks_must_fit(data):
    with pytest.raises(ValueError, match="Modality 'text' must have tokens of each"):
        SentimentSequences(**{**vars(data), "masks": {**data.masks, "text": data.masks["audio"]}})


def test_a_fusion_model_learns_from_the_files(tmp_path):
    data = read_cmu_mosei(write_mosei(tmp_path))
    names = ("text", "audio", "video")
    model = FusionModel({}, FusionBlock(names, combine="gated", dim=4), keras.layers.Dense(1))
    model.compile("sgd", "mae", jit_compile=False)
    batches = sequence_dataset(data, batch_size=2, num_buckets=2)
    history = model.fit(batches, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    # Padding changes nothing: frames in one batch, and those of a segment alone.
    data = read_cmu_mosei(tmp_path, align=False)
    inputs, _ = next(iter(sequence_dataset(data, num_buckets=1, shuffle=False)))
    alone = data.take(np.arange(3) == 1)
    alone, _ = next(iter(sequence_dataset(alone)))
    together, alone = model(inputs), model(alone)
    assert together.shape == (3, 1)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)
