"""The average of the weights of captioners."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_mmfusion.models.captioning import extend_vocabulary

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def modules():
    folders = [str(ROOT / "zoo"), str(ROOT / "tests" / "models" / "captioning")]
    sys.path += folders
    try:
        yield [importlib.import_module(name) for name in ("average_captioners", "small_captioners")]
    finally:
        sys.path[:] = [path for path in sys.path if path not in folders]


def test_shared_weights_are_averaged_and_new_words_keep_theirs(modules):
    averaging, small = modules
    start, other = (small.small_captioner(seed=seed) for seed in (0, 1))
    further = extend_vocabulary(start, ["a zebra"], min_count=1)
    small.enlarge(further, seed=2)
    before = further.get_weights()
    averaging.average_captioners([further, start, other], [0.5, 0.25, 0.25])
    sizes = []
    for found, *arrays in zip(
        further.get_weights(), before, start.get_weights(), other.get_weights(), strict=True
    ):
        rows = len(arrays[1])
        expected = 0.5 * arrays[0][:rows] + 0.25 * arrays[1] + 0.25 * arrays[2]
        np.testing.assert_allclose(found[:rows], expected, atol=1e-5)
        np.testing.assert_allclose(found[rows:], arrays[0][rows:], atol=1e-6)
        sizes.append(len(found) - rows)
    assert sorted(sizes)[-1] == 1 and sum(sizes) == 1
    with pytest.raises(ValueError, match="beginnings of its vocabulary"):
        averaging.average_captioners([start, further], [0.5, 0.5])
    with pytest.raises(ValueError, match="`shares` must have a positive number for each of the 2"):
        averaging.average_captioners([further, start], [1.0])
