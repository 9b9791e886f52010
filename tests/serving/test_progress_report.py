"""Tests the progress report of bulk captioning, on a terminal and in a file."""

import io
import json
import sys

import pytest

pytest.importorskip("apache_beam", reason="needs the extra `beam`")

from keras_mmfusion.serving.bulk import progress_report
from keras_mmfusion.serving.bulk.progress_report import LOCAL_WORK, ProgressReport


@pytest.fixture
def clock(monkeypatch):
    """Returns a function that sets the time in seconds."""
    times = [100.0]
    monkeypatch.setattr(progress_report.time, "monotonic", lambda: times[0])

    def set_time(seconds):
        times[0] = 100.0 + seconds

    return set_time


def write_plan(folder, shards):
    lines = [{"shards": len(shards), "output_format": "jsonl"}]
    lines += [{"files": files} for files in shards]
    plan = folder / "plan.jsonl"
    plan.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(plan)


def finish(folder, number, count):
    (folder / f"captions-{number:05d}-of-{count:05d}.jsonl").touch()


def test_progress_of_image_files_counts_all_workers(tmp_path, clock):
    plan = write_plan(tmp_path, [["a.png"] * 1000, ["b.png"] * 1000, ["c.png"] * 500])
    finish(tmp_path, 0, 3)  # From an earlier run.
    report = ProgressReport(plan, str(tmp_path))
    start = "mmfusion: 1,000 of 2,500 images, 1 of 3 shards, "
    assert report.format_line() == start + "waiting for a worker (0:00:00)"
    LOCAL_WORK.stage = "loading the model"
    clock(20)
    assert report.format_line() == start + "loading the model (0:00:20)"
    clock(30)
    LOCAL_WORK.add(200)
    expected = "mmfusion: 1,200 of 2,500 images, 1 of 3 shards, 20.0 images/s, 0:01:05 left"
    assert report.format_line() == expected
    clock(70)
    finish(tmp_path, 1, 3)  # From a worker in another process.
    expected = "mmfusion: 2,000 of 2,500 images, 2 of 3 shards, 20.0 images/s, 0:00:25 left"
    assert report.format_line() == expected
    expected = "mmfusion: 2,000 of 2,500 images, 2 of 3 shards, finished after 0:01:10"
    assert report.format_line(is_finished=True) == expected


def test_progress_of_tfrecords_has_no_total(tmp_path, clock):
    report = ProgressReport(write_plan(tmp_path, [["a.tfrecord"], ["b.tfrecord"]]), str(tmp_path))
    report.format_line()
    clock(10)
    LOCAL_WORK.add(50)
    assert report.format_line() == "mmfusion: 50 images, 0 of 2 shards, 5.0 images/s"
    finish(tmp_path, 0, 2)
    assert report.format_line() == "mmfusion: 50 images, 1 of 2 shards, 5.0 images/s, 0:00:10 left"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_report_prints_the_first_and_the_last_line(tmp_path, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    plan = write_plan(tmp_path, [["a.png"]])
    with pytest.raises(KeyError), ProgressReport(plan, str(tmp_path)):
        raise KeyError("from the pipeline")
    written = sys.stderr.getvalue()
    state = "mmfusion: 0 of 1 images, 0 of 1 shards, "
    first, last = state + "waiting for a worker (0:00:00)", state + "finished after 0:00:00"
    if stream is Terminal:
        assert written == f"\r{first}\x1b[K\r{last}\x1b[K\n"
    else:
        assert written == f"{first}\n{last}\n"
