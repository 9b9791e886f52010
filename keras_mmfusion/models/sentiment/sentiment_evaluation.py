"""How well a model tells negative from positive utterances, over a whole file."""

import numpy as np

from keras_mmfusion.metrics.classification import classification_scores
from keras_mmfusion.metrics.comparable_values import check_not_nan


def evaluate_sentiment(model, data, batch_size=16):
    """Scores a model of conversations on utterances that are negative or positive.

    Args:
        model: `ConversationModel` with a logit of each utterance.
        data: `SentimentUtterances`.
        batch_size: int. Videos of a batch.

    Returns:
        A dict: `"metrics"` (`accuracy`; `f1` of the positive class; `macro_f1`; `weighted_f1`),
        `"protocol"`, how they were made, and `"samples"`, for each utterance a dict of
        `"utterance_id"`, `"label"`, `"prediction"` and `"probability"`, that it is positive.

    Raises:
        ValueError: if the data lacks a modality of the model, or has it with another dim.
    """
    return sentiment_results(data, predict_sentiment(model, data, batch_size))


def predict_sentiment(model, data, batch_size=16):
    """The probability that an utterance is positive, with the rest of its video in view.

    Args:
        model: `ConversationModel` with a logit of each utterance.
        data: `SentimentUtterances`.
        batch_size: int. Videos of a batch.

    Returns:
        Float array `(utterances,)`.

    Raises:
        ValueError: if the data lacks a modality of the model, or has it with another dim.
    """
    features, _, here = data.by_video()
    check_features(model, features)
    logits = model.predict(model_inputs(model, features, here), batch_size=batch_size, verbose=0)
    return 1 / (1 + np.exp(-logits[here][:, 0].astype("float64")))


def model_inputs(model, features, here):
    """What the model is called with: its modalities, and a mask of each."""
    masks = {f"{name}_mask": here for name in model.modalities}
    return {name: features[name] for name in model.modalities} | masks


def sentiment_results(data, probabilities):
    """What `evaluate_sentiment` returns, out of the probabilities.

    Args:
        data: `SentimentUtterances`.
        probabilities: array `(utterances,)`.
    """
    check_not_nan(probabilities=probabilities)
    predictions = (np.asarray(probabilities) > 0.5).astype("int64")
    scores = classification_scores(data.labels, predictions)
    hits = 2 * np.sum((data.labels == 1) & (predictions == 1))
    positives = np.sum(data.labels == 1) + np.sum(predictions == 1)
    metrics = {
        "accuracy": scores["accuracy"],
        "f1": float(hits / positives) if positives else 0.0,
        **scores,
    }
    names = ("utterance_id", "label", "prediction", "probability")
    columns = (data.utterance_ids, data.labels, predictions, np.round(probabilities, 6))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "metrics": metrics,
        "protocol": {
            "videos": len(np.unique(data.video_ids)),
            "utterances": len(data),
            "positive_utterances": int(np.sum(data.labels)),
            "classes": "0 negative, 1 positive: probability above 0.5",
            "f1": "of the positive class; macro: plain mean over both; weighted: by their shares",
            "seeds": [],  # Nothing is drawn.
        },
        "samples": [dict(zip(names, row, strict=True)) for row in rows],
    }


def check_features(model, features):
    """Raises a `ValueError` unless the model was built for features of these dims."""
    shapes = (model.get_build_config() or {}).get("input_shape") or {}
    for name in model.modalities:
        if name not in features:
            raise ValueError(
                f"The model needs the modality {name!r}; the data has {', '.join(features)}."
            )
        if name in shapes and shapes[name][-1] != features[name].shape[-1]:
            raise ValueError(
                f"Array {name!r} has {features[name].shape[-1]} features of each utterance; the "
                f"model takes {shapes[name][-1]}."
            )
