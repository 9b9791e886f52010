"""Commands with folders of public checkpoints."""

import json

import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.models import Captioner, GitCaptioner
from keras_mmfusion.zoo import vqa

COLORS = ("red", "lime", "blue", "gray")


def run(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of images and a table of their captions, in the words of the checkpoints."""
    folder = tmp_path_factory.mktemp("photos")
    lines = ["image,caption"]
    for index, color in enumerate(COLORS):
        Image.new("RGB", (50, 36), color).save(folder / f"{color}.png")
        lines += [f"{color}.png,w{index} w9", f"{color}.png,w8 w{index}"]
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def git(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("git") / "checkpoint", "git")


@pytest.fixture(scope="module")
def question_answerer(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("vqa") / "blip", "blip_vqa")


def test_captions_begin_with_the_prompt(photos, git):
    photo = photos / "red.png"
    code, output, _ = run("caption", photo, "--preset", git, "--prompt", "w3 w4", "--beams", 1)
    assert code == 0
    expected = Captioner.from_preset(git).generate(photo, "w3 w4", beams=1)
    assert output == f"{expected}\n" and output.startswith("w3 w4 ")


def test_questions_continue_with_the_answers(photos, git):
    photo, questions = photos / "red.png", ["w3 w4", "w7"]
    code, output, _ = run("ask", photo, *questions, "--preset", git, "--count", 2, "--json")
    assert code == 0
    model = vqa(git)
    assert isinstance(model, GitCaptioner)
    expected = model.answer(photo, questions, top_k=2, details=True)
    for row, question, answers in zip(json.loads(output), questions, expected, strict=True):
        assert row["question"] == question
        assert [answer["answer"] for answer in row["answers"]] == [each.text for each in answers]
    assert model.generate(photo, questions[0]) == f"{questions[0]} {expected[0][0].text}".strip()


@pytest.mark.parametrize("options", [("--lora-rank", 2), ("--freeze-encoder",)])
def test_checkpoint_is_fine_tuned_and_evaluated(photos, git, options, tmp_path):
    table = ("--images", photos, "--captions", photos / "captions.csv")
    epochs = ("--epochs", 2, "--batch-size", 2, "--learning-rate", 0.01)
    out = tmp_path / "mine"
    train = ("train", "captioner", "--preset", git, "--out", out, *table, "--dev-fraction", 0.25)
    code, output, log = run(*train, *epochs, *options)
    assert (code, output) == (0, f"{out}\n")
    assert "Fine-tuning, epoch 2/2: loss" in log
    source, tuned = Captioner.from_preset(git), Captioner.from_preset(out)
    assert isinstance(tuned, GitCaptioner)
    pixels = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    changes = np.abs(np.array(source.encode(pixels)) - np.array(tuned.encode(pixels))).max()
    assert (changes > 0) == ("--lora-rank" in options)
    if options[0] == "--lora-rank":
        results = tmp_path / "scores.json"
        evaluate = ("evaluate", "captioner", "--preset", out, *table, "--metric", "cider")
        code, _, _ = run(*evaluate, "--beams", 1, "--json", results)
        assert code == 0
        assert len(json.loads(results.read_text("utf-8"))["samples"]) == len(COLORS)


def test_options_of_new_captioners_are_rejected_with_a_preset(photos, git, tmp_path):
    table = ("--images", photos, "--captions", photos / "captions.csv", "--dev-fraction", 0.25)
    train = ("train", "captioner", "--out", tmp_path / "mine", *table)
    code, _, log = run(*train, "--preset", git, "--graph-layers", 2)
    assert code == 2 and "`--graph-layers` describes a new captioner" in log
    code, _, log = run(*train, "--lora-rank", 2)
    assert code == 2 and "need `--preset`" in log


def test_model_that_needs_questions_is_no_captioner(photos, question_answerer):
    for command in (("caption", photos / "red.png"), ("export", "captioner", "--out", "out")):
        code, _, log = run(*command, "--preset", question_answerer)
        assert code == 2
        assert "is a BlipQuestionAnswerer, which answers questions. Use `mmfusion ask`" in log


def test_question_answerer_is_exported(tmp_path, question_answerer):
    folder, out = question_answerer, tmp_path / "served"
    code, output, _ = run("export", "vqa", "--preset", folder, "--out", out)
    assert (code, output) == (0, f"{out / '1'}\n")
    manifest = json.loads((out / "1" / "manifest.json").read_text("utf-8"))
    assert manifest["preset"] == "blip" and manifest["model"] == "BlipQuestionAnswerer"
