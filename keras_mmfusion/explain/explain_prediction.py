"""Explains a prediction of any model."""

import dataclasses

import numpy as np

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion.explain.explainable import LEVELS
from keras_mmfusion.explain.explanation import Explanation
from keras_mmfusion.explain.make_explainable import make_explainable
from keras_mmfusion.explain.methods.method_table import check_method, get_method


def explain(
    model,
    inputs,
    target=None,
    method="shapley",
    level="modality",
    baselines=None,
    batch_size=32,
    labels=None,
):
    """Explains a prediction: how much each part of a sample contributes to one output.

    | model | `inputs` | `target` |
    |---|---|---|
    | `Captioner` | `"image"` and optionally `"caption"` | a word of the caption, the index of a token, or `None` for the whole caption |
    | question answerers | `"image"` and `"question"` | an answer; by default that of the model |
    | `ContrastiveModel` | two modalities, such as `"image"` and `"text"` | `"similarity"`, or `"match"` of a `BlipMatcher` |
    | `FusionModel` | a sample of the model's inputs and masks | the index of an output; by default the largest |
    | `ConversationModel` | the same, of a whole conversation | the index of an utterance, or a tuple of it and an output |
    | `MultimodalLM` | `"prompt"` with markers such as `<image>`, and an item of each modality in it | the response, a string |
    | `Recommender` | the ids `"user"` and `"item"` | |
    | models of graphs | a graph, see `explain_nodes` | a node, or a tuple of a node and a class |

    In models of videos, `"image"` is a video, whose tokens are its frames.

    The levels are `"modality"`; `"token"`: words, frames, and the cells of an image; `"pixel"` of
    images; `"feature"` of vectors and of nodes; and `"edge"` of graphs.

    Methods that remove parts use the masks of the model if it has them, such as those of missing
    modalities, and replace the part by a baseline otherwise; `Explanation.removal` states which.
    All changed samples are computed in batches, by a function that is compiled once for each shape
    and kept with the model.

    Args:
        model: Keras model.
        inputs: dict, one sample without a batch axis.
        target: what to explain, see above.
        method: `ExplanationMethod`, such as `ShapleyValues(samples=64)`, or its name, such as
            `"shapley"` or `"occlusion"`, for the default settings.
        level: string, see above.
        baselines: dict, modality -> array like the preprocessed input: what replaces removed parts
            instead of the default.
        batch_size: int. Maximum number of changed samples in a forward pass, which limits the
            memory.
        labels: dict, modality -> list of strings: names of its parts for figures, such as the
            columns of a table. Defaults to the words of texts, and to numbers.

    Returns:
        `Explanation`.

    Raises:
        ValueError: if the model has no such target, the method does not fit the model or the level
            (the message lists those that do), a sample has no modality, or an argument is invalid.

    Example:

    >>> import keras, numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.explain import explain
    >>> from keras_mmfusion.models import FusionModel
    >>> model = FusionModel(
    ...     {}, FusionBlock(("notes", "record"), combine="concat", dim=8), keras.layers.Dense(2))
    >>> sample = {"notes": np.ones((5, 4), "float32"), "record": np.ones(3, "float32")}
    >>> _ = model({name: x[None] for name, x in sample.items()})  # builds the model
    >>> explanation = explain(model, sample, target=1)
    >>> total = sum(explanation.get_modality_values().values())
    >>> bool(abs(total - (explanation.score - explanation.base_value)) < 1e-5)
    True
    """  # noqa: E501
    method = get_method(method)
    check_choice("explain", "level", level, LEVELS)
    batch_size = check_integer("explain", "batch_size", batch_size)
    explainable = make_explainable(model, inputs, target, baselines)
    explanation = explain_explainable(explainable, method, level, batch_size)
    if labels is None:
        return explanation
    _check_labels(labels, explanation.values)
    return dataclasses.replace(explanation, labels={**explanation.labels, **labels})


def _check_labels(labels, values):
    for name, names in labels.items():
        if name not in values or np.size(values[name]) != len(names):
            sizes = {name: np.size(x) for name, x in values.items()}
            raise ValueError(
                "`labels` must have a list of one string for each part of a modality; the numbers "
                f"of parts are {sizes}. Received: {len(names)} labels for {name!r}"
            )


def explain_explainable(explainable, method, level, batch_size):
    """Applies a method to an `Explainable`; returns an `Explanation`."""
    shapes = explainable.get_part_shapes(level)
    if not shapes:
        possible = [each for each in LEVELS if explainable.get_part_shapes(each)]
        raise ValueError(
            f"`level` must be one of {', '.join(map(repr, possible))} for these inputs of a "
            f"{type(explainable.model).__name__}. Received: {level!r}"
        )
    check_method(method, explainable, level)
    result = method.attribute(explainable, level, batch_size)
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    if result.score is None:
        everything = {name: np.ones(1, "bool") for name in explainable.modalities}
        fields["score"] = float(explainable.compute_scores(everything, 1)[0])
    return Explanation(
        **fields,
        target=explainable.target_name,
        method=repr(method),
        level=level,
        labels={name: explainable.labels[name] for name in shapes if name in explainable.labels},
        removal={name: explainable.removal[name] for name in shapes if method.removes_parts},
        images=explainable.get_images(),
        edges={name: x for name, x in explainable.get_edges().items() if level == "edge"},
        node=explainable.node,
    )
