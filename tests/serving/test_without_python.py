"""Runs an exported captioner on image files in a C++ program."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from PIL import Image

from keras_mmfusion.models import Captioner
from keras_mmfusion.zoo import captioner

tf = pytest.importorskip("tensorflow")

TESTS = Path(__file__).resolve().parents[1]
COMPILER = shutil.which("g++")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if COMPILER is None:
        pytest.skip("needs g++")
    binary = tmp_path_factory.mktemp("program") / "caption_files"
    library = tf.sysconfig.get_lib()
    subprocess.run(
        [COMPILER, "-w", str(Path(__file__).with_name("caption_files.cc")), "-o", str(binary)]
        + tf.sysconfig.get_compile_flags()
        # Kernels register themselves, so the linker must keep libraries without references.
        + ["-Wl,--no-as-needed", f"-L{library}", f"-Wl,-rpath,{library}"]
        + ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"],
        check=True,
        timeout=600,
    )
    return binary


def write_photos(folder, count=50):
    """Writes crops of a photo in several formats and sizes; returns their paths."""
    photo = Image.open(TESTS / "data" / "photo.jpg").convert("RGB")
    rng = np.random.default_rng(0)
    paths = []
    for index in range(count):
        # Lossless except for the photo: builds of libjpeg round differently.
        suffix = ("png", "bmp", "webp")[index % 3]
        left, top = rng.integers(0, np.array(photo.size) // 2)
        width, height = rng.integers(40, np.array(photo.size) // 2)
        paths.append(str(folder / f"{index}.{suffix}"))
        crop = photo.crop((left, top, left + width, top + height))
        crop.save(paths[-1], **({"lossless": True} if suffix == "webp" else {}))
    return [*paths, str(TESTS / "data" / "photo.jpg")]


@pytest.mark.parametrize("checkpoint", [None, "blip"])
def test_captions_equal_those_of_generate(program, checkpoint, tmp_path):
    photos = write_photos(tmp_path)
    text, empty = tmp_path / "text.jpg", tmp_path / "empty.jpg"
    text.write_text("no image")
    empty.touch()
    if checkpoint is None:
        model = captioner()
    else:
        model = Captioner.from_preset(write_folder(tmp_path / checkpoint, checkpoint))
    version = model.export(tmp_path / "model")
    run = subprocess.run(
        [program, version, photos[0], text, empty, *photos[1:]],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    lines = [line.split("\t") for line in run.stdout.splitlines()]
    assert lines[1:3] == [["2", ""], ["1", ""]]
    captions = [caption for code, caption in [lines[0], *lines[3:]]]
    assert captions == model.generate(photos)
    assert len(set(captions)) > 5


def test_folder_without_a_model_is_an_error(program, tmp_path):
    run = subprocess.run([program, tmp_path], capture_output=True, text=True, timeout=600)
    assert run.returncode == 1
    assert "NOT_FOUND" in run.stderr
