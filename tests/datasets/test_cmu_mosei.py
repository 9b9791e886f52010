"""Readers of CMU-MOSEI and CMU-MOSI computational sequences, and of standard folds."""

import json

import numpy as np
import pytest
from datasets.mosei_files import FILES, small_videos, write_mosei, write_sequence

from keras_mmfusion.datasets import (
    align_to_words,
    read_cmu_mosei,
    read_cmu_mosi_sequences,
    read_computational_sequences,
    read_standard_folds,
)


@pytest.fixture
def folder(tmp_path):
    return write_mosei(tmp_path)


def average_over_word(word, intervals, features):
    """Reference for one word, with loops over dimensions and frames."""
    token = []
    for column in features.T:
        pairs = [
            (min(word[1], end) - max(word[0], start), value)
            for (start, end), value in zip(intervals, column, strict=True)
            if min(word[1], end) - max(word[0], start) > 1e-5 and np.isfinite(value)
        ]
        total = sum(weight for weight, _ in pairs)
        token.append(sum(w * value for w, value in pairs) / total if pairs else 0.0)
    return token


def test_segments_have_their_labels_and_texts(folder):
    data = read_cmu_mosei(folder)
    # The second segment of `b` is silent.
    assert data.segment_ids.tolist() == ["a_[x[0]", "a_[x[1]", "b[0]"]
    assert data.video_ids.tolist() == ["a_[x", "a_[x", "b"]
    np.testing.assert_allclose(data.labels, [-1.5, 8 / 3, 0], rtol=1e-6)
    assert data.seven_classes.tolist() == [1, 6, 3]
    assert data.two_classes.tolist() == [0, 1, 1]
    assert data.drop_neutral().two_classes.tolist() == [0, 1]
    assert data.emotions.tolist() == [[0, 0, 1, 0, 0, 0], [2, 0, 0, 0, 0, 0], [0] * 6]
    assert data.binary_emotions.sum(axis=1).tolist() == [1, 1, 0]
    assert data.select(data.labels > 0).emotions.tolist() == [[2, 0, 0, 0, 0, 0]]
    # Words that overlap the segment's boundaries belong to it; pauses are not words.
    assert data.texts.tolist() == ["so naïve größer", "bad really good", "so naïve größer"]
    assert data.complete.tolist() == [True, True, False]


def test_audio_and_video_are_averaged_over_words(folder):
    data, videos = read_cmu_mosei(folder), small_videos()
    word_times, vectors = videos["text"]["a_[x"]
    for segment, words in ((0, slice(0, 3)), (1, slice(3, 6))):
        np.testing.assert_array_equal(data.tokens["text"][segment], vectors[words])
        for name in ("audio", "video"):
            frames = videos[name]["a_[x"]
            expected = [average_over_word(word, *frames) for word in word_times[words]]
            np.testing.assert_allclose(data.tokens[name][segment], expected, rtol=1e-4, atol=1e-6)
    # The audio ends at 3.45 s, before the last word begins.
    assert data.masks["audio"][1].tolist() == [True, True, False]
    assert data.masks["video"][1].tolist() == [True, True, True]
    # Video `b` has no audio entry, and a video entry without rows.
    assert data.tokens["audio"][2].shape == (0, 3)
    assert data.tokens["video"][2].shape == (0, 2)


def test_frames_are_kept_without_alignment(folder):
    data, videos = read_cmu_mosei(folder, align=False), small_videos()
    intervals, features = videos["audio"]["a_[x"]
    order = np.argsort(intervals[:, 0])
    intervals, features = intervals[order], features[order]
    inside = np.minimum(intervals[:, 1], 1.7) - np.maximum(intervals[:, 0], 0.3) > 1e-5
    assert 2 < inside.sum() < len(inside)
    tokens, mask = data.tokens["audio"][0], data.masks["audio"][0]
    expected = np.where(np.isfinite(features[inside]), features[inside], 0)
    np.testing.assert_allclose(tokens, expected, rtol=1e-6)
    assert mask.sum() == inside.sum() - 1  # One frame is NaN.
    assert [len(x) for x in data.tokens["audio"]][2] == 0
    assert data.tokens["audio"][2].shape == (0, 3)


def test_files_with_an_entry_per_word_give_the_same_segments(folder):
    """Files in the format of the SDK's `align`: an entry for each word, `video[3]`."""
    whole = read_cmu_mosei(folder)
    for name, entries in small_videos().items():
        if name in ("text", "video", "labels"):
            apart = {
                f"{video}[{row}]": (intervals[row : row + 1], features[row : row + 1])
                for video, (intervals, features) in entries.items()
                for row in range(len(intervals))
            }
            write_sequence(folder / f"{FILES[name]}.csd", name, apart)
    data = read_cmu_mosei(folder)
    assert data.segment_ids.tolist() == whole.segment_ids.tolist()
    np.testing.assert_array_equal(data.labels, whole.labels)
    for name in whole.modalities:
        for tokens, expected in zip(data.tokens[name], whole.tokens[name], strict=True):
            np.testing.assert_array_equal(tokens, expected)


def test_video_ids_select_videos(folder):
    (folder / "CMU_MOSEI_TimestampedWords.csd").unlink()
    data = read_cmu_mosei(folder, video_ids=["b", "elsewhere"])
    assert data.segment_ids.tolist() == ["b[0]"]
    assert data.texts.tolist() == [""]
    assert data.tokens["text"][0].shape == (3, 4)
    whole = read_cmu_mosei(folder)
    assert whole.select_videos(["b"]).segment_ids.tolist() == ["b[0]"]
    assert len(whole.select(whole.complete)) == 2
    with pytest.raises(ValueError, match="None of the videos of `video_ids`"):
        read_cmu_mosei(folder, video_ids=["elsewhere"])
    for read in (lambda ids: read_cmu_mosei(folder, video_ids=ids), whole.select_videos):
        with pytest.raises(ValueError, match=r"`video_ids` must be a list of strings.*\['ab'\]"):
            read("ab")


