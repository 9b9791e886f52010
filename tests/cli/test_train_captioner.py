import csv
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion import ImageEncoder, zoo
from keras_mmfusion.cli.app import app
from keras_mmfusion.models import Captioner, GraphCaptioner
from keras_mmfusion.models.captioning.training import captioner_recipe

COLORS = ("red", "lime", "blue")
PAUSED = 3  # exit status


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "encoder"
    keras.utils.set_random_seed(0)
    ImageEncoder(image_size=32).save_to_preset(str(folder))
    return str(folder)


@pytest.fixture
def data(tmp_path):
    """Squares in Flickr8k's layout: four of each color; six in train and six in dev."""
    folder = tmp_path / "squares"
    (folder / "images").mkdir(parents=True)
    names = [f"{color}_{i}.png" for color in COLORS for i in range(4)]
    with (folder / "Flickr8k.token.txt").open("w") as file:
        for name in names:
            color = name.split("_")[0]
            Image.new("RGB", (40, 36), color).save(folder / "images" / name)
            file.write(f"{name}#0\tA {color} square .\n{name}#1\tThe square is {color} .\n")
    for split, part in {"train": names[::2], "dev": names[1::2]}.items():
        (folder / f"Flickr_8k.{split}Images.txt").write_text("".join(f"{n}\n" for n in part))
    return folder


def train(data, encoder, *arguments):
    command = ["train", "captioner", "--data", str(data), "--out", str(data.parent / "mine")]
    small = ["--dim", "8", "--layers", "1", "--heads", "2", "--views", "1", "--batch-size", "3"]
    epochs = ["--epochs", "1", "--fine-tune-epochs", "1", "--fine-tune-blocks", "1"]
    return CliRunner().invoke(
        app, [*command, "--encoder", encoder, *small, *epochs, *arguments], catch_exceptions=False
    )


@pytest.mark.usefixtures("eager_fit")
def test_paused_run_resumes_and_writes_the_preset(data, encoder):
    pauses, done_output = 0, ""
    graph = ("--graph-layers", "1")
    while (done := train(data, encoder, *graph, "--stop-after", "0")).exit_code == PAUSED:
        pauses += 1
        done_output += done.output
        assert pauses < 9
    assert pauses == 2  # Once in each epoch of two batches.
    assert done.exit_code == 0
    done_output += done.output
    assert "mine" in done.output.splitlines()[-1]
    model = Captioner.from_preset(data.parent / "mine")
    assert type(model) is GraphCaptioner and model.image_graph.num_layers == 1
    assert isinstance(model.generate(data / "images" / "red_0.png"), str)
    work = data.parent / "mine.training"
    for stage in ("cross_entropy", "fine_tuning"):
        with (work / stage / "log.csv").open(newline="") as file:
            [row] = csv.DictReader(file)
        assert row["epoch"] == "1"
        assert {"loss", "accuracy", "seconds", "bleu_4", "cider"} <= row.keys()
    for stage in ("Cross-entropy", "Fine-tuning"):
        assert f"{stage}, epoch 1/1: " in done_output

    # A finished run is not repeated, and its results are not used for another run.
    again = train(data, encoder, *graph)
    assert again.exit_code == 0 and "This run is finished" in again.output
    quiet = train(data, encoder, *graph, "--quiet")
    assert (quiet.stdout, quiet.stderr) == (f"{data.parent / 'mine'}\n", "")
    tokens = data / "Flickr8k.token.txt"
    tokens.write_text(tokens.read_text().replace("A red square", "One red square"))
    other = train(data, encoder, *graph, "--seed", "1")
    assert other.exit_code == 2
    assert "captions of train: 12 (sha256" in other.stderr and "seed: 0 -> 1" in other.stderr
    assert "--restart" in other.stderr


