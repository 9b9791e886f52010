"""The real client, `huggingface_hub`, against a local server."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_server import SHA, HubServer, connect_client

from keras_mmfusion.models.presets.hub_files import (
    HubError,
    fetch_from_hub,
    is_transformers_checkpoint,
)

CONFIG = b'{"model_type": "toy"}'
FILES = {
    "config.json": CONFIG,
    "vocab.txt": b"[PAD]\n",
    "README.md": b"---\nlicense: mit\n---\n",
    "model.safetensors": bytes(range(256)) * 400,
    "pytorch_model.bin": b"not needed",
    "tf_model.h5": b"not needed",
    "onnx/model.onnx": b"not needed",
}


@pytest.fixture
def server(tmp_path, monkeypatch):
    with HubServer({"owner/toy": dict(FILES)}) as server:
        connect_client(server, tmp_path / "cache", monkeypatch)
        yield server


def list_files(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def test_only_required_files_are_downloaded_and_then_found_offline(server, monkeypatch):
    folder = fetch_from_hub("owner/toy")
    assert folder.name == SHA
    assert list_files(folder) == {"config.json", "vocab.txt", "README.md", "model.safetensors"}
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert len(server.downloads) == 4
    server.tokens.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch_from_hub("owner/toy") == folder
    assert fetch_from_hub(f"owner/toy@{SHA}") == folder
    assert not server.tokens  # There were no requests.


def test_settings_are_read_from_the_environment(server, tmp_path):
    """Runs a new process, in which the client reads its settings when it is imported."""
    server.gated.add("owner/toy")
    program = "from keras_mmfusion.models.presets.hub_files import fetch_from_hub as fetch"
    settings = {
        "HF_HOME": str(tmp_path / "home"),
        "HF_ENDPOINT": server.address,
        "HF_TOKEN": "secret",
        "HF_HUB_DISABLE_XET": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    for offline in ("0", "1"):
        result = subprocess.run(
            [sys.executable, "-c", f"{program}; print(fetch('owner/toy'))"],
            env={**os.environ, **settings, "HF_HUB_OFFLINE": offline},
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        folder = Path(result.stdout.strip())
        assert folder.is_relative_to(tmp_path / "home")
        assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert len(server.downloads) == 4
    assert server.tokens == {"Bearer secret", None}  # None: the storage of large files.


def test_shards_and_torch_files_are_downloaded_where_needed(server):
    shards = {f"model-0000{i}-of-00002.safetensors": b"x" * i for i in (1, 2)}
    index = {"model.safetensors.index.json": b"{}"}
    server.repositories["owner/shards"] = {"config.json": CONFIG, **shards, **index}
    assert list_files(fetch_from_hub("owner/shards@v1")) == {"config.json", *shards, *index}
    server.repositories["owner/torch"] = {"config.json": CONFIG, "pytorch_model.bin": b"x"}
    assert list_files(fetch_from_hub("owner/torch")) == {"config.json", "pytorch_model.bin"}


def test_presets_are_downloaded_whole(server):
    files = {"task.json": b"{}", "task.weights.h5": b"x", "assets/tokenizer/vocabulary.txt": b"x"}
    server.repositories["owner/preset"] = {**files, "figure.png": b"x", "model.safetensors": b"x"}
    assert list_files(fetch_from_hub("owner/preset")) == set(files)


def test_a_broken_connection_is_resumed_where_it_ended(server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda s: None))
    server.cut["model.safetensors"] = [50_000, 20_000]
    folder = fetch_from_hub("owner/toy")
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    starts = [start for path, start in server.downloads if path == "model.safetensors"]
    assert starts == [0, 50_000, 70_000]


def test_an_interrupted_download_fails_and_is_completed_later(server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda s: None))
    server.cut["model.safetensors"] = [0] * 10
    with pytest.raises(HubError, match="hf://owner/toy.* could not be downloaded: "):
        fetch_from_hub("owner/toy")
    with pytest.raises(HubError, match="is not in the cache, or not completely"):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        fetch_from_hub("owner/toy")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    server.cut.clear()
    server.downloads.clear()
    folder = fetch_from_hub("owner/toy")
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert server.downloads == [("model.safetensors", 0)]  # The other files were complete.


def test_unknown_repositories_and_revisions_are_named(server):
    with pytest.raises(HubError, match="^hf://owner/other does not exist, or it is private"):
        fetch_from_hub("owner/other")
    with pytest.raises(HubError, match="^hf://owner/toy@v9: the repository has no revision 'v9'.$"):
        fetch_from_hub("owner/toy@v9")


def test_a_file_that_is_listed_but_missing_raises_an_error(server):
    server.missing.add("vocab.txt")
    with pytest.raises(HubError, match="(?s)hf://owner/toy could not be downloaded: .*vocab.txt"):
        fetch_from_hub("owner/toy")


def test_an_unreachable_hub_raises_an_error(server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="is not in the cache, or not completely, and the Hub cann"):
        fetch_from_hub("owner/toy")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="is not in the cache, or not completely, and the Hub cann"):
        fetch_from_hub("owner/toy")


def test_gated_repositories_need_a_token(server, monkeypatch):
    server.gated.add("owner/toy")
    message = "^Access to hf://owner/toy is restricted: accept its conditions"
    with pytest.raises(HubError, match=message):  # Status 401.
        fetch_from_hub("owner/toy")
    monkeypatch.setenv("HF_TOKEN", "other")
    with pytest.raises(HubError, match=message):  # Status 403.
        fetch_from_hub("owner/toy")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert fetch_from_hub("owner/toy").name == SHA


@pytest.mark.parametrize("name", ["assets/../../../../escaped.txt", "../../escaped.json"])
def test_file_names_outside_the_folder_are_not_written(name, server, tmp_path):
    server.repositories["owner/evil"] = {"config.json": CONFIG, name: b"x"}
    with contextlib.suppress(HubError, ValueError):  # Names without a match are left out.
        fetch_from_hub("owner/evil")
    assert not [*tmp_path.rglob("escaped*"), *tmp_path.parent.glob("escaped*")]


@pytest.mark.parametrize("handle", ["toy", "a/b/c", "a/b@", "a/b@../c", "../b", "a b/c", ""])
def test_invalid_handles_raise_an_error(handle):
    with pytest.raises(ValueError, match="must be hf://owner/name"):
        fetch_from_hub(handle)


def test_the_files_decide_the_kind_of_a_folder(tmp_path):
    assert not is_transformers_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text('{"registered_name": "keras_mmfusion>ImageEncoder"}')
    assert not is_transformers_checkpoint(tmp_path)
    (tmp_path / "config.json").write_bytes(CONFIG)
    assert is_transformers_checkpoint(tmp_path)
    (tmp_path / "task.json").write_text("{}")
    assert not is_transformers_checkpoint(tmp_path)
