"""VQA accuracy of question answerers."""

import collections
import functools
import itertools
import os

import numpy as np

from keras_mmfusion._progress import inform
from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.metrics.answer_texts import anls, exact_match, token_f1
from keras_mmfusion.metrics.significance import bootstrap_interval
from keras_mmfusion.metrics.visual_question_answering import vqa_accuracy
from keras_mmfusion.metrics.wups import Wups
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult

BLANK = np.zeros((32, 32, 3), "uint8")
METRICS = {"exact_match": exact_match, "token_f1": token_f1, "anls": anls}
WUPS_THRESHOLDS = (0.9, 0.0)
HEADINGS = {
    "accuracy": "Accuracy",
    "exact_match": "Exact match",
    "token_f1": "Token F1",
    "anls": "ANLS",
    **{f"wups_{threshold}": f"WUPS at {threshold}" for threshold in WUPS_THRESHOLDS},
}


def evaluate_question_answering(
    model, data, batch_size=32, progress=iter, metrics=(), wordnet=None
):
    """Computes the VQA accuracy of a model on questions with human answers.

    Args:
        model: `QuestionAnsweringModel` with a preprocessor.
        data: `QuestionAnswers` whose questions all have answers.
        batch_size: int. Number of questions answered together.
        progress: function that wraps the iterable of image paths, such as `tqdm.tqdm`.
        metrics: names of additional scores: `"exact_match"`, `"token_f1"`, `"anls"`.
        wordnet: folder of WordNet's files, to add `"wups_0.9"` and `"wups_0.0"`; see
            `keras_mmfusion.metrics.Wups`.

    Returns:
        `EvaluationResult`. `metrics` has `"accuracy"` and, for each type of answers and questions
        in the data, a mean such as `"accuracy[answer_type=yes/no]"`. `protocol` has the numbers of
        questions, of images, of questions of each type, and of the questions that are not scored
        because their image file is missing or cannot be read; and the 95% bootstrap interval of
        each score of all questions.
        `samples` has for each question a dict of `"question_id"`, `"image"` (the file name),
        `"answer"`, `"accuracy"` and `"types"`. Questions and human answers are not included, so
        that results may be published if the data may not.

    Raises:
        ValueError: if a question has no human answers, or no image can be read.
    """
    wups = None if wordnet is None else Wups(wordnet)
    functions = {"accuracy": vqa_accuracy, **{name: METRICS[name] for name in metrics}}
    for threshold in WUPS_THRESHOLDS if wups else ():
        functions[f"wups_{threshold}"] = functools.partial(wups.score, threshold=threshold)
    unreadable = set()
    images = _read_images(progress(data.images), drops_alpha(model.preprocessor), unreadable)
    answers = model.answer(images, data.questions, batch_size=batch_size)
    rows = zip(data.question_ids, data.images, answers, data.types, strict=True)
    rows = [row for row in rows if row[1] not in unreadable]
    if not rows:
        raise ValueError(f"`data` has no image that can be read: {data!r}")
    predictions = {question_id: answer for question_id, _, answer, _ in rows}
    answers_by_id = data.answers_by_id
    references = {question_id: answers_by_id[question_id] for question_id in predictions}
    results = {name: score(references, predictions) for name, score in functions.items()}
    scores = results["accuracy"][1]
    samples = [
        {
            "question_id": question_id,
            "image": os.path.basename(path),
            "answer": answer,
            "accuracy": scores[question_id],
            "types": types,
        }
        for question_id, path, answer, types in rows
    ]
    protocol = {
        "questions": len(rows),
        "images": len({path for _, path, _, _ in rows}),
        "questions_without_image": data.num_without_image,
        "questions_with_unreadable_image": len(data) - len(rows),
        "accuracy": "VQA's: mean over annotators of min(1, equal answers of the others / 3); "
        "exact match for questions with one answer; answers normalized as in vqaEval.py",
        "types": _count_types(samples),
        "intervals": {
            name: [round(bound, 6) for bound in bootstrap_interval(each)[1:]]
            for name, (_, each) in results.items()
        },
        "seeds": [],  # Answers are deterministic.
    }
    metrics = {name: mean for name, (mean, _) in results.items()} | average_by_type(samples)
    return EvaluationResult(metrics, protocol, samples, _describe_table(results, protocol))


def _read_images(paths, drop_alpha, unreadable):
    """Yields the images; one that cannot be read is blank, and its path added to `unreadable`.

    Consecutive questions about the same image receive the same array.
    """
    for path, questions in itertools.groupby(paths):
        try:
            image = read_image(path, drop_alpha=drop_alpha)
        except (ValueError, OSError) as error:
            if path not in unreadable:
                inform(f"Skipping the questions about an image. {error}")
            unreadable.add(path)
            image = BLANK
        for _ in questions:
            yield image


def average_by_type(samples):
    """Returns the mean accuracy for each value of each kind of type, in alphabetical order."""
    groups = collections.defaultdict(list)
    for sample in samples:
        for kind, name in sample["types"].items():
            groups[f"accuracy[{kind}={name}]"].append(sample["accuracy"])
    return {name: sum(scores) / len(scores) for name, scores in sorted(groups.items())}


def _count_types(samples):
    """Returns the number of questions of each value of each kind of type."""
    counts = collections.Counter(
        f"{kind}={name}" for sample in samples for kind, name in sample["types"].items()
    )
    return dict(sorted(counts.items()))


def _describe_table(names, protocol):
    """Describes how the scores with these names are shown; see `EvaluationResult`."""
    return {
        "metrics": {name: HEADINGS[name] for name in names},
        "settings": {},
        "summary": f"{protocol['questions']:,} questions about {protocol['images']:,} images; VQA "
        "accuracy",
    }
