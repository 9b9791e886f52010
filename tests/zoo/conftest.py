import hashlib
import json
import random

import http_server
import pytest

from keras_mmfusion.zoo import download, manifest, mirror, presets
from keras_mmfusion.zoo.manifest import Preset, PresetFile, to_json

CONTENTS = {
    "assets/tokenizer/vocabulary.txt": b"a\ndog\nruns\n",
    "config.json": b'{"class_name": "Captioner"}',
    "model.weights.h5": random.Random(0).randbytes(300_000),
}


@pytest.fixture
def make_preset():
    """Makes manifest entries of presets with given files."""

    def make(name="captioner_tiny", contents=CONTENTS):
        files = tuple(
            PresetFile(path, len(content), hashlib.sha256(content).hexdigest())
            for path, content in contents.items()
        )
        return Preset(name, "captioner", "A tiny one.", "CC0-1.0", "Nobody.", files)

    return make


@pytest.fixture
def contents():
    return CONTENTS


@pytest.fixture
def preset(make_preset):
    return make_preset()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Sets an empty cache, no mirror, and short timeouts."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras_home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR", raising=False)
    monkeypatch.setattr(mirror, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(download, "FIRST_PAUSE_SECONDS", 0.001)
    return tmp_path / "keras_home" / "keras_mmfusion"


@pytest.fixture
def server(cache, preset, contents):
    with http_server.MirrorServer() as server:
        server.files = {f"{preset.name}/{path}": content for path, content in contents.items()}
        yield server


@pytest.fixture
def folder_mirror(tmp_path, preset, contents):
    """Makes a folder that is a mirror of the preset."""
    folder = tmp_path / "a mirror"
    for path, content in contents.items():
        file = folder / preset.name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


@pytest.fixture
def zoo(tmp_path, monkeypatch, cache, preset):
    """Sets a manifest with only the preset; returns the folder of presets of the package."""
    path = tmp_path / "package" / "manifest.json"
    path.parent.mkdir()
    path.write_text(json.dumps({preset.name: to_json(preset)}))
    monkeypatch.setattr(manifest, "MANIFEST_PATH", path)
    monkeypatch.setattr(presets, "MANIFEST_PATH", path)
    return path.parent / "presets"
