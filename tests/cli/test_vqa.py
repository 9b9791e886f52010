"""`ask`, `train vqa` and `evaluate vqa`."""

import json
from pathlib import Path

import numpy as np
import pytest
from models.captioning.small_captioners import color_images
from models.question_answering.colored_shapes import ANSWERS, make_data, make_question_answerer
from models.question_answering.small_question_answerers import QUESTIONS
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.zoo import vqa


@pytest.fixture(scope="module")
def model(question_answerer_preset):
    return vqa(question_answerer_preset)


@pytest.fixture(scope="module")
def data(tmp_path_factory, model):
    """Questions in VQA-RAD's format: right answers to the first two, no image for the last."""
    folder = tmp_path_factory.mktemp("questions")
    (folder / "images").mkdir()
    answers = [*model.answer(color_images(), QUESTIONS)[:2], "none of these", "lost"]
    rows = [
        {
            "qid": number,
            "image_name": f"{number}.png",
            "question": question,
            "question_type": question.split()[0],
            "answer": answer,
        }
        for number, (question, answer) in enumerate(
            zip([*QUESTIONS, "is it"], answers, strict=True)
        )
    ]
    for number, image in enumerate(color_images()):
        Image.fromarray(np.asarray(image)).save(folder / "images" / f"{number}.png")
    (folder / "dev.json").write_text(json.dumps(rows))
    return folder


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_ask_prints_the_answer(data, model, question_answerer_preset):
    photo = data / "images" / "1.png"
    expected = model.answer(photo, QUESTIONS)
    command = run("ask", photo, QUESTIONS[1], "--preset", question_answerer_preset)
    assert (command.exit_code, command.stderr) == (0, "")
    assert command.stdout == f"{expected[1]}\n"
    command = run("ask", photo, *QUESTIONS, "--preset", question_answerer_preset, "--json")
    answers = [row["answers"] for row in json.loads(command.stdout)]
    assert [each[0]["answer"] for each in answers] == expected
    command = run("ask", photo, *QUESTIONS[:2], "--preset", question_answerer_preset, "--count", 2)
    lines = command.stdout.splitlines()
    assert [lines[0], lines[4]] == QUESTIONS[:2]
    probability, answer = lines[1].split("  ")
    assert answer == expected[0]
    assert float(probability) == pytest.approx(answers[0][0]["probability"], abs=1e-3)


def test_ask_needs_an_image_and_a_question_answerer(data, captioner_preset):
    command = run("ask", data / "dev.json", "what is it?", "--preset", captioner_preset)
    assert command.exit_code == 2 and "dev.json" in command.stderr
    command = run("ask", data / "images" / "1.png", "what is it?", "--preset", captioner_preset)
    assert command.exit_code == 2 and "not a QuestionAnsweringModel" in command.stderr
    assert str(captioner_preset) in command.stderr
    assert "It captions images: use `mmfusion caption`" in command.stderr


