"""Tests the building blocks of parts without training."""

import json
import sys

import keras
import numpy as np
import packed_files
import pytest
from keras import ops

sys.path.insert(0, str(packed_files.GPU))

import outputs
from augment import IDENTITY, augment_photos
from clock import Clock

from keras_mmfusion.datasets.captions.caption_augmentation import augment_array


def photo(size=40):
    """Returns a smooth photo, so that differences in rounding crops are small."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 216, (1, 4, 4, 3)).astype("float32")
    smooth = ops.image.resize(ops.convert_to_tensor(coarse), (size, size), "bilinear")
    return np.round(ops.convert_to_numpy(smooth)[0]).astype("uint8")


@pytest.mark.parametrize("flip", [0.0, 0.9])
def test_augmentation_matches_the_library(flip):
    draws = np.array([0.3, 0.8, 0.4, 0.6, 0.9, 0.2, 0.7, flip], "float32")
    expected, _ = augment_array(photo(), [], draws)
    result = augment_photos(
        ops.convert_to_tensor(photo()[None]), ops.convert_to_tensor(draws[None]), (40, 40)
    )
    result = ops.convert_to_numpy(result)[0] * 128 + 127
    assert np.abs(result - expected).mean() < 1.5
    assert np.abs(result - expected.astype("float32")[:, ::-1]).mean() > 5


def test_identity_augmentation_only_resizes():
    pixels = photo()
    draws = ops.convert_to_tensor(IDENTITY[None])
    result = augment_photos(ops.convert_to_tensor(pixels[None]), draws, (40, 40))
    np.testing.assert_allclose(ops.convert_to_numpy(result)[0] * 128 + 127, pixels, atol=0.01)
    larger = augment_photos(ops.convert_to_tensor(pixels[None]), draws, (60, 60))
    resized = ops.image.resize(
        ops.convert_to_tensor(pixels[None].astype("float32")), (60, 60), "bilinear"
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(larger) * 128 + 127, ops.convert_to_numpy(resized), atol=0.01
    )


def test_outputs_are_written_in_pieces_and_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "PIECE_BYTES", 1000)
    arrays = {str(n): np.full(400, n, "float16") for n in range(4)}
    outputs.write_output(tmp_path, "model", {"steps": 1}, arrays)
    assert all(path.stat().st_size <= 1000 for path in tmp_path.glob("*.npz-*"))
    # New output replaces old output.
    arrays["3"] = arrays["3"] + 1
    outputs.write_output(tmp_path, "model", {"steps": 2}, arrays)
    record, result = outputs.read_output(tmp_path, "model")
    assert record == {"steps": 2}
    assert {name: x[0] for name, x in result.items()} == {"0": 0, "1": 1, "2": 2, "3": 4}
    pieces = json.loads((tmp_path / "model.json").read_text())["pieces"]
    assert sorted(path.name for path in tmp_path.glob("*.npz-*")) == sorted(pieces)
    (tmp_path / pieces[-1]).write_bytes(b"something else")
    with pytest.raises(ValueError, match="damaged"):
        outputs.read_output(tmp_path, "model")
    (tmp_path / pieces[-1]).unlink()
    with pytest.raises(ValueError, match="which is missing"):
        outputs.read_output(tmp_path, "model")


def test_values_beyond_float16_raise_an_error():
    with pytest.raises(ValueError, match="float16"):
        outputs.to_float16_arrays([keras.Variable([1e6])])


def test_clock_reaches_the_end_at_the_deadline(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = Clock(100, progress=0.2)
    now[0] = 50
    clock.tick()
    assert clock.progress == pytest.approx(0.6)
    now[0] = 90  # Compilation does not increase the progress; the rest is faster.
    clock.skip()
    assert clock.progress == pytest.approx(0.6)
    now[0] = 95
    clock.tick()
    assert clock.progress == pytest.approx(0.8)
    now[0] = 120
    clock.tick()
    assert clock.progress == 1


def test_clock_counts_steps():
    clock = Clock(0, progress=0.5, steps=3)
    clock.skip()
    clock.tick()
    assert clock.progress == pytest.approx(0.5 + 1 / 3)
    clock.tick()
    assert clock.progress == 1


def test_caption_loss_equals_both_losses_of_the_library():
    from captioner import compute_caption_loss

    from keras_mmfusion.losses import SelfCriticalLoss, SmoothedCrossEntropy

    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 4, 9)).astype("float32")
    targets = rng.integers(3, 9, (2, 3, 4)).astype("int32")
    weights = rng.random((2, 3, 4)).astype("float32")
    weights[0, 0, 2:] = 0
    targets[0, 0, 2:] = 0  # Padding.
    tensors = [ops.convert_to_tensor(x) for x in (logits, targets)]

    def loss(weights, smoothing, bias):
        scalars = (weights, np.float32(smoothing), bias)
        return float(compute_caption_loss(*tensors, *map(ops.convert_to_tensor, scalars)))

    expected = SmoothedCrossEntropy(0.1)(targets, logits, weights)
    result = loss(weights / weights.sum(), 0.1, np.zeros(9, "float32"))
    assert result == pytest.approx(float(expected), rel=1e-5)
    blocked = np.zeros(9, "float32")
    blocked[:3] = -1e9
    weights -= 0.4 * (weights > 0)  # Advantages may be negative.
    expected = SelfCriticalLoss((0, 1, 2))(targets, logits, weights)
    assert loss(weights, 0, blocked) == pytest.approx(float(expected), rel=1e-5)
