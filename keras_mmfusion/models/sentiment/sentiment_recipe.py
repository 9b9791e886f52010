"""From a file of utterances to a model of conversations, and what it is worth."""

import dataclasses

import keras
import numpy as np

from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models.fusion.conversation_model import ConversationModel
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.runs.setting_checks import (
    check_fractions,
    check_integers,
    check_positives,
)
from keras_mmfusion.models.sentiment.sentiment_evaluation import (
    model_inputs,
    predict_sentiment,
    sentiment_results,
)


@dataclasses.dataclass(frozen=True)
class SentimentRecipe:
    """How a model of the utterances of videos is made and trained.

    Features are standardized and projected, concatenated, and read by a Transformer over the
    utterances of a video. `modality_dropout` takes modalities from utterances in training.

    Args:
        dim: int. The size of the tokens.
        feature_dropout: float in [0, 1). Dropout of the standardized features.
        dropout: float in [0, 1). Dropout in the fusion and the Transformer.
        modality_dropout: float in [0, 1).
        epochs, batch_size: ints; a batch is of videos.
        learning_rate: float, of AdamW.
        seed: int. Of the first weights, the order and all dropout.

    Raises:
        ValueError: if a number is out of its range.

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


def train_sentiment(recipe, data, after_epoch=None):
    """Trains a model on all utterances of some videos.

    Args:
        recipe: `SentimentRecipe`.
        data: `SentimentUtterances`.
        after_epoch: function that is called with the model after each epoch, or `None`.

    Returns:
        `ConversationModel` of `"text"`, `"audio"` and `"video"`, which gives a logit of each
        utterance, `(videos, utterances, 1)`: above 0 it is positive.
    """
    keras.utils.set_random_seed(recipe.seed)
    model = _untrained(recipe, tuple(data.features))
    for name, encoder in model.utterance_model.encoders.items():
        encoder.adapt(data.features[name])
    features, labels, here = data.by_video()
    model.compile(
        keras.optimizers.AdamW(recipe.learning_rate, weight_decay=0.01, clipnorm=1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,  # To compile takes longer than to train.
    )
    callbacks = []
    if after_epoch is not None:
        callbacks.append(
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: after_epoch(model))
        )
    model.fit(
        model_inputs(model, features, here),
        labels[..., None].astype("float32"),
        sample_weight=here.astype("float32"),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        callbacks=callbacks,
        verbose=0,
    )
    return model


def score_sentiment_recipe(recipe, train, dev, seeds=(0, 1, 2, 3, 4), progress=iter):
    """Scores a recipe on videos that it is not trained on, and chooses its number of epochs.

    A model of each seed is trained on all of `train` and judges `dev` after each epoch. The videos
    of `dev` are two random halves; each is scored after the number of epochs that is best on the
    other one by mean accuracy, so that no utterance is scored by what was chosen on it.

    Args:
        recipe: `SentimentRecipe`. Its `epochs` are the most that can be chosen.
        train, dev: `SentimentUtterances` of different videos, of which the features' networks, if
            they were trained on labels, saw those of `train` only.
        seeds: sequence of ints.
        progress: function that passes on the seeds, such as `tqdm.tqdm`.

    Returns:
        A dict: `"metrics"`, the means over the seeds of those of `evaluate_sentiment`;
        `"protocol"`, with `"accuracy_of_seeds"`, `"epochs_of_halves"`, and `"epochs"`, the number
        that is best on all of `dev`; and `"samples"`, for each utterance a dict of
        `"utterance_id"` and `"probabilities"`, of each seed, that it is positive.

    Raises:
        ValueError: if a video is in both, or `dev` has less than two videos.
    """
    both = sorted(set(train.video_ids.tolist()) & set(dev.video_ids.tolist()))
    if both:
        raise ValueError(f"`train` and `dev` must have no video in common; both have {both[:5]}.")
    curves = []
    for seed in progress(seeds):
        curve = []
        train_sentiment(
            dataclasses.replace(recipe, seed=seed),
            train,
            lambda model, curve=curve: curve.append(predict_sentiment(model, dev)),
        )
        curves.append(curve)
    curves = np.array(curves)  # (seeds, epochs, utterances)
    right = ((curves > 0.5) == dev.labels).mean(axis=0)
    half_of = dev.folds(2)
    chosen = [int(right[:, half_of != half].mean(axis=1).argmax()) for half in (0, 1)]
    probabilities = np.where(half_of == 0, curves[:, chosen[0]], curves[:, chosen[1]])
    results = [sentiment_results(dev, each) for each in probabilities]
    metrics = [each["metrics"] for each in results]
    samples = [
        {"utterance_id": name, "probabilities": np.round(each, 4).tolist()}
        for name, each in zip(dev.utterance_ids.tolist(), probabilities.T, strict=True)
    ]
    protocol = {
        **results[0]["protocol"],
        "trained_on": f"{len(train):,} utterances of {len(np.unique(train.video_ids))} videos",
        "split": "videos not trained on, each half of them scored after the number of epochs "
        "that is best on the other half",
        "epochs_of_halves": [epoch + 1 for epoch in chosen],
        "epochs": int(right.mean(axis=1).argmax()) + 1,
        "accuracy_of_seeds": [each["accuracy"] for each in metrics],
        "recipe": {name: x for name, x in dataclasses.asdict(recipe).items() if name != "seed"},
        "seeds": list(seeds),
    }
    means = {name: float(np.mean([each[name] for each in metrics])) for name in metrics[0]}
    return {"metrics": means, "protocol": protocol, "samples": samples}


def _untrained(recipe, modalities):
    encoders = {
        name: VectorEncoder(recipe.dim, dropout=recipe.feature_dropout) for name in modalities
    }
    fusion = FusionBlock(modalities, combine="concat", dim=recipe.dim, dropout=recipe.dropout)
    return ConversationModel(
        FusionModel(encoders, fusion, modality_dropout=recipe.modality_dropout),
        TokenEncoder(recipe.dim, dropout=recipe.dropout),
        keras.layers.Dense(1),
    )
