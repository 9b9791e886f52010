"""VQA accuracy of question answerers."""

import collections
import os

from keras_mmfusion.metrics.visual_question_answering import vqa_accuracy
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult


def evaluate_question_answering(model, data, batch_size=32, progress=iter):
    """Computes the VQA accuracy of a model on questions with human answers.

    Args:
        model: `QuestionAnsweringModel` with a preprocessor.
        data: `QuestionAnswers` whose questions all have answers.
        batch_size: int. Number of questions answered together.
        progress: function that wraps the iterable of image paths, such as `tqdm.tqdm`.

    Returns:
        `EvaluationResult`. `metrics` has `"accuracy"` and, for each type of answers and questions
        in the data, a mean such as `"accuracy[answer_type=yes/no]"`. `protocol` has the numbers of
        questions, of images, and of questions without an image file, which are not scored.
        `samples` has for each question a dict of `"question_id"`, `"image"` (the file name),
        `"answer"`, `"accuracy"` and `"types"`. Questions and human answers are not included, so
        that results may be published if the data may not.

    Raises:
        ValueError: if a question has no human answers, or an image cannot be read.
    """
    ids = data.question_ids
    answers = model.answer(progress(data.images), data.questions, batch_size=batch_size)
    accuracy, scores = vqa_accuracy(data.answers_by_id, dict(zip(ids, answers, strict=True)))
    samples = [
        {
            "question_id": question_id,
            "image": os.path.basename(path),
            "answer": answer,
            "accuracy": scores[question_id],
            "types": types,
        }
        for question_id, path, answer, types in zip(
            ids, data.images, answers, data.types, strict=True
        )
    ]
    protocol = {
        "questions": len(data),
        "images": len(set(data.images)),
        "questions_without_image": data.num_without_image,
        "accuracy": "VQA's: mean over annotators of min(1, equal answers of the others / 3); "
        "exact match for questions with one answer; answers normalized as in vqaEval.py",
        "seeds": [],  # Answers are deterministic.
    }
    metrics = {"accuracy": accuracy, **_average_by_type(samples)}
    return EvaluationResult(metrics, protocol, samples, describe_table(protocol))


def _average_by_type(samples):
    """Returns the mean accuracy for each value of each kind of type, in alphabetical order."""
    groups = collections.defaultdict(list)
    for sample in samples:
        for kind, name in sample["types"].items():
            groups[f"accuracy[{kind}={name}]"].append(sample["accuracy"])
    return {name: sum(scores) / len(scores) for name, scores in sorted(groups.items())}


def describe_table(protocol):
    """Describes how VQA accuracy is shown; see `EvaluationResult`."""
    return {
        "metrics": {"accuracy": "Accuracy"},
        "settings": {},
        "summary": f"{protocol['questions']:,} questions about {protocol['images']:,} images; VQA "
        "accuracy",
    }
