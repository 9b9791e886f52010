import json

import pytest

from keras_mmfusion.models.runs.run_record import (
    RECORD,
    check_record,
    compute_folder_digest,
    read_record,
    write_record,
)

CHOICES = "Use another folder."


def test_changed_metadata_raises_an_error_with_differences(tmp_path):
    metadata = {
        "seed": 0,
        "learning_rate": 8e-4,
        "image_size": (32, 32),
        "captions": "6 (sha256 ab)",
    }
    write_record(tmp_path, metadata, image_digests={"state": "content"})
    assert read_record(tmp_path)["image_digests"] == {"state": "content"}
    assert [path.name for path in tmp_path.iterdir()] == [RECORD]
    check_record(tmp_path, metadata, CHOICES)
    check_record(tmp_path, {"seed": 0}, CHOICES)  # Compares only the given entries.
    with pytest.raises(ValueError) as error:
        check_record(tmp_path, {**metadata, "learning_rate": 0.001, "captions": "7"}, CHOICES)
    message = str(error.value)
    assert "learning_rate: 0.0008 -> 0.001; captions: 6 (sha256 ab) -> 7" in message
    assert repr(str(tmp_path)) in message and message.endswith(CHOICES)
    assert "seed" not in message


def test_missing_metadata_counts_as_a_difference(tmp_path):
    write_record(tmp_path, {"seed": 0})
    with pytest.raises(ValueError, match="views: null -> 3"):
        check_record(tmp_path, {"seed": 0, "views": 3}, CHOICES)


def test_folder_without_record_raises_an_error(tmp_path):
    with pytest.raises(ValueError, match="contains results without a fingerprint.json"):
        check_record(tmp_path, {"seed": 0}, CHOICES)


def test_records_are_written_atomically(tmp_path, monkeypatch):
    write_record(tmp_path, {"seed": 0})
    with pytest.raises(TypeError):
        write_record(tmp_path, {"seed": object()})
    assert json.loads((tmp_path / RECORD).read_text("utf-8")) == {"metadata": {"seed": 0}}


def test_folder_digest_depends_on_names_and_contents(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "a.txt").write_text("a")
    assert compute_folder_digest(tmp_path / "one") == compute_folder_digest(tmp_path / "other")
    (tmp_path / "other" / "sub" / "a.txt").write_text("b")
    assert compute_folder_digest(tmp_path / "one") != compute_folder_digest(tmp_path / "other")
    assert compute_folder_digest(tmp_path / "none") is None
