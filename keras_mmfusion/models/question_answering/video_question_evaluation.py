"""Scores of answers to questions about videos."""

import inspect
import itertools

import numpy as np

from keras_mmfusion._progress import inform
from keras_mmfusion.datasets.videos.padded_video import read_padded_video
from keras_mmfusion.metrics.visual_question_answering import vqa_accuracy
from keras_mmfusion.models.question_answering.answer_choices import keep_known_choices
from keras_mmfusion.models.question_answering.question_evaluation import average_by_type
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult


def evaluate_video_question_answering(model, data, batch_size=8, skip_corrupt=False, progress=iter):
    """Scores answers to questions about videos, as for TGIF-QA, MSVD-QA and MSRVTT-QA.

    The accuracy is that of exact match after VQA's normalization of answers. A question with
    choices, as in TGIF-QA's tasks `"action"` and `"transition"`, is answered by one of them, if
    `model.answer` accepts `choices`; other models, such as a `GitCaptioner`, answer freely. An
    `AnswerClassifier` selects from the choices that are among its answers, or from all answers if
    none is. The counts of TGIF-QA are also scored by their mean squared error, with counts limited
    to 1 to 10 and answers that are not a number as 1.

    Args:
        model: `QuestionAnsweringModel` that accepts videos, such as a `GitCaptioner` with a
            `FrameEmbedding`.
        data: `VideoQuestionAnswers`.
        batch_size: int. Number of questions answered together.
        skip_corrupt: bool. Whether damaged frames are left out; see `read_video`.
        progress: function that wraps the iterable of paths, such as `tqdm.tqdm`.

    Returns:
        `EvaluationResult`. `metrics` has `"accuracy"`, a mean for each type, such as
        `"accuracy[question_type=what]"`, and, with questions of the task `"count"`,
        `"mean_squared_error[task=count]"`. `protocol` has the numbers of questions, of videos, of
        questions that are answered by a choice, and of the questions that are not scored because
        their video is missing or cannot be read.
        `samples` has for each question its id, answer, accuracy and types.

    Raises:
        ValueError: if the model does not accept videos, or no video can be read.
    """
    if getattr(model, "num_frames", None) is None:
        raise ValueError(
            f"`model` must accept videos, as a `GitCaptioner` with a `FrameEmbedding`. Received: "
            f"{type(model).__name__}"
        )
    unreadable = set()
    accepts_choices = "choices" in inspect.signature(model.answer).parameters
    has_choices = [accepts_choices and bool(each) for each in data.choices]
    answers = _answer(model, data, has_choices, batch_size, skip_corrupt, progress, unreadable)
    rows = zip(data.question_ids, data.images, answers, data.answers, data.types, strict=True)
    rows = [row for row in rows if row[1] not in unreadable]
    if not rows:
        raise ValueError(f"`data` has no video that can be read: {data!r}")
    accuracy, scores = vqa_accuracy({row[0]: row[3] for row in rows}, {r[0]: r[2] for r in rows})
    samples = [
        {"question_id": key, "answer": answer, "accuracy": scores[key], "types": types}
        for key, _, answer, _, types in rows
    ]
    metrics = {"accuracy": accuracy, **average_by_type(samples)}
    pairs = zip(data.images, has_choices, strict=True)
    by_choice = sum(each for path, each in pairs if path not in unreadable)
    counts = [(row[2], row[3][0]) for row in rows if row[4].get("task") == "count"]
    if counts:
        errors = [_parse_count(answer) - _parse_count(correct) for answer, correct in counts]
        metrics["mean_squared_error[task=count]"] = float(np.mean(np.square(errors)))
    protocol = {
        "questions": len(rows),
        "videos": len({row[1] for row in rows}),
        "frames": model.num_frames,
        "questions_without_video": data.num_without_image,
        "questions_with_unreadable_video": len(data) - len(rows),
        "questions_answered_by_a_choice": by_choice,
        "accuracy": "exact match of answers normalized as in vqaEval.py",
        "seeds": [],  # Answers are deterministic.
    }
    return EvaluationResult(metrics, protocol, samples, _describe_table(protocol))


def _answer(model, data, has_choices, batch_size, skip_corrupt, progress, unreadable):
    """Answers the questions without choices first, then those with choices."""
    order = sorted(range(len(data)), key=has_choices.__getitem__)
    paths = progress([data.images[row] for row in order])
    videos = _read_videos(paths, model.num_frames, skip_corrupt, unreadable)
    answers = [None] * len(data)
    for by_choice, rows in itertools.groupby(order, key=has_choices.__getitem__):
        rows = list(rows)
        settings = {"batch_size": batch_size}
        if by_choice:
            settings["choices"] = [data.choices[row] for row in rows]
            if hasattr(model, "answers"):
                settings["choices"] = keep_known_choices(model.answers, settings["choices"])
        questions = [data.questions[row] for row in rows]
        results = model.answer(itertools.islice(videos, len(rows)), questions, **settings)
        for row, answer in zip(rows, results, strict=True):
            answers[row] = answer
    return answers


def _read_videos(paths, num_frames, skip_corrupt, unreadable):
    """Yields lists of frames; a video that cannot be read is blank and added to `unreadable`."""
    blank = [np.zeros((32, 32, 3), "uint8")] * num_frames
    for path in paths:
        try:
            yield list(read_padded_video(path, num_frames, skip_corrupt=skip_corrupt)[0])
        except (ValueError, OSError) as error:
            if path not in unreadable:
                inform(f"Skipping the questions about a video. {error}")
            unreadable.add(path)
            yield blank


def _parse_count(answer):
    return min(max(int(answer), 1), 10) if answer.strip().isdecimal() else 1


def _describe_table(protocol):
    """Describes how the scores are shown; see `EvaluationResult`."""
    return {
        "metrics": {"accuracy": "Accuracy"},
        "settings": {},
        "summary": f"{protocol['questions']:,} questions about {protocol['videos']:,} videos; "
        "exact match",
    }
