"""Reader of the computational sequences of CMU-MultimodalSDK."""

import h5py
import numpy as np
import pytest
from datasets.mosei_files import WORD_TIMES, WORDS, write_sequence

from keras_mmfusion.datasets import ComputationalSequence
from keras_mmfusion.datasets.sentiment.computational_sequence import read_words

TIMES = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
ROWS = np.arange(6, dtype="float32").reshape(3, 2)


@pytest.fixture
def read(tmp_path):
    def read_entries(entries, video="v"):
        path = write_sequence(tmp_path / "some.csd", "COVAREP", entries)
        with ComputationalSequence(path) as sequence:
            return sequence.read(video)

    return read_entries


def test_reads_video_names_and_metadata(tmp_path):
    path = write_sequence(
        tmp_path / "some.csd", "COVAREP", {"v": (TIMES, ROWS), "a[b]": (TIMES, ROWS)}
    )
    with h5py.File(path, "a") as file:
        del file["COVAREP/metadata/dimension names"]
        file.create_dataset("COVAREP/metadata/creator", data=[b"no JSON"])
    with ComputationalSequence(path) as sequence:
        assert sequence.root_name == "COVAREP"
        assert sequence.metadata == {"root name": "COVAREP", "creator": "no JSON"}
        # Only a number in brackets denotes a segment.
        assert sequence.videos == ["a[b]", "v"]
        assert "v" in sequence
        assert "v[0]" not in sequence


def test_rows_are_sorted_by_time(read):
    intervals, features = read({"v": (TIMES[::-1], ROWS)})
    np.testing.assert_array_equal(intervals, TIMES)
    np.testing.assert_array_equal(features, ROWS[::-1])


def test_segments_of_a_video_are_concatenated(read):
    empty = np.zeros((0, 2)), np.zeros(0)
    entries = {"v[10]": (TIMES[2:], ROWS[2:]), "v[2]": (TIMES[:2], ROWS[:2]), "v[3]": empty}
    intervals, features = read({**entries, "v2[0]": (TIMES, ROWS)})
    np.testing.assert_array_equal(intervals, TIMES)
    np.testing.assert_array_equal(features, ROWS)


def test_missing_first_axis_is_added(read):
    intervals, features = read({"v": (TIMES[0], ROWS[0])})
    assert intervals.shape == features.shape == (1, 2)


def test_empty_entries_have_no_rows(read):
    intervals, features = read({"v": (np.zeros(0), np.zeros(0))})
    assert intervals.shape == (0, 2)
    assert len(features) == 0


def test_words_are_read_without_pauses(tmp_path):
    path = write_sequence(
        tmp_path / "w.csd",
        "words",
        {"v": (WORD_TIMES, np.array(WORDS)[:, None]), "numbers": (TIMES, ROWS)},
    )
    with ComputationalSequence(path) as sequence:
        intervals, words = read_words(sequence, "v")
        assert words == ["so", "naïve", "größer", "bad", "really", "good"]
        np.testing.assert_array_equal(intervals, WORD_TIMES[[1, 2, 3, 5, 6, 7]])
        with pytest.raises(ValueError, match=r"Video 'numbers' of .*w\.csd' must have one word"):
            read_words(sequence, "numbers")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"v": (TIMES[:2], ROWS)}, "Entry 'v' of .* has 3 rows of features, but 2 intervals"),
        ({"v": (TIMES.T, ROWS)}, r"Entry 'v' of .* must have intervals \(rows, 2\) .* \(2, 3\)"),
        ({"v[0]": (TIMES, ROWS), "v[1]": (TIMES, ROWS[:, :1])}, r"different sizes: \[1, 2\]"),
    ],
)
def test_error_names_the_invalid_entry(read, entries, message):
    with pytest.raises(ValueError, match=message) as error:
        read(entries)
    assert "some.csd" in str(error.value)


@pytest.mark.parametrize("missing", ["features", "intervals"])
def test_entry_needs_features_and_intervals(tmp_path, missing):
    path = write_sequence(tmp_path / "some.csd", "FACET", {"v": (TIMES, ROWS)})
    with h5py.File(path, "a") as file:
        del file[f"FACET/data/v/{missing}"]
    with (
        ComputationalSequence(path) as sequence,
        pytest.raises(ValueError, match=f"Entry 'v' of .* has no '{missing}'"),
    ):
        sequence.read("v")


def test_other_files_are_rejected(tmp_path):
    path = tmp_path / "some.csd"
    with pytest.raises(FileNotFoundError):
        ComputationalSequence(path)
    path.write_bytes(b"words")
    with pytest.raises(ValueError, match=r"some\.csd' is not an HDF5 file"):
        ComputationalSequence(path)
    with h5py.File(path, "w") as file:
        file["weights"] = [1.0]
    with pytest.raises(ValueError, match=r"some\.csd' is not a computational sequence"):
        ComputationalSequence(path)
