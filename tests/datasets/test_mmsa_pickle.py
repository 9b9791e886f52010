"""The reader of MMSA's files."""

import os
import pickle

import numpy as np
import pytest
from datasets.mosei_files import mmsa_split

from keras_mmfusion.datasets import read_mmsa


@pytest.fixture
def write(tmp_path):
    def write_splits(protocol=4, **splits):
        path = tmp_path / "some_50.pkl"
        path.write_bytes(pickle.dumps(splits, protocol))
        return path

    return write_splits


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("aligned", [True, False])
def test_splits(write, aligned, protocol):
    splits = {"train": mmsa_split(4, aligned), "valid": mmsa_split(2, aligned, seed=1)}
    found = read_mmsa(write(protocol, **splits))
    assert list(found) == ["train", "valid"]
    data, split = found["train"], splits["train"]
    assert data.segment_ids.tolist() == split["id"]
    assert data.video_ids.tolist() == ["video 0", "video 0", "video 1", "video 1"]
    assert data.texts.tolist() == ["so bad", "größer", "", "good"]
    np.testing.assert_allclose(data.labels, split["regression_labels"], rtol=1e-6)
    assert data.seven_classes.tolist() == [1, 4, 3, 3]
    assert data.without_neutral().two_classes.tolist() == [0, 1, 1]
    frames = 1 if aligned else 2
    assert [len(x) for x in data.tokens["text"]] == [3, 6, 2, 5]
    assert [len(x) for x in data.tokens["audio"]] == [3 * frames, 6 * frames, 0, 5 * frames]
    assert [len(x) for x in data.tokens["video"]] == [n * frames for n in (3, 6, 2, 5)]
    assert data.complete.tolist() == [True, True, False, True]
    for name, key in (("text", "text"), ("audio", "audio"), ("video", "vision")):
        for rows, padded in zip(data.tokens[name], split[key], strict=True):
            expected = np.where(np.isfinite(padded), padded, 0)[: len(rows)]
            np.testing.assert_array_equal(rows, expected)


def test_padding_by_the_file_s_own_word(write):
    split = mmsa_split(4, aligned=False)
    split["text"][0, 1] = 0  # A vector of zeros in the middle and at the end is a token still.
    split["audio"][3, 9] = 0
    split["vision_lengths"][1] = 500  # Cut when the file was written.
    split["vision"][0, 6:] = np.nan  # What stands in the padding does not matter.
    split["audio_lengths"] = np.array(split["audio_lengths"])
    data = read_mmsa(write(train=split))["train"]
    assert data.masks["text"][0].tolist() == [True, True, True]
    assert data.masks["audio"][3].tolist() == [True] * 10
    assert len(data.tokens["video"][1]) == 12
    assert len(data.tokens["video"][0]) == 6


def test_padding_without_lengths(write):
    split = mmsa_split(4)
    del split["text_bert"], split["raw_text"]
    split["vision"][1, :2] = 0
    split["text"][3] = np.roll(split["text"][3], 1, axis=0)  # Padding in front, as MulT has it.
    split["id"] = np.array([name.encode() for name in split["id"]])
    data = read_mmsa(write(train=split))["train"]
    assert data.segment_ids[0] == "video 0$_$0"
    assert [len(x) for x in data.tokens["text"]] == [3, 6, 2, 6]
    assert data.masks["text"][3].tolist() == [False] + [True] * 5
    # No face on the first two words; the words keep their places.
    assert data.masks["video"][1].tolist() == [False] * 2 + [True] * 4
    assert data.texts.tolist() == [""] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vision": None}, r"The split 'train' of .*some_50\.pkl has no 'vision'"),
        ({"text": np.zeros((4, 5))}, r"'text' of the split 'train' .* \(4, tokens, dim\)"),
        ({"text": np.zeros((3, 6, 4))}, r"'text' of the split 'train' .* \(3, 6, 4\)"),
        ({"audio": np.full((4, 2, 2), "a")}, "'audio' of the split 'train' .* must be numbers"),
        ({"text_bert": np.zeros((4, 3, 9))}, r"'text_bert' of .* \(4, 3, 6\), not \(4, 3, 9\)"),
        ({"audio_lengths": [1, 2, 3]}, "'audio_lengths' of .* must be a length of each of the 4"),
        ({"audio_lengths": [1, 2, 3, -1]}, "'audio_lengths' of .* must be a length of each"),
        ({"regression_labels": np.ones(3)}, "'regression_labels' of .* of the 4 .* Received: 3"),
        (
            {"regression_labels": np.array([0, 1, np.nan, 4])},
            r"'regression_labels' of .* the one of .*video 1\$_\$2.*: nan",
        ),
        ({"id": np.arange(4)}, "'id' of the split 'train' .* must be a string of each segment"),
        ({"id": [["a"], ["a", "b"]]}, "'id' of the split 'train' .* is no array"),
    ],
)
def test_unfit_entries_are_named(write, changes, message):
    split = {k: v for k, v in {**mmsa_split(), **changes}.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        read_mmsa(write(train=split))


@pytest.mark.parametrize("content", [[], {}, {"train": 1}])
def test_pickles_of_another_kind(tmp_path, content):
    path = tmp_path / "some.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="must (have|be) a dict"):
        read_mmsa(path)


class Call:
    def __reduce__(self):
        return os.system, ("touch called",)


@pytest.mark.parametrize("place", ["split", "entry", "object"])
def test_a_function_in_the_pickle_is_not_called(write, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    split = mmsa_split()
    if place == "entry":
        split["audio"] = Call()
    elif place == "object":
        split["raw_text"] = np.array([Call(), "a", "b", "c"], object)
    path = write(train=split, test=Call() if place == "split" else mmsa_split())
    with pytest.raises(ValueError, match="it names posix.system, which has no place in data"):
        read_mmsa(path)
    assert not (tmp_path / "called").exists()
