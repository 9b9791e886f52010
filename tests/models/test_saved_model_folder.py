import hashlib
import json

import keras
import numpy as np
import pytest

from keras_mmfusion.models.export.saved_model_folder import (
    describe_signatures,
    list_versions,
    write_saved_model,
)

tf = pytest.importorskip("tensorflow")

SPEC = [tf.TensorSpec((None,), "float32", name="x")]


def double(x):
    return {"y": 2 * x}


def write(folder, function=double, **manifest):
    return write_saved_model({"serving_default": (function, SPEC)}, folder, manifest)


def test_versions_are_numbered_consecutively(tmp_path):
    folder = tmp_path / "models" / "doubler"
    assert [write(folder) for _ in range(2)] == [folder / "1", folder / "2"]
    (folder / "41").mkdir()
    (folder / "notes").mkdir()
    assert write(folder) == folder / "42"
    assert list_versions(folder) == [1, 2, 41, 42]
    assert {each.name for each in folder.iterdir()} == {"1", "2", "41", "42", "notes"}


def test_earlier_versions_are_unchanged(tmp_path):
    first = write(tmp_path)
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    write(tmp_path, lambda x: {"y": 3 * x})
    after = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    assert before == after


def test_failed_export_leaves_no_files(tmp_path):
    def fails(x):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        write(tmp_path, fails)
    assert list(tmp_path.iterdir()) == []


def test_concurrent_exports_use_different_versions(tmp_path, monkeypatch):
    # Another process writes version 1 after this one has listed the versions.
    module = "keras_mmfusion.models.export.saved_model_folder.list_versions"

    def interfere(folder):
        found = list_versions(folder)
        if not found:
            (folder / "1").mkdir()
            (folder / "1" / "saved_model.pb").touch()
        return found

    monkeypatch.setattr(module, interfere)
    assert write(tmp_path) == tmp_path / "2"


def test_export_manifest(tmp_path):
    version = write(tmp_path, preset="some preset")
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    assert manifest["preset"] == "some preset"
    assert manifest["software"]["tensorflow"] == tf.__version__
    assert manifest["signatures"] == describe_signatures(version)
    assert manifest["signatures"]["serving_default"] == {
        "inputs": {"x": {"dtype": "float32", "shape": [None]}},
        "outputs": {"y": {"dtype": "float32", "shape": [None]}},
    }
    files = {path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file()}
    assert set(manifest["sha256"]) == files - {"manifest.json"}
    content = (version / "saved_model.pb").read_bytes()
    assert manifest["sha256"]["saved_model.pb"] == hashlib.sha256(content).hexdigest()


def test_warmup_requests(tmp_path):
    logs = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2", reason="needs the extra `serving`"
    )
    requests = [
        ("serving_default", {"x": np.array([1.0, 2.0], "float32")}),
        ("another", {"files": [b"\x00\xff" * 500], "names": ["a"]}),
    ]
    version = write_saved_model({"serving_default": (double, SPEC)}, tmp_path, {}, (), requests)
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    records = [each.numpy() for each in tf.data.TFRecordDataset(str(path))]
    found = [logs.PredictionLog.FromString(each).predict_log.request for each in records]
    assert [each.model_spec.signature_name for each in found] == ["serving_default", "another"]
    assert set(found[1].inputs) == {"files", "names"}
    np.testing.assert_array_equal(tf.make_ndarray(found[0].inputs["x"]), [1, 2])
    assert tf.make_ndarray(found[1].inputs["files"]).tolist() == [b"\x00\xff" * 500]
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    assert path.relative_to(version).as_posix() in manifest["sha256"]


def test_exported_function_runs(tmp_path):
    version = write(tmp_path)
    assert not (version / "assets.extra").exists()  # No warmup requests were given.
    signature = tf.saved_model.load(version).signatures["serving_default"]
    np.testing.assert_array_equal(signature(x=tf.constant([1.0, 2.0]))["y"], [2, 4])


def test_file_as_folder_raises_an_error(tmp_path):
    path = tmp_path / "model"
    path.touch()
    with pytest.raises(ValueError, match="`folder` must be a folder"):
        write(path)


def test_other_backends_raise_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        write(tmp_path / "model")
    assert not (tmp_path / "model").exists()
