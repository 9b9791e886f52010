import json
import os
import time

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion.cli import search
from keras_mmfusion.cli.app import app
from keras_mmfusion.cli.photo_index import PhotoIndex
from keras_mmfusion.models.retrieval import ContrastiveModel
from keras_mmfusion.zoo import embedder

SENTENCES = ["a red square", "a blue wall"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of four images, one in a subfolder, and a text file."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    for name, color in (("a.png", "red"), ("b.JPG", "lime"), ("d.png", "blue")):
        Image.new("RGB", (40, 36), color).save(folder / name)
    Image.new("RGB", (20, 36), "white").save(folder / "more" / "e.webp")
    (folder / "notes.txt").write_text("a red square")
    return folder


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """An empty cache for this module."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("keras_home")
        patch.setenv("KERAS_HOME", str(home))
        yield home / "keras_mmfusion" / "search"


@pytest.fixture
def embedded(monkeypatch):
    """The number of embedded images per call."""
    counts = []
    embed = ContrastiveModel.embed

    def counted(self, modality, inputs, *args):
        if modality == "image":
            counts.append(len(inputs))
        return embed(self, modality, inputs, *args)

    monkeypatch.setattr(ContrastiveModel, "embed", counted)
    return counts


def run(*arguments):
    return CliRunner().invoke(app, ["search", *map(str, arguments)])


@pytest.fixture(scope="module")
def expected(photos, embedder_preset):
    """The results of the model itself: images and cosines for each sentence, nearest first."""
    files = [str(photos / name) for name in ("a.png", "b.JPG", "d.png", "more/e.webp")]
    indices, cosines = embedder(embedder_preset).retrieve({"text": SENTENCES}, {"image": files})
    return [
        [(files[index], cosine) for index, cosine in zip(*row, strict=True)]
        for row in zip(indices, cosines, strict=True)
    ]


def test_nearest_images_come_first(photos, expected, embedder_preset):
    command = run(photos, SENTENCES[0], "--preset", embedder_preset)

    assert command.exit_code == 0, command.output
    lines = [f"{cosine:.3f}  {photo}" for photo, cosine in expected[0]]
    assert command.stdout.splitlines() == lines


def test_several_sentences_are_printed_in_blocks(photos, expected, embedder_preset):
    command = run(photos, *SENTENCES, "--preset", embedder_preset, "--count", 2)

    first, second = command.stdout.split("\n\n")
    for text, sentence, found in zip((first, second), SENTENCES, expected, strict=True):
        title, *lines = text.splitlines()
        assert title == sentence
        assert [line.split("  ")[1] for line in lines] == [photo for photo, _ in found[:2]]


@pytest.mark.parametrize("batch_size", [1, 32])
def test_json_output_skips_invalid_file(tmp_path, photos, embedder_preset, monkeypatch, batch_size):
    monkeypatch.setattr(search, "BATCH_SIZE", batch_size)
    for name in ("a.png", "d.png"):
        (tmp_path / name).write_bytes((photos / name).read_bytes())
    (tmp_path / "c.jpg").write_text("not a photo")
    command = run(tmp_path, *SENTENCES, "--preset", embedder_preset, "--json")
    results = json.loads(command.stdout)

    assert command.exit_code == 1
    assert "c.jpg' is not an image of a format" in command.stderr
    assert [result["sentence"] for result in results] == SENTENCES
    for result in results:
        cosines = [nearest["cosine"] for nearest in result["photos"]]
        assert cosines == sorted(cosines, reverse=True)
        assert {nearest["image"] for nearest in result["photos"]} == {
            str(tmp_path / "a.png"),
            str(tmp_path / "d.png"),
        }
        assert np.isfinite(cosines).all()


def test_folder_without_readable_image_exits_with_1(tmp_path, embedder_preset):
    (tmp_path / "c.jpg").write_text("not a photo")
    command = run(tmp_path, "a dog", "--preset", embedder_preset)

    assert (command.exit_code, command.stdout) == (1, "")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("nothing", [], "`folder` must be a folder of images"),
        ("more/none", [], "contains no file with the suffix .bmp, .gif"),
        (".", ["--preset", "image_text_flickr9k"], "Unknown preset 'image_text_flickr9k'"),
        (".", ["--count", "0"], "count"),
    ],
)
def test_bad_arguments_exit_with_2(photos, name, arguments, message):
    (photos / "more" / "none").mkdir(exist_ok=True)
    command = run(photos / name, "a dog", *arguments)

    assert command.exit_code == 2
    assert message in command.stderr


def colored(path, color, age=60):
    """Writes an image with an old modification time."""
    Image.new("RGB", (40, 36), color).save(path)
    os.utime(path, (time.time() - age, time.time() - age))


def test_only_new_and_changed_images_are_embedded(tmp_path, cache, embedder_preset, embedded):
    colors = {"a.png": "red", "b.png": "lime", "c.png": "red"}
    for name, color in colors.items():
        colored(tmp_path / name, color)

    def found():
        command = run(tmp_path, "a red wall", "--preset", embedder_preset, "--json")
        assert command.exit_code == 0, command.output
        (result,) = json.loads(command.stdout)
        return {os.path.basename(each["image"]): each["cosine"] for each in result["photos"]}

    before = set(cache.glob("*"))
    first = found()
    assert embedded == [2] and set(first) == set(colors) and first["a.png"] == first["c.png"]
    assert found() == first
    assert embedded == [2]  # Nothing is read again.

    colored(tmp_path / "a.png", "blue", age=30)
    colored(tmp_path / "d.png", "white")
    (tmp_path / "b.png").rename(tmp_path / "e.png")
    (tmp_path / "c.png").unlink()
    second = found()
    assert embedded == [2, 2]  # A renamed image keeps its embedding.
    assert set(second) == {"a.png", "d.png", "e.png"}
    assert second["e.png"] == first["b.png"] and second["a.png"] != first["a.png"]

    (index,) = set(cache.glob("*")) - before
    colored(tmp_path / "c.png", "red")
    for damage in (index.read_bytes()[:100], b"", b"no index"):
        index.write_bytes(damage)
        assert found() == second | {"c.png": first["c.png"]}
    assert embedded == [2, 2, 4, 4, 4]
    assert set(cache.glob("*")) - before == {index}  # No temporary file is left.


def test_recently_changed_image_is_read_again(tmp_path, embedder_preset, embedded):
    path = tmp_path / "a.bmp"
    colored(path, "red", age=0)
    times = path.stat()
    arguments = (tmp_path, "a red wall", "--preset", embedder_preset)
    first = run(*arguments).stdout
    colored(path, "blue")
    assert path.stat().st_size == times.st_size
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run(*arguments).stdout != first
    assert embedded == [1, 1]


def test_unwritable_cache_is_reported_and_ignored(tmp_path, embedder_preset, monkeypatch):
    colored(tmp_path / "a.png", "red")
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    command = run(tmp_path, "a red wall", "--preset", embedder_preset)
    assert command.exit_code == 0 and "a.png" in command.stdout
    assert "could not be cached" in command.stderr


def test_each_model_and_folder_has_its_own_index(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    paths = {PhotoIndex(folder, model).path for folder in "ab" for model in ("1", "2")}
    assert len(paths) == 4


def test_ctrl_c_keeps_finished_embeddings(tmp_path, embedder_preset, embedded, monkeypatch):
    for name, color in (("a.png", "red"), ("b.png", "lime"), ("c.png", "blue")):
        Image.new("RGB", (40, 36), color).save(tmp_path / name)
    monkeypatch.setattr(search, "BATCH_SIZE", 1)
    counted = ContrastiveModel.embed

    def interrupted(self, modality, inputs, *args):
        if len(embedded) == 2:
            raise KeyboardInterrupt
        return counted(self, modality, inputs, *args)

    with monkeypatch.context() as patch:
        patch.setattr(ContrastiveModel, "embed", interrupted)
        stopped = run(tmp_path, SENTENCES[0], "--preset", embedder_preset)
    assert stopped.exit_code == 130
    assert "the same command resumes with the remaining images" in stopped.stderr
    embedded.clear()
    assert run(tmp_path, SENTENCES[0], "--preset", embedder_preset).exit_code == 0
    assert embedded == [1]
