import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion.cli import caption
from keras_mmfusion.cli.app import app
from keras_mmfusion.models import Captioner


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three images, and a file between them that is not an image."""
    folder = tmp_path_factory.mktemp("photos")
    for name, color in (("a.png", "red"), ("b.jpg", "lime"), ("d.png", "blue")):
        Image.new("RGB", (40, 36), color).save(folder / name)
    (folder / "c.jpg").write_text("not a photo")
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def expected(photos, captioner_preset):
    """The captions that the model itself generates."""
    model = Captioner.from_preset(captioner_preset)
    good = [photo for photo in photos if not photo.endswith("c.jpg")]
    return dict(zip(good, model.generate(good), strict=True))


def run(*arguments):
    return CliRunner().invoke(app, ["caption", *arguments])


def test_only_the_caption_is_printed(photos, expected, captioner_preset):
    command = run(photos[0], "--preset", captioner_preset)

    assert (command.exit_code, command.stderr) == (0, "")
    assert command.stdout == f"{expected[photos[0]]}\n"


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_invalid_file_is_reported_and_others_are_captioned(
    photos, expected, captioner_preset, monkeypatch, batch_size
):
    monkeypatch.setattr(caption, "BATCH_SIZE", batch_size)
    command = run(*photos, "--preset", captioner_preset)

    assert command.exit_code == 1
    assert command.stdout.splitlines() == [f"{photo}: {expected[photo]}" for photo in expected]
    assert command.stderr.startswith("mmfusion: ")
    assert "c.jpg' is not an image of a format" in command.stderr
    assert len(command.stderr.splitlines()) == 1


def test_beams_option_reaches_the_search(photos, captioner_preset):
    model = Captioner.from_preset(captioner_preset)
    details = json.loads(
        run(photos[0], "--preset", captioner_preset, "--beams", "1", "--json").stdout
    )
    greedy = model.generate(photos[0], beams=1, details=True)

    np.testing.assert_allclose(details[0]["score"], greedy.score, rtol=1e-5)


def test_json_has_each_caption_and_error(photos, expected, captioner_preset):
    command = run(*photos, "--preset", captioner_preset, "--json")
    results = json.loads(command.stdout)

    assert command.exit_code == 1
    assert [result["image"] for result in results] == photos
    assert [result.get("caption") for result in results] == [expected.get(p) for p in photos]
    assert "not an image" in results[2]["error"]
    assert len(results[0]["tokens"]) == len(results[0]["token_log_probs"])


def test_explain_writes_a_figure(photos, expected, captioner_preset, tmp_path):
    figure = tmp_path / "out.png"
    command = run(photos[0], "--preset", captioner_preset, "--explain", str(figure))

    assert command.exit_code == 0, command.output
    assert command.stdout == f"{expected[photos[0]]}\n"
    with Image.open(figure) as plotted:
        assert plotted.format == "PNG"


def test_figures_of_several_images_are_numbered(photos, captioner_preset, tmp_path):
    out = str(tmp_path / "out.png")
    command = run(*photos, "--preset", captioner_preset, "--explain", out, "--json")
    names = sorted(path.name for path in tmp_path.iterdir())

    assert names == ["out-1.png", "out-2.png", "out-4.png"]
    assert json.loads(command.stdout)[3]["figure"] == str(tmp_path / "out-4.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--explain", "nowhere/out.png"], "nowhere"),
        (["--explain", "out.doc"], "`path` must have the suffix of an image format"),
        (["--preset", "captioner_flickr7k"], "Unknown preset 'captioner_flickr7k'"),
        (["--beams", "0"], "beams"),
    ],
)
def test_bad_arguments_exit_with_2(photos, arguments, message):
    command = run(photos[0], *arguments)

    assert command.exit_code == 2
    assert message in command.stderr


@pytest.mark.parametrize("level", [None, "3"])
def test_process_prints_nothing_else(photos, expected, captioner_preset, level):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    if level:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    command = subprocess.run(
        [sys.executable, "-m", "keras_mmfusion.cli.main", "caption", photos[0]]
        + ["--preset", captioner_preset],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )

    assert (command.returncode, command.stderr) == (0, "")
    assert command.stdout == f"{expected[photos[0]]}\n"


def test_wrong_file_name_is_an_error_before_keras_is_imported():
    code = (
        "import sys; sys.argv = ['mmfusion', 'caption', 'nothing.jpg']\n"
        "from keras_mmfusion.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as exit: status = exit.code\n"
        "print(status, sorted({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)))\n"
    )
    command = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )

    assert command.stdout.splitlines() == ["1 []"]
    assert command.stderr == "mmfusion: There is no image file 'nothing.jpg'.\n"
