"""`train fusion`, `evaluate fusion` and `export fusion` on tables with missing cells."""

import csv
import json

import keras
import numpy as np
import pytest
from eager_fit import fit_eagerly
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion import ImageEncoder
from keras_mmfusion.cli.app import app
from keras_mmfusion.datasets import multimodal_dataset
from keras_mmfusion.models import FusionModel
from keras_mmfusion.models.fusion import TableSchema
from keras_mmfusion.models.presets.preset_folder import load_preset

WORDS = {"lamp": ["bright", "shade"], "chair": ["seat", "legs"]}


def write_table(folder):
    """Writes 40 products; the title names the class, and each column has empty cells."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        kind = ("lamp", "chair")[i % 2]
        Image.new("RGB", (32, 32), ("red", "blue")[i % 2]).save(folder / f"{i}.png")
        np.save(folder / f"{i}.npy", rng.normal(size=3).astype("float32") + i % 2)
        np.save(folder / f"tokens_{i}.npy", rng.normal(size=(1 + i % 3, 2)).astype("float32"))
        row = {
            "title": " ".join(WORDS[kind]),
            "price": 10 * (i % 2) + rng.random(),
            "color": "red" if i % 2 else "blue",
            "photo": f"{i}.png",
            "vector": f"{i}.npy",
            "tokens": f"tokens_{i}.npy",
        }
        empty = list(row)[i % 6] if i % 5 == 0 else None
        row[empty] = ""
        rows.append({**row, "kind": kind, "weight": 5 + 3 * (i % 2), "split": "train"})
        if i >= 30:
            rows[-1]["split"] = "test"
    for row in rows:
        row.pop(None, None)
    with (folder / "products.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[-1]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "products.csv"


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A table, and the result of training a classifier on columns of all kinds."""
    folder = tmp_path_factory.mktemp("trained")
    table, encoder = write_table(folder), folder / "encoder"
    keras.utils.set_random_seed(0)
    ImageEncoder(image_size=32).save_to_preset(str(encoder))
    columns = ("--number", "price", "--category", "color", "--text", "title", "--image", "photo")
    columns += ("--array", "vector", "--array", "tokens", "--encoder", encoder)
    columns += ("--split", "train", "--dropout", 0)
    with fit_eagerly():
        return table, train(table, "--target", "kind", *columns)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def train(table, *arguments):
    small = ("--dim", 8, "--batch-size", 8, "--epochs", 2, "--out", table.parent / "model")
    return run("train", "fusion", "--data", table, *small, *arguments)


@pytest.mark.usefixtures("eager_fit")
def test_classifier_of_all_kinds_of_columns(trained, tmp_path):
    table, training = trained
    assert training.exit_code == 0, training.output
    assert training.stdout == f"{table.parent / 'model'}\n"

    target = tmp_path / "scores.json"
    arguments = ("--preset", table.parent / "model", "--data", table, "--split", "test")
    scored = run("evaluate", "fusion", *arguments, "--json", target)
    assert scored.exit_code == 0, scored.output
    results = json.loads(target.read_text())
    assert f"accuracy        {results['metrics']['accuracy']:.4f}\n" in scored.stdout
    assert set(results["metrics"]) == {"accuracy", "macro_f1", "weighted_f1"}
    protocol = results["protocol"]
    assert (protocol["rows"], protocol["split"]) == (10, "test")
    assert protocol["classes"] == ["chair", "lamp"]
    assert set(protocol["missing"]) == {"record", "title", "photo", "vector", "tokens"}
    assert sum(protocol["missing"].values()) > 0
    assert {"versions", "machine", "preset_hash", "data_sha256"} <= set(protocol)
    accuracy = np.mean([each["label"] == each["prediction"] for each in results["samples"]])
    assert accuracy == results["metrics"]["accuracy"]
    assert str(table.parent) not in json.dumps(results)


