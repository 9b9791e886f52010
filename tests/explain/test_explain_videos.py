"""Explanations of videos by their frames."""

import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from keras import ops
from models.question_answering.test_video_question_answerer import (
    ANSWERS,
    QUESTION,
    make_model,
    make_videos,
)

from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.explain import explain, explainable


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Calls models eagerly: tracing would take longer than the few calls of a test."""
    monkeypatch.setattr(explainable, "compile_function", lambda model, function: function)


def test_answers_about_videos_are_explained_by_frames():
    model, video = make_model(), make_videos()[0]
    sample = {"image": video, "question": QUESTION}
    explanation = explain(model, sample, ANSWERS[0], "occlusion", "token")
    pixels = model.preprocessor.convert_image(list(video))
    [ids] = model.preprocessor.tokenize_questions([QUESTION])

    def compute(pixels, **masks):
        inputs = {"images": pixels[None], "questions": np.array([ids], "int32"), **masks}
        return ops.convert_to_numpy(model(inputs, training=False))[0, 0]

    assert explanation.score == pytest.approx(compute(pixels), abs=1e-5)
    hidden = pixels.copy()
    hidden[1] = np.median(pixels, axis=(0, 1, 2))
    assert explanation.values["image"].shape == (2,)
    expected = compute(pixels) - compute(hidden)
    assert explanation.values["image"][1] == pytest.approx(expected, abs=1e-5)
    missing = compute(pixels) - compute(pixels, image_mask=np.array([False]))
    modalities = explain(model, sample, ANSWERS[0], "occlusion")
    assert modalities.values["image"] == pytest.approx(missing, abs=1e-5)
    assert "median color of the video" in modalities.removal["image"]


def test_captions_of_videos_are_explained_by_frames(tmp_path):
    model = load_checkpoint(write_folder(tmp_path / "git", "git_video"))
    video = np.random.default_rng(0).integers(0, 256, (2, 20, 24, 3), "uint8")
    sample = {"image": video, "caption": "w3 w4"}
    explanation = explain(model, sample, 0, "occlusion", "token")
    ids, targets, _ = model.preprocessor.pack_captions(["w3 w4"])
    pixels = ops.convert_to_numpy(model.preprocessor.generate_preprocess(video[None]))

    def compute(pixels):
        logits = model.decode(model.encode(pixels, training=False), ids, training=False)
        log_probs = ops.log_softmax(ops.cast(logits, "float32"))
        return ops.convert_to_numpy(log_probs)[0, 0, targets[0, 0]]

    assert explanation.score == pytest.approx(compute(pixels), abs=1e-4)
    hidden = pixels.copy()
    hidden[:, 1] = np.median(pixels, axis=(0, 1, 2, 3))
    assert explanation.values["image"].shape == (2,)
    expected = compute(pixels) - compute(hidden)
    assert explanation.values["image"][1] == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ValueError, match="the tokens of a video are not those of single frames"):
        explain(model, sample, method="attention")
    with pytest.raises(ValueError, match="no image encoder with a feature map"):
        explain(model, sample, method="grad_cam", level="token")