def test_repr_shows_the_sizes(folder):
    expected = "SentimentSequences(segments=3, videos=2, modalities=['text', 'audio', 'video'])"
    assert repr(read_cmu_mosei(folder)) == expected


def test_cmu_mosi_sequences_are_read(tmp_path):
    names = {"video": "Visual_Facet_42", "labels": "Opinion_Labels"}
    for name, entries in small_videos().items():
        if name == "labels":
            entries = {video: (times, rows[:, :1]) for video, (times, rows) in entries.items()}
        file = FILES[name].removeprefix("CMU_MOSEI_")
        write_sequence(tmp_path / f"CMU_MOSI_{names.get(name, file)}.csd", name, entries)
    data = read_cmu_mosi_sequences(tmp_path)
    np.testing.assert_allclose(data.labels, [-1.5, 8 / 3, 0], rtol=1e-6)
    assert data.texts[0] == "so naïve größer"
    with pytest.raises(ValueError, match="emotions of these segments are unknown"):
        _ = data.binary_emotions


@pytest.mark.parametrize("read", [read_cmu_mosei, read_cmu_mosi_sequences])
def test_missing_files_are_listed(tmp_path, read):
    with pytest.raises(ValueError, match=r"Missing: .*COVAREP\.csd.*CMU-MultimodalSDK") as error:
        read(tmp_path / "nothing")
    assert "nothing" in str(error.value)


@pytest.mark.parametrize(
    ("name", "entry", "rows", "message"),
    [
        ("labels", "b", np.full((2, 7), np.nan), r"Segment 'b\[0\]' of .*Labels.* from -3 to 3"),
        (
            "labels",
            "b",
            np.full((2, 7), 3.1),
            r"Segment 'b\[0\]' .* from -3 to 3. Received: .*3\.1",
        ),
        (
            "labels",
            "b",
            np.array([[1.0, 0, 0, 4, 0, 0, 0]] * 2),
            r"Segment 'b\[0\]' of .*Labels.* must have emotions from 0 to 3",
        ),
        (
            "text",
            "b",
            np.ones((3, 5)),
            r"Entry '.*' of .*WordVectors.* has 5 features; the first one has 4",
        ),
        ("text", "b", np.array([[b"a"]] * 3), "Video 'b' of .*WordVectors.* must have numbers"),
    ],
)
def test_error_names_the_invalid_entry(folder, name, entry, rows, message):
    entries = small_videos()[name]
    write_sequence(
        folder / f"{FILES[name]}.csd", name, {**entries, entry: (entries[entry][0], rows)}
    )
    with pytest.raises(ValueError, match=message):
        read_cmu_mosei(folder)


def test_labels_without_tokens_are_rejected(folder):
    labels = {"b": (np.array([[7.0, 8.0]]), np.zeros((1, 1)))}
    write_sequence(folder / "CMU_MOSEI_Labels.csd", "labels", labels)
    with pytest.raises(ValueError, match="No segment of .* has a token in any"):
        read_cmu_mosei(folder)


def test_align_to_must_be_a_modality(folder):
    files = {"text": folder / "CMU_MOSEI_TimestampedWordVectors.csd"}
    with pytest.raises(ValueError, match="`align_to` must be one of 'text', or `None`"):
        read_computational_sequences(files, folder / "CMU_MOSEI_Labels.csd", align_to="words")


def test_frames_that_only_touch_a_word_are_ignored():
    words, frames = np.array([[1.0, 2.0]]), np.array([[0.0, 1.0 + 1e-9], [2.0, 3.0], [1.5, 1.5]])
    tokens, mask = align_to_words(words, frames, np.ones((3, 2)))
    assert (tokens == 0).all()
    assert mask.tolist() == [False]


def test_standard_folds_of_python_and_json_files(tmp_path):
    path = tmp_path / "cmu_mosei_std_folds.py"
    path.write_text(
        "import os\nopen(os.path.join(os.getcwd(), 'called'), 'w')\nother = 1 + 1\n"
        "standard_train_fold=['a', \n 'b']\nstandard_valid_fold=['c']\nstandard_test_fold=[]\n"
    )
    expected = {"train": ["a", "b"], "valid": ["c"], "test": []}
    assert read_standard_folds(path) == expected
    other = tmp_path / "folds.json"
    other.write_text(json.dumps(expected))
    assert read_standard_folds(other) == expected
    other.write_text(json.dumps({" train": ["a ", "b"], "valid": ["c"], "test": []}), "utf-16")
    assert read_standard_folds(other) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("folds.py", "folds = ['a']", "must contain lists of video names"),
        ("folds.py", "standard_train_fold = [open('called', 'w')]", "does not contain valid folds"),
        ("folds.py", "standard_train_fold = [", "does not contain valid folds"),
        ("folds.py", "standard_train_fold = [1]", "must contain lists of video names"),
        ("folds.json", "[]", "must contain lists of video names"),
        ("folds.json", "{", "does not contain valid folds"),
        ("folds.json", "caf\udce9", "folds.json' is not UTF-8: line 1 has the byte 0xe9"),
        ("folds.py", "standard_train_fold = {[]: 1}", "does not contain valid folds"),
        ("folds.json", '{"train": ["a", "b"], "test": ["b"]}', "videos in two folds: b"),
    ],
)
def test_invalid_files_of_folds_are_rejected(tmp_path, monkeypatch, name, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content, errors="surrogateescape")
    with pytest.raises(ValueError, match=message):
        read_standard_folds(tmp_path / name)
    assert not (tmp_path / "called").exists()
