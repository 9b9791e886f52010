import json

import numpy as np
import pytest
from checkpoints.language_folders import write_language_folder
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.models import LlamaLanguageModel
from keras_mmfusion.zoo import language_model


@pytest.fixture
def folder(tmp_path):
    """A folder with a small language model, and the dialogues that it learns."""
    write_language_folder(tmp_path / "model", "llama", max_position_embeddings=256)
    turns = [("1", "12"), ("hi", "2")]
    for name in ("train", "dev"):
        lines = [
            {
                "messages": [
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": a},
                ]
            }
            for question, a in turns
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / f"{name}.jsonl").write_text(text)
    return tmp_path


def run(folder, *arguments):
    files = {"--preset": "model", "--dialogues": "train.jsonl", "--dev-dialogues": "dev.jsonl"}
    files["--out"] = "out"
    paths = [text for option, name in files.items() for text in (option, str(folder / name))]
    return CliRunner().invoke(app, ["train", "language-model", *paths, *arguments])


def test_adapters_are_trained_and_merged(folder, eager_fit):
    settings = ["--lora-rank", "2", "--epochs", "2", "--learning-rate", "0.01", "--pack"]
    command = run(folder, *settings)
    assert command.exit_code == 0, command.output
    assert command.stdout == f"{folder / 'out'}\n"
    losses = [float(line.split("dev ")[1]) for line in command.stderr.splitlines() if "dev" in line]
    assert losses[1] < losses[0]
    before, after = language_model(folder / "model"), language_model(folder / "out")
    assert isinstance(after, LlamaLanguageModel)
    changed = {
        new.path.split("/")[-2]
        for old, new in zip(before.weights, after.weights, strict=True)
        if np.any(np.asarray(old) != np.asarray(new))
    }
    assert changed == {"query", "value"}
    messages = [{"role": "user", "content": "1"}]
    ids = [model.preprocessor.tokenize_chat(messages) for model in (before, after)]
    assert ids[0] == ids[1]


def test_invalid_dialogues_raise_before_training(folder):
    (folder / "dev.jsonl").write_text('{"messages": [{"role": "tool"}]}\n')
    command = run(folder)
    assert command.exit_code == 2
    assert "line 1: the 'role' of a message must be one of" in command.stderr
