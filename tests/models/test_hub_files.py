"""The real client, `huggingface_hub`, against a local server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import SHA, HubServer

from keras_mmfusion.models.presets.hub_files import fetch_from_hub, is_transformers_checkpoint

pytest.importorskip("huggingface_hub")
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
PROGRAM = """
import sys
from keras_mmfusion.models.presets.hub_files import fetch_from_hub
try:
    print(fetch_from_hub(sys.argv[1]))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def server():
    with HubServer({"owner/toy": dict(FILES)}) as server:
        yield server


@pytest.fixture
def fetch(server, tmp_path):
    """Runs `fetch_from_hub` in a new process, which reads its settings from the environment."""

    def run(handle, **variables):
        environment = {
            **os.environ,
            "HF_HOME": str(tmp_path / "home"),
            "HF_ENDPOINT": server.address,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **variables,
        }
        for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE"):
            if name not in variables:
                environment.pop(name, None)
        command = [sys.executable, "-c", PROGRAM, handle]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=600
        )
        return result.stdout.strip().splitlines()[-1]

    return run


def list_files(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def test_only_required_files_are_downloaded_and_then_found_offline(server, fetch):
    folder = fetch("owner/toy")
    assert Path(folder).name == SHA
    assert list_files(folder) == {"config.json", "vocab.txt", "README.md", "model.safetensors"}
    assert (Path(folder) / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert fetch("owner/toy", HF_HUB_OFFLINE="1") == folder
    assert fetch(f"owner/toy@{SHA}", HF_HUB_OFFLINE="1") == folder
    assert len(server.downloads) == 4


def test_shards_and_torch_files_are_downloaded_where_needed(server, fetch):
    shards = {f"model-0000{i}-of-00002.safetensors": b"x" * i for i in (1, 2)}
    index = {"model.safetensors.index.json": b"{}"}
    server.repositories["owner/shards"] = {"config.json": CONFIG, **shards, **index}
    assert list_files(fetch("owner/shards@v1")) == {"config.json", *shards, *index}
    server.repositories["owner/torch"] = {"config.json": CONFIG, "pytorch_model.bin": b"x"}
    assert list_files(fetch("owner/torch")) == {"config.json", "pytorch_model.bin"}


def test_presets_are_downloaded_whole(server, fetch):
    files = {"task.json": b"{}", "task.weights.h5": b"x", "assets/tokenizer/vocabulary.txt": b"x"}
    server.repositories["owner/preset"] = {**files, "figure.png": b"x", "model.safetensors": b"x"}
    assert list_files(fetch("owner/preset")) == set(files)


def test_an_interrupted_download_fails_and_is_then_completed(server, fetch):
    server.cut["model.safetensors"] = 50_000
    result = fetch("owner/toy")
    if not result.startswith("HubError"):  # The client itself has tried again.
        assert [path for path, _ in server.downloads].count("model.safetensors") == 2
    folder = fetch("owner/toy")
    assert (Path(folder) / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_errors_name_their_reason(server, fetch):
    assert fetch("owner/other").startswith("HubError: hf://owner/other does not exist, or it is ")
    message = "HubError: hf://owner/toy@v9: the repository has no revision 'v9'."
    assert fetch("owner/toy@v9") == message
    offline = fetch("owner/toy", HF_HUB_OFFLINE="1")
    assert offline.startswith("HubError: hf://owner/toy is not in the cache, or not completely")


def test_gated_repositories_need_a_token(server, fetch):
    server.gated.add("owner/toy")
    message = "HubError: Access to hf://owner/toy is restricted: accept its conditions"
    assert fetch("owner/toy").startswith(message)
    assert fetch("owner/toy", HF_TOKEN="other").startswith(message)
    assert Path(fetch("owner/toy", HF_TOKEN="secret")).name == SHA


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
