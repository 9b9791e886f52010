import pytest

from keras_mmfusion.demo.demo_models import DemoModels
from keras_mmfusion.zoo.mirror import MIRROR_VARIABLE


def test_presets_of_a_task_are_listed_with_those_of_the_package_first():
    models = DemoModels()
    assert models.list_presets("captioner") == [
        "captioner_flickr8k_lite0",
        "captioner_flickr8k_lite2",
    ]
    assert models.list_presets("vqa")[0] == "vqa_easy"
    assert models.list_presets("embedder") == ["image_text_flickr8k"]


def test_presets_that_cannot_be_loaded_are_not_offered(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path))
    models = DemoModels()
    assert models.list_presets("captioner") == ["captioner_flickr8k_lite0"]
    assert models.list_presets("embedder") == []


def test_own_presets_are_offered_first_for_their_task(
    captioner_preset, question_answerer_preset, embedder_preset
):
    models = DemoModels([captioner_preset, question_answerer_preset, embedder_preset])
    assert models.list_presets("captioner")[0] == captioner_preset
    assert models.list_presets("vqa")[0] == question_answerer_preset
    assert models.list_presets("embedder")[0] == embedder_preset
    assert models.describe(captioner_preset) == ""


def test_models_are_loaded_once():
    models = DemoModels()
    assert models.load("vqa_easy") is models.load("vqa_easy")
    assert "circle" in models.describe("vqa_easy")


def test_other_models_are_rejected(sentiment_preset):
    with pytest.raises(ValueError, match="is a ConversationModel"):
        DemoModels([sentiment_preset])
    with pytest.raises(ValueError, match="Unknown preset 'nothing'"):
        DemoModels(["nothing"])
