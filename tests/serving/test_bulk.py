"""Tests bulk captioning with one and two workers, and after an interruption."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

tf = pytest.importorskip("tensorflow")
pytest.importorskip("apache_beam", reason="needs the extra `beam`")

from apache_beam.runners.portability.fn_api_runner import fn_runner  # noqa: E402
from apache_beam.runners.worker.worker_pool_main import (  # noqa: E402
    BeamFnExternalWorkerPoolServicer,
)
from models.captioning.small_captioners import small_captioner, write_images  # noqa: E402
from PIL import Image  # noqa: E402

from keras_mmfusion.cli.app import app  # noqa: E402
from keras_mmfusion.models.export.saved_model_folder import MANIFEST  # noqa: E402
from keras_mmfusion.serving import caption_in_bulk  # noqa: E402
from keras_mmfusion.serving.bulk.shard_images import (  # noqa: E402
    ShardImage,
    batch_by_pixels,
    count_pixels,
)
from keras_mmfusion.serving.bulk.shard_plan import make_plan, read_pending_shards  # noqa: E402


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder of photos and invalid files, the captions of a model, and the exported model."""
    folder = tmp_path_factory.mktemp("bulk")
    photos = folder / "photos [1]"  # All paths contain pattern characters.
    photos.mkdir()
    paths, _ = write_images(photos, 7)
    (photos / "empty.png").touch()
    (photos / "text.png").write_text("no image")
    model = small_captioner()
    version = model.export(folder / "model [1]", beams=2)
    expected = dict(zip(paths, model.generate(paths, beams=2), strict=True))
    return photos, expected, version


