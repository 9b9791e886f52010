"""SavedModels of public checkpoints, run in a process without this package."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from saved_models import png

from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.serving import caption_in_bulk

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="A SavedModel is TensorFlow's."
)

CAPTIONERS = ("blip", "git", "vit_gpt2")
RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (height, 50, 3), "uint8") for height in (40, 31, 60)]
FILES = [png(image) for image in IMAGES]
QUESTIONS = ["w9 W30?", "", "what w7 w8 w9"]
TEXTS = ["A ca do", "do" * 20, "ü ca-12"]
RUN_ALL = """
import json, sys
import tensorflow as tf

def convert(value):
    if isinstance(value, list):
        return [convert(x) for x in value]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value

results, loaded = [], {}
for folder, signature, inputs in json.load(sys.stdin):
    inputs = {
        name: tf.constant([bytes.fromhex(x) for x in values], tf.string)
        for name, values in inputs.items()
    }
    if folder not in loaded:
        loaded[folder] = tf.saved_model.load(folder)
    outputs = loaded[folder].signatures[signature](**inputs)
    results.append({name: convert(value.numpy().tolist()) for name, value in outputs.items()})
assert "keras_mmfusion" not in sys.modules and "keras_hub" not in sys.modules
print(json.dumps(results))
"""


def run_without_package(calls):
    """Calls signatures of SavedModels, a list of (folder, signature, inputs), in a process."""
    calls = [
        (
            str(folder),
            signature,
            {name: [value.hex() for value in values] for name, values in inputs.items()},
        )
        for folder, signature, inputs in calls
    ]
    process = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Returns the models of the checkpoints, and the folders of their SavedModels, by name."""
    root = tmp_path_factory.mktemp("exported")
    names = (*CAPTIONERS, "blip_vqa", "vilt", "clip")
    models = {name: load_checkpoint(write_folder(root / name, name)) for name in names}
    settings = {name: {"beams": 2, "max_length": 6} for name in CAPTIONERS}
    settings |= {"blip_vqa": {"beams": 2}, "vilt": {"top_k": 2}}
    versions = {
        name: model.export(root / f"{name}_served", **settings.get(name, {}))
        for name, model in models.items()
    }
    return models, versions


def test_outputs_without_the_package_equal_those_of_the_models(exported):
    models, versions = exported
    files = [*FILES, b"no image"]
    questions = [*map(str.encode, QUESTIONS), b"w9"]
    default = "serving_default"
    calls = [(versions[name], default, {"image_bytes": files}) for name in CAPTIONERS]
    inputs = {"image_bytes": files, "questions": questions}
    calls.append((versions["blip_vqa"], default, inputs))
    calls.append((versions["vilt"], default, inputs))
    invalid = {"image_bytes": files[3:], "questions": questions[3:]}  # No image has a size.
    calls.append((versions["vilt"], default, invalid))
    calls.append((versions["clip"], default, {"image_bytes": files}))
    texts = [text.encode() for text in TEXTS]
    calls.append((versions["clip"], "embed_texts", {"texts": texts}))
    *captions, answers, selected, blank, images, texts = run_without_package(calls)

    for name, found in zip(CAPTIONERS, captions, strict=True):
        expected = models[name].generate(IMAGES, beams=2, max_length=6, details=True)
        assert found["captions"] == [*(caption.text for caption in expected), ""]
        scores = [caption.score for caption in expected]
        np.testing.assert_allclose(found["scores"][:3], scores, rtol=1e-4)
        assert found["error_codes"] == [0, 0, 0, 2]
        assert len(set(found["captions"])) > 2
    with pytest.warns(UserWarning, match="1 of 3 questions have no word"):
        expected = models["blip_vqa"].generate(IMAGES, QUESTIONS, beams=2)
    assert answers["answers"] == [*expected, ""] and answers["error_codes"] == [0, 0, 0, 2]
    with pytest.warns(UserWarning, match="1 of 3 questions have no word"):
        expected = models["vilt"].answer(IMAGES, QUESTIONS, top_k=2, details=True)
    assert selected["error_codes"] == [0, 0, 0, 2] and selected["answers"][3] == ["", ""]
    assert blank == {"answers": [["", ""]], "probabilities": [[0, 0]], "error_codes": [2]}
    for row, answers in enumerate(expected):
        assert selected["answers"][row] == [answer.text for answer in answers]
        probabilities = [answer.probability for answer in answers]
        np.testing.assert_allclose(selected["probabilities"][row], probabilities, rtol=1e-4)
    expected = models["clip"].embed("image", IMAGES)
    np.testing.assert_allclose(images["embeddings"][:3], expected, atol=1e-5)
    expected = models["clip"].embed("text", TEXTS)
    np.testing.assert_allclose(texts["embeddings"], expected, atol=1e-5)


def test_images_are_captioned_in_bulk(exported, tmp_path):
    pytest.importorskip("apache_beam")
    models, versions = exported
    for index, file in enumerate(FILES):
        (tmp_path / f"{index}.png").write_bytes(file)
    counts = caption_in_bulk(str(tmp_path / "*.png"), tmp_path / "out", versions["git"])
    assert counts == {"shards": 1, "captions": len(FILES), "errors": 0}
    [path] = (tmp_path / "out").glob("captions-*.jsonl")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    expected = models["git"].generate(IMAGES, beams=2, max_length=6)
    assert [row["caption"] for row in sorted(rows, key=lambda row: row["image"])] == expected
