"""Scores of survival models."""

import numpy as np

from keras_mmfusion.metrics import (
    concordance_index,
    integrated_brier_score,
    kaplan_meier_curve,
    log_rank_test,
    uno_concordance_index,
)
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult

HEADINGS = {"c_index": "C-index", "uno_c_index": "Uno's C-index", "brier": "Integrated Brier"}
_NUM_TIMES = 50


def evaluate_survival(model, data, train_data=None, batch_size=32):
    """Scores a survival model on patients.

    Args:
        model: `SurvivalModel`.
        data: `SurvivalData` of patients that the model was not trained on.
        train_data: `SurvivalData` that estimates the distribution of censoring, such as the
            training data; `None` for `data` itself.
        batch_size: int.

    Returns:
        `EvaluationResult` with the metrics `c_index` (Harrell), `uno_c_index` and `brier`
        (integrated), `brier_kaplan_meier`, that of the Kaplan-Meier curve of the training data,
        which does not know the patients; and `log_rank_p`, of the patients with a risk above and
        below the median. `protocol` has the Kaplan-Meier curves of these two groups, and `samples`
        has for each patient a dict of `"patient_id"`, `"time"`, `"event"`, and `"risk"`.

    Raises:
        ValueError: if a modality of the model is missing in the data or has other columns, or all
            patients are censored.
    """
    check_features(model, data)
    train = data if train_data is None else train_data
    inputs = data.keep_modalities(model.modalities).make_inputs()
    risks = model.predict_risks(inputs, batch_size)
    horizon = _find_horizon(model, data, train)
    censoring = train.times, train.events
    outcome = data.times, data.events
    # The first event, and equal steps to the horizon.
    at = np.linspace(data.times[data.events].min(), horizon, _NUM_TIMES + 1)[:-1]
    survival = model.predict_survival(inputs, at, batch_size)
    reference = np.tile(kaplan_meier_curve(*censoring).at(at), (len(data), 1))
    is_high = risks > np.median(risks)
    metrics = {
        "c_index": concordance_index(*outcome, risks),
        "uno_c_index": uno_concordance_index(*censoring, *outcome, risks, horizon),
        "brier": integrated_brier_score(*censoring, *outcome, survival, at),
        "brier_kaplan_meier": integrated_brier_score(*censoring, *outcome, reference, at),
    }
    if 0 < is_high.sum() < len(risks):
        metrics["log_rank_p"] = log_rank_test(*outcome, is_high).p_value
    protocol = {
        "patients": len(data),
        "events": int(data.events.sum()),
        "horizon": horizon,
        "uno_c_index": f"events before {horizon:g}",
        "brier": f"mean from {at[0]:g} to {at[-1]:g}",
        "curves": {
            name: _describe_curve(data.select(members))
            for name, members in (("high_risk", is_high), ("low_risk", ~is_high))
            if members.any()
        },
        "seeds": [],  # Predictions are deterministic.
    }
    columns = (data.patient_ids, data.times, data.events, risks.round(4))
    names = ("patient_id", "time", "event", "risk")
    rows = zip(*(column.tolist() for column in columns), strict=True)
    samples = [dict(zip(names, row, strict=True)) for row in rows]
    summary = f"{len(data)} patients, {protocol['events']} events"
    table = {"metrics": HEADINGS, "settings": {}, "summary": summary}
    return EvaluationResult(metrics, protocol, samples, table)


def check_features(model, data):
    """Raises a `ValueError` if the data lacks a modality of the model, or has other columns."""
    shapes = (model.get_build_config() or {}).get("input_shape") or {}
    for name in model.modalities:
        if name not in data.features:
            raise ValueError(
                f"The model needs the modality {name!r}; the data has {', '.join(data.features)}."
            )
        columns = data.features[name].shape[1]
        if name in shapes and shapes[name][-1] != columns:
            raise ValueError(
                f"Modality {name!r} has {columns} columns; the model expects {shapes[name][-1]}."
            )


def _find_horizon(model, data, train):
    """Returns the time until which curves, censoring and held-out patients are known.

    A tenth of the training patients is observed longer, since later estimates vary too much.
    """
    return float(min(model.boundaries[-1], data.times.max(), np.quantile(train.times, 0.9)))


def _describe_curve(data):
    curve = kaplan_meier_curve(data.times, data.events)
    names = ("times", "survival", "low", "high")
    return {name: np.round(getattr(curve, name), 4).tolist() for name in names}