def read_rows(out, kind="captions"):
    files = sorted(out.glob(f"{kind}-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def read_captions(out):
    """Reads captions by image; fails if an image has several."""
    rows = read_rows(out)
    by_image = {row["image"]: row["caption"] for row in rows}
    assert len(by_image) == len(rows)
    return by_image


def test_every_image_is_captioned_once_and_missing_shards_are_resumed(work, tmp_path, monkeypatch):
    photos, expected, version = work
    loaded = []
    load = tf.saved_model.load
    monkeypatch.setattr(tf.saved_model, "load", lambda path: loaded.append(path) or load(path))
    out = tmp_path / "run [1]"
    arguments = (str(photos / "*.png"), out, version)
    assert caption_in_bulk(*arguments, images_per_shard=2) == {
        "shards": 5,
        "captions": 7,
        "errors": 2,
    }
    assert read_captions(out) == expected
    assert all(row["score"] < 0 for row in read_rows(out))
    assert read_rows(out, "errors") == [
        {"image": str(photos / "empty.png"), "error": "empty"},
        {
            "image": str(photos / "text.png"),
            "error": "The image of 8 bytes is not an image of a format that Pillow reads.",
        },
    ]
    assert len(loaded) == 1  # Once, not per shard.

    # Only the missing shard is captioned again, even if there are new images.
    missing = out / "captions-00002-of-00005.jsonl"
    missing.unlink()
    (out / ".part-0-captions").touch()  # The file of an interrupted worker.
    others = {path: path.stat().st_mtime_ns for path in out.glob("captions-*")}
    write_images(photos, 8)
    try:
        with pytest.warns(UserWarning, match=r"have changed since .*files: \d+ \(.* new files are"):
            assert caption_in_bulk(*arguments, images_per_shard=2)["captions"] == 2
    finally:
        (photos / "7.png").unlink()
    assert read_captions(out) == expected
    assert {path: path.stat().st_mtime_ns for path in others} == others
    assert not list(out.glob(".part-*"))

    with pytest.raises(ValueError, match="other settings: images_per_shard: 2 -> 3"):
        caption_in_bulk(*arguments, images_per_shard=3)
    assert read_captions(out) == expected


def test_files_that_only_pillow_decodes_are_captioned(work, tmp_path):
    photos, expected, version = work
    frames = [Image.open(photos / f"{index}.png") for index in range(2)]
    frames[0].save(tmp_path / "a.tif")
    frames[0].save(tmp_path / "b.webp", save_all=True, append_images=frames[1:], lossless=True)
    (tmp_path / "c.tif").write_bytes((photos / "1.png").read_bytes())
    (tmp_path / "d.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    frames[1].putalpha(0)
    frames[1].save(tmp_path / "e.tif")
    # As the model of a public checkpoint, which ignores transparency.
    model = shutil.copytree(version, tmp_path / "model")
    manifest = json.loads((model / MANIFEST).read_text("utf-8"))
    assert manifest["drop_alpha"] is False
    (model / MANIFEST).write_text(json.dumps({**manifest, "drop_alpha": True}), "utf-8")
    out = tmp_path / "out"
    counts = caption_in_bulk(f"{tmp_path}/*.*", out, model)
    assert counts == {"shards": 1, "captions": 4, "errors": 1}
    first, second = (expected[str(photos / f"{index}.png")] for index in range(2))
    assert list(read_captions(out).values()) == [first, first, second, second]
    scores = [row["score"] for row in read_rows(out)]
    assert scores[1] == pytest.approx(scores[0], rel=1e-5)
    assert scores[2] != pytest.approx(scores[0], rel=1e-3)
    assert scores[3] == pytest.approx(scores[2], rel=1e-5)
    assert "is a HEIC (HEIF) photo" in read_rows(out, "errors")[0]["error"]


def serialize_example(**features):
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_pattern_matches_folders_of_any_depth(tmp_path):
    paths = [tmp_path / "photos" / folder / "1.png" for folder in ("", "a", "a/b")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    plan, _ = make_plan(f"{tmp_path}/photos/**/*.png", str(tmp_path), "model", 10, "jsonl")
    (shard,) = read_pending_shards(plan)
    assert sorted(shard.files) == sorted(map(str, paths))


def test_tfrecords_are_read_and_written(work, tmp_path):
    photos, expected, version = work
    content = (photos / "1.png").read_bytes()
    plain = str(tmp_path / "a.tfrecord")
    compressed = str(tmp_path / "b.tfrecord.gz")
    with tf.io.TFRecordWriter(plain) as writer:
        writer.write(
            serialize_example(**{"image/encoded": content, "image/filename": "grün".encode()})
        )
        writer.write(serialize_example(image=content))
        writer.write(b"\xff no example")
    with tf.io.TFRecordWriter(compressed, "GZIP") as writer:
        writer.write(serialize_example(**{"image/encoded": content}))
    damaged = Path(str(tmp_path / "c.tfrecord"))
    damaged.write_bytes(Path(plain).read_bytes()[:-5])
    (tmp_path / "d.tfrecord.gz").write_bytes(Path(compressed).read_bytes()[:20] + b"no gzip")
    out = tmp_path / "out"
    counts = caption_in_bulk(str(tmp_path / "*.tfrecord*"), out, version, output_format="tfrecords")
    assert counts == {"shards": 4, "captions": 3, "errors": 5}
    records = [
        tf.train.Example.FromString(record).features.feature
        for path in sorted(map(str, out.glob("captions-*.tfrecord")))
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator()
    ]
    caption = expected[str(photos / "1.png")]
    assert [each["caption"].bytes_list.value[0].decode() for each in records] == [caption] * 3
    assert records[0]["image"].bytes_list.value[0].decode() == f"{plain}#0"
    assert records[0]["filename"].bytes_list.value[0].decode() == "grün"
    assert records[0]["score"].float_list.value[0] < 0
    assert records[1]["image"].bytes_list.value[0].decode() == f"{compressed}#0"
    errors = {row["image"]: row["error"] for row in read_rows(out, "errors")}
    assert errors[f"{plain}#1"] == errors[f"{damaged}#1"] == "no feature 'image/encoded'"
    assert errors[f"{plain}#2"] == "not a tf.train.Example"
    for unreadable in (f"{damaged}#2", f"{tmp_path}/d.tfrecord.gz#0"):
        assert errors[unreadable].startswith("unreadable from here on: ")


def test_killed_run_is_resumed(work, tmp_path):
    photos, expected, version = work
    many = tmp_path / "many?*"
    many.mkdir()
    for index in range(150):
        (many / f"{index}.png").write_bytes((photos / f"{index % 7}.png").read_bytes())
    out = tmp_path / "run [1]"
    command = ["caption-dataset", "--input", f"{many}/*.png", "--out", str(out)]
    command += ["--saved-model", str(version), "--images-per-shard", "2"]
    run = subprocess.Popen([sys.executable, "-m", "keras_mmfusion.cli.main", *command])
    deadline = time.monotonic() + 300
    while not list(out.glob("captions-*")):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in out.glob("captions-*")}
    assert 0 < len(before) < 75
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    assert "loading Apache Beam and TensorFlow" in again.stderr.splitlines()[0]
    assert "150 of 150 images, 75 of 75 shards, finished after" in again.stderr.splitlines()[-1]
    assert json.loads(again.stdout)["captions"] == 150 - 2 * len(before)
    assert len(read_captions(out)) == 150
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_two_worker_processes_caption_every_image_once(work, tmp_path, monkeypatch):
    photos, expected, version = work
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    flags = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    counts = caption_in_bulk(str(photos / "*.png"), tmp_path, version, flags, images_per_shard=1)
    assert counts == {"shards": 9, "captions": 7, "errors": 2}
    assert read_captions(tmp_path) == expected


def test_portable_runner_with_two_workers_captions_every_image_once(work, tmp_path, monkeypatch):
    photos, expected, version = work
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    # Beam starts its workers as `python`, so the running interpreter must come first in PATH.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")

    class TwoWorkers(fn_runner.FnApiRunner):
        """Beam's job server has one worker and no flag to change that."""

        def __init__(self, **settings):
            super().__init__(**settings)
            self._num_workers = 2

    monkeypatch.setattr(fn_runner, "FnApiRunner", TwoWorkers)
    started = []
    start = BeamFnExternalWorkerPoolServicer.StartWorker

    def start_and_count(self, request, context):
        started.append(request.worker_id)
        return start(self, request, context)

    monkeypatch.setattr(BeamFnExternalWorkerPoolServicer, "StartWorker", start_and_count)
    flags = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"]
    flags += ["--experiments=use_loopback_process_worker"]
    counts = caption_in_bulk(str(photos / "*.png"), tmp_path, version, flags, images_per_shard=1)
    assert counts == {"shards": 9, "captions": 7, "errors": 2}
    assert read_captions(tmp_path) == expected
    assert len(set(started)) == 2


def test_batches_are_limited_by_pixels_and_images(work):
    photos, _, _ = work
    image = ShardImage("a", (photos / "0.png").read_bytes())
    assert count_pixels(image.content) == 40 * 36
    broken = ShardImage("b", b"no image")
    sizes = [len(batch) for batch in batch_by_pixels([image] * 5 + [broken] * 3, 2 * 40 * 36)]
    assert sizes == [2, 2, 4]
    assert [len(batch) for batch in batch_by_pixels([image] * 5, max_images=4)] == [4, 1]
    assert [len(batch) for batch in batch_by_pixels([image] * 2, max_pixels=1)] == [1, 1]


def test_invalid_arguments_raise_an_error(work, tmp_path):
    photos, _, version = work
    with pytest.raises(ValueError, match=r"`images` must be a pattern of files, .*\*\*/\*\.jpg"):
        caption_in_bulk(str(photos), tmp_path / "out", version)
    with pytest.raises(ValueError, match=r"No file matches `images`. .*nothing\*"):
        caption_in_bulk(str(photos / "nothing*"), tmp_path / "out", version)
    with pytest.raises(ValueError, match="`model` must be the folder of a version"):
        caption_in_bulk(str(photos / "*"), tmp_path / "out", version.parent)
    with pytest.raises(ValueError, match="Unknown Apache Beam flags: beam_width"):
        caption_in_bulk(str(photos / "*"), tmp_path / "out", version, ["--beam_width=3"])
    with pytest.raises(ValueError, match="`output_format` must be one of 'jsonl', 'tfrecords'"):
        caption_in_bulk(str(photos / "*"), tmp_path / "out", version, output_format="csv")
