"""Joins the data of the question answerers of the zoo, saves, and scores them."""

import dataclasses
from pathlib import Path

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import QuestionAnswers
from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.models.presets.half_precision_weights import store_as_float16
from keras_mmfusion.models.question_answering import (
    QuestionAnswerer,
    evaluate_question_answering,
)


def join_questions(*parts):
    """Joins `QuestionAnswers`, with new ids."""
    names = ("images", "questions", "answers", "types")
    columns = {name: [each for part in parts for each in getattr(part, name)] for name in names}
    return QuestionAnswers(**columns, question_ids=range(len(columns["images"])))


def save_preset(model, folder):
    """Saves a model as a preset with weights in float16, and loads it."""
    model.save_to_preset(folder)
    for path in Path(folder).glob("*.weights.h5"):
        store_as_float16(path)
    return QuestionAnswerer.from_preset(folder)


def write_results(path, model, scores, questions, wordnet=None, **protocol):
    """Writes the scores of a preset and of its recipe.

    Args:
        path: path of the JSON file.
        model: the preset, from `save_preset`.
        scores: the `EvaluationResult` of `score_question_answering_recipe`.
        questions: `QuestionAnswers` that the recipe was scored on.
        wordnet: see `evaluate_question_answering`.
        **protocol: further entries of the protocol, such as the names of data and split.
    """
    result = evaluate_question_answering(model, questions, 128, wordnet=wordnet)
    table = {**scores.table, "metrics": scores.table["metrics"] | result.table["metrics"]}
    metrics = {**scores.metrics, **result.metrics}
    result = dataclasses.replace(result, metrics=metrics, table=table).add_protocol(
        **protocol,
        versions=describe_versions(),
        machine=describe_machine(),
        **{name: scores.protocol[name] for name in ("recipe", "training", "runs")},
    )
    write_json(result.to_json(), path)