def test_classifier_learns_from_a_text(table):
    trained = train(table, "--target", "kind", "--text", "title", "--epochs", 30, "--quiet")
    assert (trained.exit_code, trained.stderr) == (0, "")
    scored = run("evaluate", "fusion", "--preset", table.parent / "model", "--data", table)
    accuracy = float(scored.stdout.split()[1])
    assert accuracy > 0.9  # All but the rows without a title.


def test_regression_selects_the_best_epoch_on_dev_rows(table):
    columns = ("--number", "price", "--category", "color", "--dev-fraction", 0.2)
    fit = ("--epochs", 60, "--learning-rate", 0.01, "--dropout", 0, "--modality-dropout", 0)
    trained = train(table, "--target", "weight", "--task", "regression", *columns, *fit)
    assert trained.exit_code == 0, trained.output
    scored = run("evaluate", "fusion", "--preset", table.parent / "model", "--data", table)
    metrics = dict(line.split() for line in scored.stdout.splitlines())
    assert set(metrics) == {"mae", "rmse", "r2"}
    assert float(metrics["r2"]) > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name the columns to use: `--number`"),
        (("--text", "name"), "has no column 'name'. Its columns: 'title'"),
        (("--text", "kind"), "Each column must have one role. Received more for: ['kind']"),
        (("--number", "title"), "column 'title': 'bright shade' must be 1 finite number(s)"),
        (("--text", "title", "--split", "dev"), "dev"),
        (("--text", "title", "--dev-fraction", "1"), "`--dev-fraction` must be between 0 and 1"),
        (("--image", "photo", "--encoder", "no_such"), "Unknown preset 'no_such'"),
        (("--array", "photo"), "is not a .npy file of numbers"),
    ],
)
def test_bad_arguments_of_training_exit_with_2(table, arguments, message):
    failed = train(table, "--target", "kind", *arguments)
    assert failed.exit_code == 2
    assert message in failed.stderr
    assert not (table.parent / "model").exists()


def test_folder_of_another_kind_is_not_replaced(table):
    failed = train(table, "--target", "kind", "--text", "title", "--out", table.parent)
    assert failed.exit_code == 2
    assert table.is_file()


@pytest.mark.usefixtures("eager_fit")
def test_export_equals_the_model_for_all_kinds_of_columns(trained, tmp_path):
    tf = pytest.importorskip("tensorflow")
    table, _ = trained
    preset, out = table.parent / "model", tmp_path / "served"
    exported = run("export", "fusion", "--preset", preset, "--out", out)
    assert exported.exit_code == 0, exported.output
    assert exported.stdout == f"{out / '1'}\n"

    schema = TableSchema(**json.loads((preset / "table_schema.json").read_text("utf-8")))
    inputs, _ = next(iter(multimodal_dataset(schema.read(table), 40, shuffle=False)))
    expected = load_preset(FusionModel, preset).predict_on_batch(inputs)
    served = tf.saved_model.load(out / "1").signatures["serving_default"](**inputs)
    np.testing.assert_allclose(served["outputs"], expected, rtol=1e-4, atol=1e-5)


def test_evaluation_needs_the_columns_of_training(table, captioner_preset):
    other = run("evaluate", "fusion", "--preset", captioner_preset, "--data", table)
    assert other.exit_code == 2
    assert "has no table_schema.json" in other.stderr
    other = run("export", "fusion", "--preset", captioner_preset, "--out", table.parent / "served")
    assert other.exit_code == 2
    assert "has no table_schema.json" in other.stderr
    assert train(table, "--target", "kind", "--text", "title").exit_code == 0
    short = table.with_name("short.csv")
    short.write_text("kind,color\nlamp,red\n")
    failed = run("evaluate", "fusion", "--preset", table.parent / "model", "--data", short)
    assert failed.exit_code == 2
    assert "no column 'title'" in failed.stderr
    (table.parent / "model" / "table_schema.json").write_text("{")
    failed = run("evaluate", "fusion", "--preset", table.parent / "model", "--data", table)
    assert failed.exit_code == 2
    assert "table_schema.json' is not valid JSON" in failed.stderr
