"""Training and scoring of sentiment models."""

import dataclasses

import keras
import numpy as np
import pytest
from layer_checks import to_numpy
from models.sentiment.small_utterances import LENGTHS, make_utterances, small_sentiment_model

from keras_mmfusion.models.sentiment import (
    SentimentRecipe,
    evaluate_sentiment,
    export_sentiment,
    predict_sentiment,
    score_sentiment_recipe,
    train_sentiment,
)
from keras_mmfusion.models.sentiment.sentiment_evaluation import make_inputs, score_probabilities
from keras_mmfusion.models.sentiment.sentiment_recipe import describe_table

RECIPE = SentimentRecipe(dim=8, epochs=25, batch_size=2, learning_rate=0.02)


def test_prediction_of_a_video_is_independent_of_the_batch():
    model, data = small_sentiment_model(), make_utterances()
    expected = []
    for video in range(len(LENGTHS)):
        rows = data.video_ids == f"v{video}"
        logits = model({name: values[None, rows] for name, values in data.features.items()})
        expected.append(1 / (1 + np.exp(-to_numpy(logits)[0, :, 0])))
    probabilities = predict_sentiment(model, data, batch_size=4)
    np.testing.assert_allclose(probabilities, np.concatenate(expected), atol=1e-5)


def test_metrics_match_a_case_computed_by_hand():
    data = make_utterances()
    data = data.select(np.arange(len(data)) < 5)
    data = dataclasses.replace(data, labels=np.array([0, 0, 1, 1, 1]))
    results = score_probabilities(data, np.array([0.2, 0.9, 0.6, 0.4, 0.7]))
    # Two true positives, one false negative, one false positive.
    assert results.metrics == pytest.approx(
        {"accuracy": 3 / 5, "f1": 2 / 3, "macro_f1": 7 / 12, "weighted_f1": 0.6}
    )
    assert results.samples[1] == {
        "utterance_id": "v0_1",
        "label": 0,
        "prediction": 1,
        "probability": 0.9,
    }
    assert (results.protocol["videos"], results.protocol["utterances"]) == (3, 5)


def test_f1_without_positives_is_zero():
    data = make_utterances()
    data = dataclasses.replace(data, labels=np.zeros(len(data), "int64"))
    assert score_probabilities(data, np.zeros(len(data))).metrics["f1"] == 0.0


def test_features_that_do_not_match_the_model_are_an_error():
    model, data = small_sentiment_model(), make_utterances()
    audio = np.zeros((len(data), 9), "float32")
    with pytest.raises(ValueError, match="Array 'audio' has 9 features .* the model expects 3"):
        evaluate_sentiment(
            model, dataclasses.replace(data, features={**data.features, "audio": audio})
        )
    with pytest.raises(ValueError, match="needs the modality 'audio'; the data has text"):
        evaluate_sentiment(
            model, dataclasses.replace(data, features={"text": data.features["text"]})
        )


def test_training_learns_from_text_and_works_without_other_modalities():
    data = make_utterances()
    model = train_sentiment(RECIPE, data)
    results = evaluate_sentiment(model, data)
    assert results.metrics["accuracy"] >= 0.9
    features, labels, mask = data.group_by_video()
    logits = model({"text": features["text"], "text_mask": mask})
    correct = (to_numpy(logits)[..., 0] > 0) == labels
    assert correct[mask].mean() >= 0.8


def test_callbacks_are_called_after_each_epoch():
    weights = []

    class Recorder(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights.append(to_numpy(self.model.trainable_variables[0]))

    model = train_sentiment(
        dataclasses.replace(RECIPE, epochs=3),
        make_utterances(),
        [Recorder()],
    )
    assert len(weights) == 3 and not np.array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[2], to_numpy(model.trainable_variables[0]))


def test_each_half_of_dev_is_scored_at_the_best_epoch_of_the_other(monkeypatch):
    data = make_utterances()
    in_dev = np.isin(data.video_ids, ["v2", "v3", "v4", "v5"])
    train, dev = data.select(~in_dev), data.select(in_dev)
    halves = dev.assign_folds(2)
    correct = np.where(dev.labels == 1, 0.9, 0.1)
    # Epoch 1 is correct on half 0, epoch 2 on half 1, epoch 3 on none.
    curve = [np.where(halves == half, correct, 1 - correct) for half in (0, 1)]
    curve.append(1 - correct)
    trainings = []

    def train_model(recipe, part, callbacks):
        trainings.append((recipe.seed, sorted(set(part.video_ids.tolist()))))
        for epoch, probabilities in enumerate(curve):
            callbacks[0].set_model(probabilities)
            callbacks[0].on_epoch_end(epoch)

    module = "keras_mmfusion.models.sentiment.sentiment_recipe"
    monkeypatch.setattr(f"{module}.train_sentiment", train_model)
    monkeypatch.setattr(f"{module}.predict_sentiment", lambda probabilities, part: probabilities)
    results = score_sentiment_recipe(RECIPE, train, dev, seeds=(3, 4))
    assert trainings == [(3, ["v0", "v1"]), (4, ["v0", "v1"])]
    # Half 0 is scored at epoch 2, which is best on half 1, and vice versa: none is correct.
    assert results.protocol["epochs_of_halves"] == [2, 1]
    assert results.metrics["accuracy"] == 0.0
    assert results.protocol["accuracy_of_seeds"] == [0.0, 0.0]
    assert results.protocol["seeds"] == [3, 4]
    assert len(results.samples) == len(dev)
    assert len(results.samples[0]["probabilities"]) == 2


def test_shared_videos_are_an_error():
    with pytest.raises(ValueError, match="must not share videos. Both have: .'v0', 'v1'"):
        score_sentiment_recipe(RECIPE, make_utterances(), make_utterances())


def test_nan_probabilities_are_an_error():
    with pytest.raises(ValueError, match="`probabilities` has 18 values that are NaN"):
        score_probabilities(make_utterances(), np.full(18, np.nan))


def test_table_summarizes_the_protocol_of_a_recipe():
    protocol = {
        "trained_on": "5,000 utterances of 90 videos",
        "selection": "half by half",
        "utterances": 1200,
        "videos": 30,
        "epochs_of_halves": [4, 7],
        "recipe": {"epochs": 9},
        "accuracy_of_seeds": [0.7, 0.8],
    }
    assert describe_table(protocol)["summary"] == (
        "trained on 5,000 utterances of 90 videos, scored on 1,200 utterances of 30 other videos; "
        "half by half (epochs 4 and 7 of at most 9); mean of 2 seeds, accuracy 0.700 to 0.800"
    )


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="SavedModels need TensorFlow.")
def test_exported_model_predicts_the_same_logits(tmp_path):
    import tensorflow as tf

    model = small_sentiment_model()
    features, _, mask = make_utterances().group_by_video()
    inputs = make_inputs(model, features, mask)
    served = tf.saved_model.load(export_sentiment(model, tmp_path)).signatures["serving_default"]
    outputs = served(**{name: tf.constant(value) for name, value in inputs.items()})["outputs"]
    np.testing.assert_allclose(outputs[mask], to_numpy(model(inputs))[mask], atol=1e-5)
