"""`mmfusion zoo verify`: outputs of checkpoints beside published ones."""

import dataclasses
import io
import json

import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from hub_server import HubServer, connect_client
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion import zoo
from keras_mmfusion.cli.app import app
from keras_mmfusion.zoo.reference_checks import (
    COMPUTE,
    MAX_NEW_TOKENS,
    ReferenceCheck,
    check_references,
    find_references,
)
from keras_mmfusion.zoo.reference_outputs import REFERENCES, ReferenceOutput

START, END = 58, 3
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype("uint8")
PHOTO_PATH = "owner/photos/resolve/main/photo.png"
CAPTIONER = "owner/blip_captioner"


def encode_png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def read_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The local copies of the repositories."""
    root = tmp_path_factory.mktemp("checkpoints")
    write_folder(root / "blip_captioner", "blip")
    write_folder(root / "blip_question_answerer", "blip_vqa")
    write_folder(root / "clip", "clip")
    return root


@pytest.fixture
def server(folders, tmp_path, monkeypatch):
    repositories = {f"owner/{folder.name}": read_files(folder) for folder in folders.iterdir()}
    repositories["owner/photos"] = {"photo.png": encode_png(PHOTO)}
    with HubServer(repositories) as server:
        connect_client(server, tmp_path / "cache", monkeypatch)
        yield server


@pytest.fixture
def reference(server, folders, monkeypatch):
    """The published caption of the tiny captioner, whose words are `w` and their token id."""
    model = zoo.captioner(folders / "blip_captioner")
    words = model.generate(PHOTO, beams=1, max_length=MAX_NEW_TOKENS).split()
    ids = (START, *(int(word[1:]) for word in words))
    ids += (END,) * (len(words) < MAX_NEW_TOKENS)
    reference = ReferenceOutput("caption_ids", f"{server.address}/{PHOTO_PATH}", ids)
    monkeypatch.setitem(REFERENCES, CAPTIONER, (reference,))
    return reference


def verify(*arguments):
    return CliRunner().invoke(app, ["zoo", "verify", *arguments])


def test_equal_outputs_are_reported(server, reference):
    result = verify(f"hf://{CAPTIONER}@v1")
    assert result.exit_code == 0, result.output
    ids = list(reference.expected)
    lines = ["caption_ids: equal", f"  expected {ids}", f"  actual   {ids}"]
    assert result.stdout.splitlines() == lines
    assert ("photo.png", 0) in server.downloads


def test_different_outputs_are_reported_with_exit_status_1(server, reference, monkeypatch):
    expected = (*reference.expected[:-1], 9)
    changed = dataclasses.replace(reference, expected=expected)
    monkeypatch.setitem(REFERENCES, CAPTIONER, (reference, changed))
    result = verify(f"hf://{CAPTIONER}")
    assert result.exit_code == 1
    assert "caption_ids: DIFFERENT" in result.stdout
    assert f"  expected {list(expected)}\n  actual   {list(reference.expected)}" in result.stdout
    described = json.loads(verify(f"hf://{CAPTIONER}", "--json").stdout)
    assert [check["equal"] for check in described] == [True, False]
    assert described[1]["expected"] == list(expected)
    assert described[1]["actual"] == list(reference.expected)


def test_the_photo_may_be_a_file(server, reference, tmp_path):
    del server.repositories["owner/photos"]
    result = verify(f"hf://{CAPTIONER}")
    assert result.exit_code == 2
    assert "could not be downloaded" in result.stderr and "--image" in result.stderr
    path = tmp_path / "photo.png"
    path.write_bytes(encode_png(PHOTO))
    assert verify(f"hf://{CAPTIONER}", "--image", str(path)).exit_code == 0
    path.write_bytes(encode_png(255 - PHOTO))
    assert verify(f"hf://{CAPTIONER}", "--image", str(path)).exit_code == 1


def test_the_photo_is_read_as_by_the_checkpoint(folders, reference):
    model = zoo.captioner(folders / "blip_captioner")
    transparent = np.dstack([PHOTO, np.zeros_like(PHOTO[..., :1])])
    (check,) = check_references(model, [reference], encode_png(transparent))
    assert check.is_equal


def test_checkpoints_without_published_outputs_are_an_error():
    result = verify("hf://owner/other")
    assert result.exit_code == 2
    assert "no published outputs of 'hf://owner/other'" in result.stderr
    assert "hf://Salesforce/blip-vqa-base" in result.stderr
    with pytest.raises(ValueError, match="no published outputs"):
        find_references("Salesforce/blip-vqa-base")
    assert find_references("hf://Salesforce/blip-vqa-base@main")


def test_answer_ids_are_those_of_the_answer(folders):
    model = zoo.load_preset(folders / "blip_question_answerer")
    ids = COMPUTE["answer_ids"](model, PHOTO, ("w9 w30",))
    assert ids[0] == START
    answer = model.generate(PHOTO, "w9 w30", beams=1).replace("[ENC]", "w59")
    assert [f"w{index}" for index in ids[1:] if index != END] == answer.split()


def test_pair_logits_give_the_probabilities_of_classify(folders):
    model = zoo.embedder(folders / "clip")
    logits = COMPUTE["pair_logits"](model, PHOTO, ("a cat", "a dog"))
    probabilities = np.exp(logits) / np.sum(np.exp(logits))
    expected = model.classify(PHOTO, ["cat", "dog"], "a {}")
    np.testing.assert_allclose(probabilities, np.ravel(expected), rtol=1e-5)


@pytest.mark.parametrize(
    ("expected", "actual", "is_equal"),
    [
        ("a dog", "a dog", True),
        ("a dog", "a cat", False),
        ((1, 2), (1, 2), True),
        ((1, 2), (1, 2, 3), False),
        ((1.0, 2.0), (1.05, 1.95), True),
        ((1.0, 2.0), (1.2, 2.0), False),
        ((1.0,), (float("nan"),), False),
    ],
)
def test_numbers_are_compared_with_the_tolerance(expected, actual, is_equal):
    reference = ReferenceOutput("caption", "photo", expected, tolerance=0.1)
    assert ReferenceCheck(reference, actual).is_equal is is_equal


def test_the_table_of_published_outputs_is_complete():
    for references in REFERENCES.values():
        for reference in references:
            assert reference.kind in COMPUTE
            assert reference.photo.startswith(("http://", "https://"))
            numbers = not isinstance(reference.expected, str)
            assert numbers or reference.tolerance == 0
            if numbers and any(isinstance(number, float) for number in reference.expected):
                assert reference.tolerance > 0


@pytest.mark.network
@pytest.mark.parametrize("repository", REFERENCES)
def test_public_checkpoints_have_their_published_outputs(repository):
    model = zoo.load_preset(f"hf://{repository}")
    for check in check_references(model, find_references(f"hf://{repository}")):
        assert check.is_equal, check
