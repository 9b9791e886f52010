"""Reader of the pickles of MMSA."""

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
def test_reads_all_splits(write, aligned, protocol):
    splits = {"train": mmsa_split(4, aligned), "valid": mmsa_split(2, aligned, seed=1)}
    result = read_mmsa(write(protocol, **splits))
    assert list(result) == ["train", "valid"]
    data, split = result["train"], splits["train"]
    assert data.segment_ids.tolist() == split["id"]
    assert data.video_ids.tolist() == ["video 0", "video 0", "video 1", "video 1"]
    assert data.texts.tolist() == ["so bad", "größer", "", "good"]
    np.testing.assert_allclose(data.labels, split["regression_labels"], rtol=1e-6)
    assert data.seven_classes.tolist() == [1, 4, 3, 3]
    assert data.drop_neutral().two_classes.tolist() == [0, 1, 1]
    frames = 1 if aligned else 2
    assert [len(x) for x in data.tokens["text"]] == [3, 6, 2, 5]
    assert [len(x) for x in data.tokens["audio"]] == [3 * frames, 6 * frames, 0, 5 * frames]
    assert [len(x) for x in data.tokens["video"]] == [n * frames for n in (3, 6, 2, 5)]
    assert data.complete.tolist() == [True, True, False, True]
    for name, key in (("text", "text"), ("audio", "audio"), ("video", "vision")):
        for rows, padded in zip(data.tokens[name], split[key], strict=True):
            expected = np.where(np.isfinite(padded), padded, 0)[: len(rows)]
            np.testing.assert_array_equal(rows, expected)


def test_padding_is_removed_by_masks_and_lengths(write):
    split = mmsa_split(4, aligned=False)
    split["text"][0, 1] = 0  # Zero vectors in the middle and at the end are tokens.
    split["audio"][3, 9] = 0
    split["vision_lengths"][1] = 500  # Truncated by MMSA.
    split["vision"][0, 6:] = np.nan  # Values of the padding are ignored.
    split["audio_lengths"] = np.array(split["audio_lengths"])
    data = read_mmsa(write(train=split))["train"]
    assert data.masks["text"][0].tolist() == [True, True, True]
    assert data.masks["audio"][3].tolist() == [True] * 10
    assert len(data.tokens["video"][1]) == 12
    assert len(data.tokens["video"][0]) == 6


def test_padding_is_removed_without_masks_and_lengths(write):
    split = mmsa_split(4)
    del split["text_bert"], split["raw_text"]
    split["vision"][1, :2] = 0
    split["text"][3] = np.roll(split["text"][3], 1, axis=0)  # Padding at the start, as in MulT.
    split["id"] = np.array([name.encode() for name in split["id"]])
    data = read_mmsa(write(train=split))["train"]
    assert data.segment_ids[0] == "video 0$_$0"
    assert [len(x) for x in data.tokens["text"]] == [3, 6, 2, 6]
    assert data.masks["text"][3].tolist() == [False] + [True] * 5
    # No face on the first two words; the words keep their positions.
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
        (
            {"audio_lengths": [1, 2, 3]},
            "'audio_lengths' of .* must have a length for each of the 4",
        ),
        ({"audio_lengths": [1, 2, 3, -1]}, "'audio_lengths' of .* must have a length for each"),
        ({"regression_labels": np.ones(3)}, "'regression_labels' of .* of the 4 .* Received: 3"),
        (
            {"regression_labels": np.array([0, 1, np.nan, 4])},
            r"'regression_labels' of .* Received: nan for .*video 1\$_\$2",
        ),
        ({"id": np.arange(4)}, "'id' of the split 'train' .* must have a string for each segment"),
        ({"id": [["a"], ["a", "b"]]}, "'id' of the split 'train' .* is not an array"),
    ],
)
def test_error_names_the_invalid_entry(write, changes, message):
    split = {k: v for k, v in {**mmsa_split(), **changes}.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        read_mmsa(write(train=split))


@pytest.mark.parametrize("content", [[], {}, {"train": 1}])
def test_other_pickles_are_rejected(tmp_path, content):
    path = tmp_path / "some.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="must (contain|be) a dict"):
        read_mmsa(path)


class Call:
    def __reduce__(self):
        return os.system, ("touch called",)


@pytest.mark.parametrize("position", ["split", "entry", "object"])
def test_functions_in_the_pickle_are_not_called(write, tmp_path, monkeypatch, position):
    monkeypatch.chdir(tmp_path)
    split = mmsa_split()
    if position == "entry":
        split["audio"] = Call()
    elif position == "object":
        split["raw_text"] = np.array([Call(), "a", "b", "c"], object)
    path = write(train=split, test=Call() if position == "split" else mmsa_split())
    with pytest.raises(ValueError, match="it refers to posix.system, which is not allowed"):
        read_mmsa(path)
    assert not (tmp_path / "called").exists()