def test_evaluation_reports_accuracy_by_type_and_missing_images(data, question_answerer_preset):
    target = data / "results.json"
    arguments = ["--preset", question_answerer_preset, "--data", data, "--split", "dev"]
    command = run("evaluate", "vqa", *arguments, "--json", target)
    assert command.exit_code == 0, command.output
    assert "Skipped 1 questions without an image file, by id: 3" in command.stderr
    results = json.loads(target.read_text())
    assert results["metrics"] == pytest.approx(
        {
            "accuracy": 2 / 3,
            "accuracy[question_type=is]": 1.0,
            "accuracy[question_type=what]": 0.5,
        }
    )
    assert command.stdout.split()[:2] == ["accuracy", "0.6667"]
    protocol = results["protocol"]
    assert (protocol["questions"], protocol["questions_without_image"]) == (3, 1)
    assert protocol["preset"] == "question_answerer_small"
    assert str(data) not in json.dumps(results)
    assert [sample["accuracy"] for sample in results["samples"]] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--split", "val"], "split 'val'"), (["--split", "dev", "--json", "no/x.json"], "`--json`")],
)
def test_bad_arguments_exit_with_2(data, question_answerer_preset, arguments, message):
    command = run(
        "evaluate", "vqa", "--preset", question_answerer_preset, "--data", data, *arguments
    )
    assert command.exit_code == 2
    assert message in command.stderr


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of questions about colored shapes with a missing image, and a small preset."""
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "images").mkdir()
    rows = ["image,question,answer", "lost.png,is it red,no"]
    for number, (image, question, answer) in enumerate(zip(*make_data(), strict=True)):
        name = f"{number // 4}.png"
        Image.fromarray(image).save(folder / "images" / name)
        rows.append(f"{name},{question},{answer}")
    (folder / "train.csv").write_text("\n".join([*rows, "0.png,is it red,maybe"]))
    make_question_answerer().save_to_preset(folder / "small")
    return folder


def test_training_counts_missing_images_and_unknown_answers(shapes):
    arguments = ["--preset", shapes / "small", "--epochs", 1, "--batch-size", 32]
    out = shapes / "trained"
    command = run("train", "vqa", "--data", shapes, *arguments, "--out", out)
    assert command.exit_code == 0, command.output
    assert command.stdout == f"{out}\n"
    assert "Skipped 1 questions without an image file" in command.stderr
    assert "1 of 25 questions have no answer in `model.answers`" in command.stderr
    assert vqa(out).answers == ANSWERS


def test_ask_explains_answers_and_accepts_choices(shapes):
    pytest.importorskip("matplotlib")
    photo, figure = shapes / "images" / "0.png", shapes / "why.png"
    arguments = ["--preset", shapes / "small", "--choice", "red", "--choice", "blue"]
    command = run("ask", photo, "what color is the shape", *arguments, "--explain", figure)
    assert command.exit_code == 0, command.output
    assert command.stdout.strip() in ("red", "blue") and figure.stat().st_size > 1000


def test_explain_prints_values_and_writes_files(shapes, tmp_path):
    pytest.importorskip("matplotlib")
    arguments = [shapes / "images" / "0.png", "--preset", shapes / "small"]
    arguments += ["--question", "what color is the shape", "--target", "red"]
    outs = [tmp_path / f"why{suffix}" for suffix in (".png", ".html", ".json")]
    options = [word for out in outs for word in ("--out", out)]
    command = run("explain", *arguments, "--method", "occlusion", *options)
    assert command.exit_code == 0, command.output
    assert command.stdout.startswith('the logit of the answer "red": ')
    assert [line.split()[1] for line in command.stdout.splitlines()[1:]] == ["image", "question"]
    assert all(out.stat().st_size > 100 for out in outs)
    saved = json.loads(outs[2].read_text())
    assert saved["level"] == "modality" and set(saved["values"]) == {"image", "question"}
    failed = run("explain", *arguments, "--method", "lime")
    assert failed.exit_code == 2 and "one of the names 'shapley'" in failed.stderr


def test_evaluation_reports_more_metrics_and_intervals(shapes):
    target = shapes / "results.json"
    arguments = ["--preset", shapes / "small", "--data", shapes, "--split", "train"]
    command = run(
        "evaluate", "vqa", *arguments, "--metric", "token-f1", "--metric", "anls", "--json", target
    )
    assert command.exit_code == 0, command.output
    results = json.loads(target.read_text())
    assert {"accuracy", "token_f1", "anls"} <= results["metrics"].keys()
    low, high = results["protocol"]["intervals"]["accuracy"]
    assert low <= results["metrics"]["accuracy"] <= high
    command = run("evaluate", "vqa", *arguments, "--metric", "bleu")
    assert command.exit_code == 2 and "--metric" in command.stderr


def test_ask_answers_with_the_preset_of_the_package():
    photo = Path(__file__).parents[1] / "data" / "shape.png"
    command = run("ask", photo, "what color is the shape?", "--preset", "vqa_easy")
    assert (command.exit_code, command.output) == (0, "yellow\n")
