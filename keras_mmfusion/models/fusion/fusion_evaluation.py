"""Predictions and scores of fusion models on a table of modalities."""

import numpy as np

from keras_mmfusion.datasets.tables.table_columns import CategoryColumn
from keras_mmfusion.metrics.classification import classification_scores
from keras_mmfusion.metrics.comparable_values import check_not_nan
from keras_mmfusion.models.fusion.column_encoders import make_batches
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult

CLASS_HEADINGS = {"accuracy": "Accuracy", "macro_f1": "Macro F1", "weighted_f1": "Weighted F1"}
NUMBER_HEADINGS = {"mae": "MAE", "rmse": "RMSE"}


def evaluate_fusion(model, rows, batch_size=32):
    """Scores a fusion model on the rows of a table.

    Args:
        model: `FusionModel` of `train_fusion`.
        rows: `MultimodalRows` with labels, with the columns of the training.
        batch_size: int.

    Returns:
        `EvaluationResult`. The metrics are `accuracy`, `macro_f1` and `weighted_f1` for a
        `CategoryColumn` as label, `mae` and `rmse` for a `NumberColumn`; `samples` has for each row
        a dict of `"label"` and `"prediction"`.

    Raises:
        ValueError: if the rows have no labels.
    """
    if rows.label is None:
        raise ValueError("`rows` must have labels: pass `label` to `read_multimodal_table`.")
    outputs = predict_fusion(model, rows, batch_size)
    if isinstance(rows.label, CategoryColumn):
        classes = np.array(rows.label.classes)
        labels = classes[np.concatenate(rows.labels)].tolist()
        predictions = classes[outputs.argmax(axis=1)].tolist()
        metrics, headings = classification_scores(labels, predictions), CLASS_HEADINGS
    else:
        labels, predictions = np.stack(rows.labels).tolist(), outputs.tolist()
        errors = outputs - np.stack(rows.labels)
        metrics = {
            "mae": float(np.mean(np.abs(errors))),
            "rmse": float(np.sqrt(np.mean(errors**2))),
        }
        headings = NUMBER_HEADINGS
    protocol = {
        "rows": len(rows),
        "missing": {name: int((~mask).sum()) for name, mask in rows.masks.items()},
        "seeds": [],  # Predictions are deterministic.
    }
    return EvaluationResult(
        metrics,
        protocol,
        samples=[
            {"label": label, "prediction": prediction}
            for label, prediction in zip(labels, predictions, strict=True)
        ],
        table={"metrics": headings, "settings": {}, "summary": f"{len(rows):,} rows"},
    )


def predict_fusion(model, rows, batch_size=32):
    """Computes the outputs of a fusion model for the rows of a table.

    Args:
        model: `FusionModel` of `train_fusion`.
        rows: `MultimodalRows` with the columns of the training.
        batch_size: int.

    Returns:
        Float array `(rows, outputs)`: logits of classes, or numbers.
    """
    batches = make_batches(rows, model.encoders, batch_size)
    if rows.label is not None:
        batches = batches.map(lambda inputs, labels: inputs)
    outputs = np.concatenate([model.predict_on_batch(_to_numpy(batch)) for batch in batches])
    check_not_nan(outputs=outputs)
    return outputs


def _to_numpy(batch):
    return {name: tensor.numpy() for name, tensor in batch.items()}