def test_features_only_writes_feature_maps(data, encoder):
    features = data.parent / "features"
    done = train(data, encoder, "--features", str(features), "--features-only")
    assert done.exit_code == 0
    [one] = features.iterdir()
    assert (one / "train" / "features.npy").is_file()
    assert (one / "dev" / "features.npy").is_file()
    other = ("--fine-tune-blocks", "2", "--features", str(features), "--features-only")
    assert train(data, encoder, *other).exit_code == 0
    maps = [np.load(cut / "dev" / "features.npy") for cut in features.iterdir()]
    assert len(maps) == 2
    assert maps[0].shape != maps[1].shape or (maps[0] != maps[1]).any()
    assert not (data.parent / "mine").exists()
    views = ("--features", str(features), "--features-only", "--views", "2")
    stale = train(data, encoder, *views)
    assert stale.exit_code == 2 and "views: 1 -> 2" in stale.stderr
    before = np.load(one / "train" / "features.npy")
    assert train(data, encoder, *views, "--restart").exit_code == 0
    assert len(np.load(one / "train" / "features.npy")) == 2 * len(before)
    refused = train(data, encoder, "--features-only")
    assert refused.exit_code == 2
    assert "--features" in refused.stderr


def test_start_from_trains_a_captioner_further(data, monkeypatch):
    started = []

    def train_captioner(recipe, start, *arguments, **settings):
        started.append(start)
        return True

    monkeypatch.setattr(captioner_recipe, "train_captioner", train_captioner)
    command = ["train", "captioner", "--data", str(data), "--out", str(data.parent / "mine")]
    command += ["--start-from", "captioner_flickr8k_lite0"]
    refused = CliRunner().invoke(app, [*command, "--layers", "2"])
    assert refused.exit_code == 2
    assert "`--layers` describes a new captioner. Omit it, or `--start-from`." in refused.stderr
    unknown = CliRunner().invoke(app, [*command, "--start-from", "captioner_unknown"])
    assert unknown.exit_code == 2 and "Unknown preset 'captioner_unknown'" in unknown.stderr
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    [start] = started
    assert isinstance(start, Captioner) and start.text_decoder.vocabulary_size == 2538


def test_unknown_split_is_an_error_before_training(data, encoder):
    refused = train(data, encoder, "--dev-split", "evening")
    assert refused.exit_code == 2
    assert "evening" in refused.stderr
    assert not (data.parent / "mine.training").exists()


@pytest.fixture
def no_training(monkeypatch):
    """Makes loading the encoder, which comes before training, an unexpected error."""
    monkeypatch.setattr(zoo, "image_encoder", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epochs", "0"), "`epochs` must be a positive integer. Received: 0"),
        (("--batch-size", "-1"), "Invalid value for '--batch-size'"),
        (("--dropout", "1"), "`dropout` must be in [0, 1). Received: 1.0"),
        (("--learning-rate", "nan"), "`learning_rate` must be a positive number"),
        (("--heads", "3"), "`num_heads` must divide `dim`"),
        (
            ("--dtype", "float16"),
            "`dtype` must be one of 'float32', 'mixed_bfloat16', 'mixed_float16'",
        ),
        (("--stop-after", "-1"), "--stop-after"),
        (("--encoder", "efficientnet"), "Unknown preset 'efficientnet'"),
        (("--images", "here"), "`--data` cannot be combined with `--images`"),
        (("--dev-fraction", "0.1"), "`--dev-fraction` cannot be combined with `--data`"),
    ],
)
def test_bad_arguments_are_errors_before_training(data, no_training, arguments, message):
    refused = train(data, str(data), *arguments)
    assert refused.exit_code == 2
    assert message in " ".join(refused.stderr.split())


def test_missing_extra_is_an_error_before_training(data, no_training, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    refused = train(data, str(data), "--tensorboard")
    assert refused.exit_code == 2
    assert "pip install 'keras-mmfusion[tensorboard]'" in refused.stderr


def test_folder_of_images_is_not_replaced_by_a_preset(data, no_training):
    refused = train(data, str(data), "--out", str(data / "images"))
    assert refused.exit_code == 2
    assert "the folder must be new, empty, or another preset" in refused.stderr


def test_ctrl_c_explains_how_to_resume(data, encoder, monkeypatch):
    def interrupt(preset):
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "image_encoder", interrupt)
    stopped = train(data, encoder)
    assert stopped.exit_code == 130
    assert stopped.stderr == (
        "mmfusion: interrupted; the same command resumes it from the last checkpoint\n"
    )
    stopped = train(data, encoder, "--restart")
    assert "the same command, without `--restart`, resumes it" in stopped.stderr
