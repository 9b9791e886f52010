"""Scores of a recipe next to blind models, with a model that remembers the training answers."""

import collections

import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.datasets import QuestionAnswers
from keras_mmfusion.models.question_answering import (
    QuestionAnsweringRecipe,
    recipe_scores,
    score_question_answering_recipe,
)

GRAYS = (0, 60, 120, 180)
QUESTIONS = ("is it dark", "what is it")


class RememberingModel:
    """Returns the most frequent training answer to the same image and question."""

    preprocessor = None

    def __init__(self):
        self.counts = collections.defaultdict(collections.Counter)

    def train(self, data):
        for path, question, [answer] in zip(data.images, data.questions, data.answers, strict=True):
            gray = int(np.asarray(Image.open(path))[0, 0, 0])
            self.counts[gray, question][answer] += 1

    def answer(self, images, questions, batch_size):
        pairs = zip(images, questions, strict=True)
        keys = [(int(image[0, 0, 0]), question) for image, question in pairs]
        return [self.counts[key].most_common(1)[0][0] if key in self.counts else "" for key in keys]


@pytest.fixture
def data(tmp_path):
    """Two questions about each of four images: yes, no, no, no; and a, b, c, c."""
    rows = []
    for gray, dark, name in zip(GRAYS, ("yes", "no", "no", "no"), "abcc", strict=True):
        path = str(tmp_path / f"{gray}.png")
        Image.new("RGB", (2, 2), (gray,) * 3).save(path)
        rows += [(path, QUESTIONS[0], [dark]), (path, QUESTIONS[1], [name])]
    return QuestionAnswers(*zip(*rows, strict=True), question_ids=range(len(rows)))


def test_recipe_is_scored_next_to_blind_models(data, monkeypatch):
    seeds, models = [], []

    def create_model(recipe, train_data):
        assert train_data is data
        seeds.append(recipe.seed)
        models.append(RememberingModel())
        return models[-1]

    def train(recipe, train_data, model, image_tokens):
        model.train(train_data)
        return model

    monkeypatch.setattr(recipe_scores, "train_question_answering", train)
    recipe = QuestionAnsweringRecipe(combine="mlb", epochs=7)
    model, result = score_question_answering_recipe(recipe, data, data, create_model, seeds=(3, 5))
    assert model is models[0] and seeds == [3, 3, 3, 5, 5, 5]
    metrics = result.metrics
    assert metrics["accuracy"] == metrics["accuracy_mean"] == 1
    assert metrics["accuracy_std"] == 0
    # "no" is right for 3 of 4 images, and "c" for 2.
    assert metrics["accuracy_question_only"] == pytest.approx(5 / 8)
    # Without the question, each image has two answers, of which one is right.
    assert metrics["accuracy_image_only"] == pytest.approx(4 / 8)
    shuffled = [run["shuffled_images"] for run in result.protocol["runs"]]
    assert metrics["accuracy_shuffled_images"] == pytest.approx(np.mean(shuffled))
    assert max(shuffled) < 1
    assert [run["seed"] for run in result.protocol["runs"]] == [3, 5]
    assert result.protocol["training"] == {"questions": 8, "images": 4}
    assert result.protocol["recipe"]["epochs"] == 7
    assert len(result.samples) == 8
    assert result.table["metrics"].keys() <= metrics.keys()
    assert list(result.table["metrics"].values())[:3] == [
        "Accuracy",
        "Mean of seeds",
        "Question only",
    ]
