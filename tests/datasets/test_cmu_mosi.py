"""The reader of CMU-MOSI's features."""

import numpy as np
import pytest

from keras_mmfusion.datasets import read_cmu_mosi

IDS = ["b_x_10", "a_2", "b_x_9", "a_1", "b_x_11", "c_7"]


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "text": rng.normal(size=(6, 4)).astype("float32"),
        "audio": rng.normal(size=(6, 3)),
        "video": rng.normal(size=(6, 2)).astype("float32"),
        "label": np.array([0, 1, 1, 0, 1, 0]),
        "video_id": np.array([name.rpartition("_")[0] for name in IDS]),
        "utterance_id": np.array(IDS),
    }


@pytest.fixture
def read(arrays, tmp_path):
    def read_with(**changes):
        path = tmp_path / "train.npz"
        np.savez(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
        return read_cmu_mosi(path)

    return read_with


def test_utterances_come_in_the_order_in_which_they_were_said(read, arrays):
    data = read()
    assert len(data) == 6
    assert data.utterance_ids.tolist() == ["a_1", "a_2", "b_x_9", "b_x_10", "b_x_11", "c_7"]
    order = [IDS.index(name) for name in data.utterance_ids]
    np.testing.assert_array_equal(data.labels, arrays["label"][order])
    for name, x in data.features.items():
        assert x.dtype == "float32"
        np.testing.assert_allclose(x, arrays[name][order], rtol=1e-6)


def test_a_video_is_a_sequence_of_its_utterances(read):
    data = read()
    features, labels, mask = data.by_video()
    assert mask.tolist() == [[True, True, False], [True] * 3, [True, False, False]]
    np.testing.assert_array_equal(labels[mask], data.labels)
    for name, x in features.items():
        np.testing.assert_array_equal(x[mask], data.features[name])
        assert (x[~mask] == 0).all()


def test_folds_hold_out_whole_videos(read):
    data = read()
    folds = data.folds(3, seed=1)
    assert sorted(set(folds.tolist())) == [0, 1, 2]
    for video in ("a", "b_x", "c"):
        assert len(set(folds[data.video_ids == video].tolist())) == 1
    np.testing.assert_array_equal(folds, data.folds(3, seed=1))
    with pytest.raises(ValueError, match="`count` must be from 2 to the number of videos, 3"):
        data.folds(4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": None}, "has no array 'audio'; it needs text, audio, video, label"),
        ({"label": np.zeros(5, int)}, "differ in length"),
    ],
)
def test_unfit_files(read, changes, message):
    with pytest.raises(ValueError, match=message):
        read(**changes)
