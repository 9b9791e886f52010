"""Predictions and scores of sentiment models."""

import numpy as np

from keras_mmfusion.metrics.classification import classification_scores
from keras_mmfusion.metrics.comparable_values import check_not_nan
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult

HEADINGS = {"accuracy": "Accuracy", "f1": "F1 of positive", "weighted_f1": "Weighted F1"}


def evaluate_sentiment(model, data, batch_size=16):
    """Scores a sentiment model on labeled utterances.

    Args:
        model: `ConversationModel` with one logit for each utterance.
        data: `SentimentUtterances`.
        batch_size: int. Number of videos in a batch.

    Returns:
        `EvaluationResult` with the metrics `accuracy`, `f1` of the positive class, `macro_f1` and
        `weighted_f1`; `samples` has for each utterance a dict of `"utterance_id"`, `"label"`,
        `"prediction"` and `"probability"` of the positive class.

    Raises:
        ValueError: if a modality of the model is missing in the data or has another dim.
    """
    return score_probabilities(data, predict_sentiment(model, data, batch_size))


def predict_sentiment(model, data, batch_size=16):
    """Predicts the probability that an utterance is positive, in the context of its video.

    Args:
        model: `ConversationModel` with one logit for each utterance.
        data: `SentimentUtterances`.
        batch_size: int. Number of videos in a batch.

    Returns:
        Float array `(utterances,)`.

    Raises:
        ValueError: if a modality of the model is missing in the data or has another dim.
    """
    features, _, mask = data.group_by_video()
    check_features(model, features)
    logits = model.predict(make_inputs(model, features, mask), batch_size=batch_size, verbose=0)
    return 1 / (1 + np.exp(-logits[mask][:, 0].astype("float64")))


def make_inputs(model, features, mask):
    """Returns the inputs of the model: its modalities and their masks, all equal to `mask`."""
    masks = {f"{name}_mask": mask for name in model.modalities}
    return {name: features[name] for name in model.modalities} | masks


def score_probabilities(data, probabilities):
    """Computes the result of `evaluate_sentiment` from probabilities.

    Args:
        data: `SentimentUtterances`.
        probabilities: array `(utterances,)`.
    """
    check_not_nan(probabilities=probabilities)
    predictions = (np.asarray(probabilities) > 0.5).astype("int64")
    scores = classification_scores(data.labels, predictions)
    true_positives = np.sum((data.labels == 1) & (predictions == 1))
    positives = np.sum(data.labels == 1) + np.sum(predictions == 1)
    metrics = {
        "accuracy": scores["accuracy"],
        "f1": float(2 * true_positives / positives) if positives else 0.0,
        **scores,
    }
    names = ("utterance_id", "label", "prediction", "probability")
    columns = (data.utterance_ids, data.labels, predictions, np.round(probabilities, 6))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    protocol = {
        "videos": len(np.unique(data.video_ids)),
        "utterances": len(data),
        "positive_utterances": int(np.sum(data.labels)),
        "classes": "0 negative, 1 positive: probability above 0.5",
        "f1": "of the positive class; macro: mean over classes; weighted: by class frequency",
        "seeds": [],  # Predictions are deterministic.
    }
    return EvaluationResult(
        metrics,
        protocol,
        samples=[dict(zip(names, row, strict=True)) for row in rows],
        table={"metrics": HEADINGS, "settings": {}, "summary": _summarize(protocol)},
    )


def _summarize(protocol):
    return f"{protocol['utterances']:,} utterances of {protocol['videos']} videos"


def check_features(model, features):
    """Raises a `ValueError` if the features do not match the modalities and dims of the model."""
    shapes = (model.get_build_config() or {}).get("input_shape") or {}
    for name in model.modalities:
        if name not in features:
            raise ValueError(
                f"The model needs the modality {name!r}; the data has {', '.join(features)}."
            )
        if name in shapes and shapes[name][-1] != features[name].shape[-1]:
            raise ValueError(
                f"Array {name!r} has {features[name].shape[-1]} features for each utterance; the "
                f"model expects {shapes[name][-1]}."
            )
