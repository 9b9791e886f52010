"""Tests parts at their smallest size on CPUs, with packed files and without TensorFlow."""

import json
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from packed_files import GPU, ROOT, command, environment, run_parts

sys.path.insert(0, str(GPU))

CAPTIONER = "captioner_flickr8k_lite2"
BACKENDS = ["jax", "torch"]


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_published_captioner_gives_the_same_captions(backend, packed, tmp_path, small_network):
    pytest.importorskip(backend)
    from packed import read_photos
    from publish import load_returned, write_preset

    from keras_mmfusion.models import Captioner

    run_parts(backend, packed, "captioner_lite2", "--out", tmp_path, "--tiny", "--steps", 4)
    record = read_json(tmp_path / f"{CAPTIONER}.json")
    assert record["done"]
    assert {"cross_entropy", "self_critical", "reward"} <= set().union(*record["log"])
    assert all(np.isfinite(list(row.values())).all() for row in record["log"])
    model, _ = load_returned(tmp_path / f"{CAPTIONER}.json")
    write_preset(model, tmp_path / "preset")
    loaded = Captioner.from_preset(tmp_path / "preset")
    photos = list(read_photos("dev").pixels)
    assert record["captions"]["greedy"] == loaded.generate(photos, beams=1)
    assert record["captions"]["beams"] == loaded.generate(photos, beams=4)
    assert any(record["captions"]["greedy"])
    assert loaded.image_encoder.dtype_policy.name == "float32"


@pytest.mark.parametrize("backend", BACKENDS)
def test_published_embedder_gives_the_same_cosines(
    backend, packed, tmp_path, small_network, monkeypatch
):
    pytest.importorskip(backend)
    import publish
    from packed import read_photos

    from keras_mmfusion.models import ContrastiveModel

    run_parts(backend, packed, "image_text_info_nce", "--out", tmp_path, "--tiny", "--steps", 2)
    name = "image_text_info_nce"
    record = read_json(tmp_path / f"{name}.json")
    assert record["done"]
    monkeypatch.setattr(publish, "ROOT", packed)
    model, _ = publish.load_returned(tmp_path / f"{name}.json")
    publish.write_preset(model, tmp_path / "preset")
    loaded = ContrastiveModel.from_preset(tmp_path / "preset")
    photos = read_photos("dev")
    images = loaded.embed("image", list(photos.pixels))
    texts = loaded.embed("text", [text for texts in photos.captions for text in texts])
    owners = np.repeat(np.arange(len(photos)), [len(texts) for texts in photos.captions])
    np.testing.assert_allclose(np.sum(images[owners] * texts, axis=1), record["cosines"], atol=2e-3)
    assert 0 <= record["scores"]["image_to_text_recall_at_1_all"] <= 1


def test_killed_run_is_resumed(packed, tmp_path):
    backend = "torch" if keras.config.backend() != "jax" else "jax"
    pytest.importorskip(backend)
    first, second = tmp_path / "first", tmp_path / "second"
    arguments = ["captioner_lite2", "--out", first, "--tiny", "--steps", 400]
    process = subprocess.Popen(command(*arguments), env=environment(backend, packed), cwd=ROOT)
    record = first / f"{CAPTIONER}.json"
    try:
        wait_until(lambda: record.exists() or process.poll() is not None)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = read_json(record)
    assert not before["done"]
    resumed = ["--out", second, "--resume", first, "--tiny", "--steps", 3]
    run_parts(backend, packed, "captioner_lite2", *resumed)
    after = read_json(second / f"{CAPTIONER}.json")
    assert after["done"]
    assert after["steps"] == before["steps"] + 3
    assert after["log"][: len(before["log"])] == before["log"]


def wait_until(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
