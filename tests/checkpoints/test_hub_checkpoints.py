"""Checkpoints from `hf://` handles: the real client, a local server, and the loaded models."""

import json
import pathlib

import numpy as np
import pytest
from checkpoint_files import pack_safetensors
from checkpoints.checkpoint_folders import write_folder
from hub_server import SHA, HubServer, connect_client
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints.safetensors_file import SafetensorsFile
from keras_mmfusion.cli.app import app
from keras_mmfusion.models import BlipCaptioner, BlipQuestionAnswerer
from keras_mmfusion.models.presets.hub_files import HubError

PHOTOS = list(np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3)).astype("uint8"))
CARD = b"---\nlicense: bsd-3-clause\n---\n# BLIP\n"


def read_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def split_weights(folder):
    """Replaces `model.safetensors` by two shards and their index."""
    weights = dict(SafetensorsFile(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    names, shards = list(weights), {}
    for index, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{index}-of-00002.safetensors"
        (folder / file).write_bytes(pack_safetensors({name: weights[name] for name in part}))
        shards |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The local copies of the repositories."""
    root = tmp_path_factory.mktemp("checkpoints")
    write_folder(root / "blip_captioner", "blip")
    write_folder(root / "blip_question_answerer", "blip_vqa")
    split_weights(root / "blip_captioner")
    (root / "blip_captioner" / "README.md").write_bytes(CARD)
    return root


@pytest.fixture
def server(folders, tmp_path, monkeypatch):
    repositories = {f"owner/{folder.name}": read_files(folder) for folder in folders.iterdir()}
    with HubServer(repositories) as server:
        connect_client(server, tmp_path / "cache", monkeypatch)
        yield server


def test_a_handle_becomes_a_model_that_captions(server, folders, tmp_path, monkeypatch):
    model = zoo.captioner("hf://owner/blip_captioner@v1")
    assert isinstance(model, BlipCaptioner)
    source = {"name": "hf://owner/blip_captioner", "revision": SHA, "license": "bsd-3-clause"}
    assert model.source == source
    captions = model.generate(PHOTOS, beams=1, max_length=6)
    assert captions == zoo.captioner(folders / "blip_captioner").generate(
        PHOTOS, beams=1, max_length=6
    )

    model.save_to_preset(tmp_path / "preset")
    assert json.loads((tmp_path / "preset" / "metadata.json").read_text())["source"] == source
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="is not in the cache"):  # Only "v1" and its commit are.
        zoo.captioner("hf://owner/blip_captioner")
    offline = zoo.captioner(f"hf://owner/blip_captioner@{SHA}")
    assert offline.generate(PHOTOS, beams=1, max_length=6) == captions
    restored = zoo.captioner(tmp_path / "preset")
    assert restored.source == source
    assert restored.generate(PHOTOS, beams=1, max_length=6) == captions


def test_from_preset_and_load_preset_accept_handles(server):
    model = BlipQuestionAnswerer.from_preset("hf://owner/blip_question_answerer")
    same = zoo.load_preset("hf://owner/blip_question_answerer", dtype="mixed_bfloat16")
    assert type(same) is BlipQuestionAnswerer
    assert same.compute_dtype == "bfloat16"
    assert len(model.generate(PHOTOS, ["w9", "w9 w30"], beams=1)) == 2
    with pytest.raises(ValueError, match="contains a BlipCaptioner, not a BlipQuestionAnswerer"):
        BlipQuestionAnswerer.from_preset("hf://owner/blip_captioner")


def test_a_preset_of_this_package_is_loaded_from_a_handle(server, captioner_preset, folders):
    folder = pathlib.Path(captioner_preset)
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    server.repositories["owner/preset"] = files
    captions = zoo.captioner("hf://owner/preset").generate(PHOTOS)
    assert captions == zoo.captioner(folder).generate(PHOTOS)


def test_caption_command_accepts_a_handle(server, tmp_path):
    Image.fromarray(PHOTOS[0]).save(tmp_path / "photo.png")
    arguments = ["caption", str(tmp_path / "photo.png"), "--preset", "hf://owner/blip_captioner"]
    result = CliRunner().invoke(app, [*arguments, "--beams", "1"])
    assert result.exit_code == 0, result.output
    model = zoo.captioner("hf://owner/blip_captioner")
    assert result.stdout.strip() == model.generate(PHOTOS[0], beams=1)


def test_failed_downloads_are_reported_in_one_line(server, tmp_path):
    Image.fromarray(PHOTOS[0]).save(tmp_path / "photo.png")
    result = CliRunner().invoke(
        app, ["caption", str(tmp_path / "photo.png"), "--preset", "hf://owner/other"]
    )
    assert result.exit_code == 2
    assert "hf://owner/other does not exist, or it is private" in result.stderr


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("vocab.txt", "must have tokenizer.json or vocab.txt"),
        ("preprocessor_config.json", "must have preprocessor_config.json or processor_config"),
        ("model-00002-of-00002.safetensors", "files that are missing: model-00002-of-00002"),
        ("model.safetensors.index.json", "has none of model.safetensors"),
    ],
)
def test_incomplete_repositories_are_named(file, message, server):
    del server.repositories["owner/blip_captioner"][file]
    with pytest.raises(ValueError, match=message):
        zoo.captioner("hf://owner/blip_captioner")
