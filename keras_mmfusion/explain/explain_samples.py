"""Explains the predictions for the samples of a data set."""

import numpy as np

from keras_mmfusion._progress import track
from keras_mmfusion.explain.dataset_explanation import DatasetExplanation
from keras_mmfusion.explain.explain_sample import explain
from keras_mmfusion.explain.methods import get_method


def explain_dataset(
    model,
    samples,
    target=None,
    method="shapley",
    level="modality",
    baselines=None,
    batch_size=32,
):
    """Computes the mean contribution of each modality over samples.

    Args:
        model: Keras model, see `explain`.
        samples: list of dicts, each a sample without a batch axis; or any other iterable of them.
        target: see `explain`; the same for all samples. `None` explains the prediction for each
            sample. A list has one target for each sample.
        method, level, baselines, batch_size: see `explain`.

    Returns:
        `DatasetExplanation`.

    Raises:
        ValueError: if there are no samples, a list of targets has another length, or as for
            `explain`; the message has the index of the sample.

    Example:

    >>> import keras, numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.explain import explain_dataset
    >>> from keras_mmfusion.models import FusionModel
    >>> model = FusionModel(
    ...     {}, FusionBlock(("notes", "record"), combine="concat", dim=8), keras.layers.Dense(2))
    >>> data = {"notes": np.ones((2, 4), "float32"), "record": np.ones((2, 3), "float32")}
    >>> _ = model(data)  # builds the model
    >>> samples = [{name: values[row] for name, values in data.items()} for row in range(2)]
    >>> explain_dataset(model, samples, target=1).values.shape
    (2, 2)
    """
    method = get_method(method)
    samples = list(samples)
    if not samples:
        raise ValueError("`samples` must have at least one sample. Received: []")
    targets = target if isinstance(target, list) else [target] * len(samples)
    if len(targets) != len(samples):
        raise ValueError(
            f"`target` must have one target for each of {len(samples)} samples. Received: "
            f"{len(targets)} targets"
        )
    explanations = []
    for index, sample in enumerate(track(samples, "Explaining")):
        try:
            each = explain(model, sample, targets[index], method, level, baselines, batch_size)
        except ValueError as error:
            raise ValueError(f"`samples[{index}]`: {error}") from error
        explanations.append(each)
    names = list(dict.fromkeys(name for each in explanations for name in each.values))
    values, degrees = (
        np.array([[getattr(each, get)().get(name, 0.0) for name in names] for each in explanations])
        for get in ("get_modality_values", "get_degrees")
    )
    return DatasetExplanation(tuple(names), values, degrees, repr(method), level)
