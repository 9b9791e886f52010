"""Training of sentiment models, and scores of a recipe over several seeds."""

import dataclasses

import keras
import numpy as np

from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models.fusion.conversation_model import ConversationModel
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult
from keras_mmfusion.models.runs.setting_checks import (
    check_fractions,
    check_integers,
    check_positives,
)
from keras_mmfusion.models.sentiment.sentiment_evaluation import (
    HEADINGS,
    make_inputs,
    predict_sentiment,
    score_probabilities,
)


@dataclasses.dataclass(frozen=True)
class SentimentRecipe:
    """Settings of a sentiment model and its training.

    The features of each utterance are standardized, projected and concatenated; a Transformer
    attends over the utterances of a video. `modality_dropout` drops modalities of utterances in
    training.

    Args:
        dim: int. Size of the tokens.
        feature_dropout: float in [0, 1). Dropout of the standardized features.
        dropout: float in [0, 1). Dropout in the fusion and the Transformer.
        modality_dropout: float in [0, 1).
        epochs, batch_size: ints; `batch_size` counts videos.
        learning_rate: float. Learning rate of AdamW.
        seed: int. Seed of the initial weights, the order and the dropout.

    Raises:
        ValueError: if a number is out of range.

    Example:

    >>> from keras_mmfusion.models.sentiment import SentimentRecipe
    >>> SentimentRecipe(dim=64).modality_dropout
    0.3
    """

    dim: int = 32
    feature_dropout: float = 0.5
    dropout: float = 0.2
    modality_dropout: float = 0.3
    epochs: int = 15
    batch_size: int = 13
    learning_rate: float = 3e-3
    seed: int = 0

    def __post_init__(self):
        check_integers(self, {"dim": 1, "epochs": 1, "batch_size": 1, "seed": 0})
        check_fractions(self, "feature_dropout", "dropout", "modality_dropout")
        check_positives(self, "learning_rate")


def train_sentiment(recipe, data, callbacks=()):
    """Trains a sentiment model.

    Args:
        recipe: `SentimentRecipe`.
        data: `SentimentUtterances`.
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        `ConversationModel` of `"text"`, `"audio"` and `"video"` with a logit for each utterance,
        `(videos, utterances, 1)`: above 0 it is positive.
    """
    keras.utils.set_random_seed(recipe.seed)
    model = _build_model(recipe, tuple(data.features))
    for name, encoder in model.utterance_model.encoders.items():
        encoder.adapt(data.features[name])
    features, labels, mask = data.group_by_video()
    model.compile(
        keras.optimizers.AdamW(recipe.learning_rate, weight_decay=0.01, clipnorm=1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,  # Compilation takes longer than the training.
    )
    model.fit(
        make_inputs(model, features, mask),
        labels[..., None].astype("float32"),
        sample_weight=mask.astype("float32"),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        callbacks=list(callbacks),
        verbose=0,
    )
    return model


def score_sentiment_recipe(recipe, train, dev, seeds=(0, 1, 2, 3, 4), progress=iter):
    """Scores a recipe on unseen videos, and selects its number of epochs.

    For each seed a model is trained on `train`, and predicts `dev` after each epoch. The videos of
    `dev` are split into two random halves; each half is scored after the number of epochs with the
    best mean accuracy on the other half, so that no utterance is used to select its own epoch.

    Args:
        recipe: `SentimentRecipe`. Its `epochs` are the maximum.
        train, dev: `SentimentUtterances` of different videos. If the features come from networks
            trained on labels, these must not include the labels of `dev`.
        seeds: sequence of ints.
        progress: function that wraps the iterable of seeds, such as `tqdm.tqdm`.

    Returns:
        `EvaluationResult` with the metrics of `evaluate_sentiment`, averaged over the seeds.
        `protocol` has `"accuracy_of_seeds"`, `"epochs_of_halves"`, and `"epochs"`, the number that
        is best on all of `dev`; `samples` has for each utterance a dict of `"utterance_id"` and
        `"probabilities"` of the positive class, one for each seed.

    Raises:
        ValueError: if `train` and `dev` share a video, or `dev` has less than two videos.
    """
    both = sorted(set(train.video_ids.tolist()) & set(dev.video_ids.tolist()))
    if both:
        raise ValueError(f"`train` and `dev` must not share videos. Both have: {both[:5]}")
    curves = []
    for seed in progress(seeds):
        recorder = _PredictionRecorder(dev)
        train_sentiment(dataclasses.replace(recipe, seed=seed), train, [recorder])
        curves.append(recorder.predictions)
    curves = np.array(curves)  # (seeds, epochs, utterances)
    accuracy = ((curves > 0.5) == dev.labels).mean(axis=0)  # (epochs, utterances)
    halves = dev.assign_folds(2)
    best = [int(accuracy[:, halves != half].mean(axis=1).argmax()) for half in (0, 1)]
    probabilities = np.where(halves == 0, curves[:, best[0]], curves[:, best[1]])
    results = [score_probabilities(dev, each) for each in probabilities]
    metrics = [each.metrics for each in results]
    samples = [
        {"utterance_id": name, "probabilities": np.round(each, 4).tolist()}
        for name, each in zip(dev.utterance_ids.tolist(), probabilities.T, strict=True)
    ]
    protocol = {
        **results[0].protocol,
        "trained_on": f"{len(train):,} utterances of {len(np.unique(train.video_ids))} videos",
        "selection": "unseen videos, each half scored after the number of epochs that is best on "
        "the other half",
        "epochs_of_halves": [epoch + 1 for epoch in best],
        "epochs": int(accuracy.mean(axis=1).argmax()) + 1,
        "accuracy_of_seeds": [each["accuracy"] for each in metrics],
        "recipe": {name: x for name, x in dataclasses.asdict(recipe).items() if name != "seed"},
        "seeds": list(seeds),
    }
    means = {name: float(np.mean([each[name] for each in metrics])) for name in metrics[0]}
    return EvaluationResult(means, protocol, samples, describe_table(protocol))


def describe_table(protocol):
    """Describes how the scores of a recipe are shown; see `EvaluationResult`."""
    accuracies = protocol["accuracy_of_seeds"]
    epochs = " and ".join(map(str, protocol["epochs_of_halves"]))
    summary = (
        f"trained on {protocol['trained_on']}, scored on {protocol['utterances']:,} utterances of "
        f"{protocol['videos']} other videos; {protocol['selection']} (epochs {epochs} of at most "
        f"{protocol['recipe']['epochs']}); mean of {len(accuracies)} seeds, accuracy "
        f"{min(accuracies):.3f} to {max(accuracies):.3f}"
    )
    return {"metrics": HEADINGS, "settings": {}, "summary": summary}


class _PredictionRecorder(keras.callbacks.Callback):
    """Predicts `data` after each epoch."""

    def __init__(self, data):
        super().__init__()
        self.data = data
        self.predictions = []

    def on_epoch_end(self, epoch, logs=None):
        self.predictions.append(predict_sentiment(self.model, self.data))


def _build_model(recipe, modalities):
    encoders = {
        name: VectorEncoder(recipe.dim, dropout=recipe.feature_dropout) for name in modalities
    }
    fusion = FusionBlock(modalities, combine="concat", dim=recipe.dim, dropout=recipe.dropout)
    return ConversationModel(
        FusionModel(encoders, fusion, modality_dropout=recipe.modality_dropout),
        TokenEncoder(recipe.dim, dropout=recipe.dropout),
        keras.layers.Dense(1),
    )
