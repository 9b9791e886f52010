"""Training and scoring of models of opinions in videos."""

import dataclasses

import numpy as np
import pytest
from layer_checks import to_numpy
from models.sentiment.small_utterances import LENGTHS, small_sentiment_model, utterances

from keras_mmfusion.models.sentiment import (
    SentimentRecipe,
    cross_validate_sentiment,
    evaluate_sentiment,
    predict_sentiment,
    train_sentiment,
)
from keras_mmfusion.models.sentiment.sentiment_evaluation import sentiment_results

RECIPE = SentimentRecipe(dim=8, epochs=25, batch_size=2, learning_rate=0.02)


def test_probabilities_are_those_of_each_video_alone():
    model, data = small_sentiment_model(), utterances()
    expected = []
    for video in range(len(LENGTHS)):
        here = data.video_ids == f"v{video}"
        logits = model({name: values[None, here] for name, values in data.features.items()})
        expected.append(1 / (1 + np.exp(-to_numpy(logits)[0, :, 0])))
    found = predict_sentiment(model, data, batch_size=4)
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)


def test_scores_are_those_of_the_predictions():
    data = utterances()
    data = data.take(np.arange(len(data)) < 5)
    data = dataclasses.replace(data, labels=np.array([0, 0, 1, 1, 1]))
    results = sentiment_results(data, np.array([0.2, 0.9, 0.6, 0.4, 0.7]))
    # Two of three positives found, one negative taken for positive.
    assert results["metrics"] == pytest.approx(
        {"accuracy": 3 / 5, "f1": 2 / 3, "macro_f1": 7 / 12, "weighted_f1": 0.6}
    )
    assert results["samples"][1] == {
        "utterance_id": "v0_1",
        "label": 0,
        "prediction": 1,
        "probability": 0.9,
    }
    assert (results["protocol"]["videos"], results["protocol"]["utterances"]) == (3, 5)


def test_no_positive_at_all_is_no_error():
    data = utterances()
    data = dataclasses.replace(data, labels=np.zeros(len(data), "int64"))
    assert sentiment_results(data, np.zeros(len(data)))["metrics"]["f1"] == 0.0


def test_features_of_another_kind_are_refused():
    model, data = small_sentiment_model(), utterances()
    audio = np.zeros((len(data), 9), "float32")
    with pytest.raises(ValueError, match="Array 'audio' has 9 features .* the model takes 3"):
        evaluate_sentiment(
            model, dataclasses.replace(data, features={**data.features, "audio": audio})
        )
    with pytest.raises(ValueError, match="needs the modality 'audio'; the data has text"):
        evaluate_sentiment(
            model, dataclasses.replace(data, features={"text": data.features["text"]})
        )


def test_training_learns_what_the_text_tells_and_does_without_the_rest():
    data = utterances()
    model = train_sentiment(RECIPE, data)
    results = evaluate_sentiment(model, data)
    assert results["metrics"]["accuracy"] >= 0.9
    features, labels, here = data.by_video()
    logits = model({"text": features["text"], "text_mask": here})
    right = (to_numpy(logits)[..., 0] > 0) == labels
    assert right[here].mean() >= 0.8


def test_cross_validation_judges_every_video_by_models_of_the_others(monkeypatch):
    model, data, seen = small_sentiment_model(), utterances(), []

    def train(recipe, part):
        seen.append(set(part.video_ids.tolist()))
        return model

    monkeypatch.setattr("keras_mmfusion.models.sentiment.sentiment_recipe.train_sentiment", train)
    results = cross_validate_sentiment(RECIPE, data, folds=2)
    assert [len(videos) for videos in seen] == [3, 3]
    assert set.intersection(*seen) == set()
    expected = predict_sentiment(model, data)
    found = [sample["probability"] for sample in results["samples"]]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert results["protocol"]["recipe"] == dataclasses.asdict(RECIPE)
    assert results["protocol"]["seeds"] == [0]
