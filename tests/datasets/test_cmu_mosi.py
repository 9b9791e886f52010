"""Reader of the utterance features of CMU-MOSI."""

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


def test_utterances_are_in_chronological_order(read, arrays):
    data = read()
    assert len(data) == 6
    assert data.utterance_ids.tolist() == ["a_1", "a_2", "b_x_9", "b_x_10", "b_x_11", "c_7"]
    order = [IDS.index(name) for name in data.utterance_ids]
    np.testing.assert_array_equal(data.labels, arrays["label"][order])
    for name, x in data.features.items():
        assert x.dtype == "float32"
        np.testing.assert_allclose(x, arrays[name][order], rtol=1e-6)


def test_utterances_are_grouped_and_padded_by_video(read):
    data = read()
    features, labels, mask = data.group_by_video()
    assert mask.tolist() == [[True, True, False], [True] * 3, [True, False, False]]
    np.testing.assert_array_equal(labels[mask], data.labels)
    for name, x in features.items():
        np.testing.assert_array_equal(x[mask], data.features[name])
        assert (x[~mask] == 0).all()


def test_folds_hold_out_whole_videos(read):
    data = read()
    folds = data.assign_folds(3, seed=1)
    assert sorted(set(folds.tolist())) == [0, 1, 2]
    for video in ("a", "b_x", "c"):
        assert len(set(folds[data.video_ids == video].tolist())) == 1
    np.testing.assert_array_equal(folds, data.assign_folds(3, seed=1))
    with pytest.raises(ValueError, match="`count` must be from 2 to the number of videos, 3"):
        data.assign_folds(4)


NAN = np.array([[0.0], [0.0], [np.nan], [0.0], [0.0], [0.0]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": None}, "has no array 'audio'; it needs text, audio, video, label"),
        ({"label": np.zeros(5, int)}, "have different lengths"),
        ({"text": np.zeros(6)}, r"Array 'text' .* must be floats \(utterances, dim\), not float64"),
        ({"video": NAN}, "Array 'video' .* has NaN or infinity, first in row 2, column 0"),
        ({"label": np.array([0, 1, 2, 0, 1, 0])}, "Array 'label' .* must be 0 .negative. or 1"),
        ({"video_id": np.arange(6)}, "Array 'video_id' .* must have a string for each"),
        ({"utterance_id": np.array(["a_1", "a"] * 3)}, "Array 'utterance_id' .* number, not 'a'"),
        ({"audio": np.array([{}] * 6)}, "Array 'audio' .* Pickled objects are never loaded"),
    ],
)
def test_error_names_the_invalid_array(read, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        read(**changes)
    assert "train.npz" in str(error.value)


def test_empty_arrays_are_rejected(read, arrays):
    with pytest.raises(ValueError, match="there must be an utterance"):
        read(**{name: array[:0] for name, array in arrays.items()})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\n", "not a valid .npz file"),
        (b"", "not a valid .npz file"),
        (b"PK\x03\x04...", "not a valid .npz file"),
    ],
)
def test_other_files_are_rejected(tmp_path, content, message):
    path = tmp_path / "train.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_cmu_mosi(path)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="contains a single array"):
        read_cmu_mosi(path)


def test_repr_shows_the_sizes(read):
    dims = {"text": 4, "audio": 3, "video": 2}
    assert repr(read()) == f"SentimentUtterances(utterances=6, videos=3, dims={dims})"
