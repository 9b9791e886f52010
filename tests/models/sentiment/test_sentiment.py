"""Training and scoring of models of opinions in videos."""

import dataclasses

import numpy as np
import pytest
from layer_checks import to_numpy
from models.sentiment.small_utterances import LENGTHS, small_sentiment_model, utterances

from keras_mmfusion.models.sentiment import (
    SentimentRecipe,
    evaluate_sentiment,
    predict_sentiment,
    score_sentiment_recipe,
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


def test_after_each_epoch_the_model_is_shown():
    weights = []
    model = train_sentiment(
        dataclasses.replace(RECIPE, epochs=3),
        utterances(),
        lambda model: weights.append(to_numpy(model.trainable_variables[0])),
    )
    assert len(weights) == 3 and not np.array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[2], to_numpy(model.trainable_variables[0]))


def test_each_half_is_scored_after_the_epochs_that_suit_the_other(monkeypatch):
    data = utterances()
    in_dev = np.isin(data.video_ids, ["v2", "v3", "v4", "v5"])
    train, dev = data.take(~in_dev), data.take(in_dev)
    half_of = dev.folds(2)
    right = np.where(dev.labels == 1, 0.9, 0.1)
    # After one epoch half 0 is judged rightly, after two half 1, after three both are wrong.
    curve = [np.where(half_of == 0, right, 1 - right), np.where(half_of == 1, right, 1 - right)]
    curve.append(1 - right)
    seen = []

    def train_model(recipe, part, after_epoch):
        seen.append((recipe.seed, sorted(set(part.video_ids.tolist()))))
        for probabilities in curve:
            after_epoch(probabilities)

    module = "keras_mmfusion.models.sentiment.sentiment_recipe"
    monkeypatch.setattr(f"{module}.train_sentiment", train_model)
    monkeypatch.setattr(f"{module}.predict_sentiment", lambda probabilities, part: probabilities)
    results = score_sentiment_recipe(RECIPE, train, dev, seeds=(3, 4))
    assert seen == [(3, ["v0", "v1"]), (4, ["v0", "v1"])]
    # Half 0 is scored after two epochs, where it is wrong, since half 1 is right then.
    assert results["protocol"]["epochs_of_halves"] == [2, 1]
    assert results["metrics"]["accuracy"] == 0.0
    assert results["protocol"]["accuracy_of_seeds"] == [0.0, 0.0]
    assert results["protocol"]["seeds"] == [3, 4]
    assert len(results["samples"]) == len(dev)
    assert len(results["samples"][0]["probabilities"]) == 2


def test_videos_in_both_files_are_refused():
    with pytest.raises(ValueError, match="no video in common; both have .'v0', 'v1'"):
        score_sentiment_recipe(RECIPE, utterances(), utterances())


def test_logits_that_are_nan_are_refused():
    with pytest.raises(ValueError, match="`probabilities` has 18 values that are NaN"):
        sentiment_results(utterances(), np.full(18, np.nan))
