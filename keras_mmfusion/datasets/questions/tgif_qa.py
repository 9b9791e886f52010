"""Reads TGIF-QA: questions about animated GIFs."""

import os

from keras_mmfusion._checks import check_choice
from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.datasets.questions.video_questions import clean_video_questions
from keras_mmfusion.files.text_files import read_lines

TASKS = ("action", "count", "frameqa", "transition")
_CHOICES = [f"a{number}" for number in range(1, 6)]
# The column `type` of FrameQA: dataset/README.md of the data set.
_FRAME_TYPES = {"0": "object", "1": "number", "2": "color", "3": "location"}


def read_tgif_qa(data_dir, split="train", tasks=TASKS, skip_missing_videos=False):
    """Reads a split of TGIF-QA from its official files.

    Args:
        data_dir: string or path. A folder with `<Split>_<task>_question.csv` (separated by tabs,
            directly or in `dataset/`), such as `Train_action_question.csv`, and the GIFs in
            `gifs/` or directly.
        split: string. `"train"`, `"test"` or `"total"`, the part of the file names.
        tasks: sequence of strings. `"action"` and `"transition"` (five choices), `"count"` (the
            number of repetitions) and `"frameqa"` (one word).
        skip_missing_videos: bool. Whether to drop questions without a GIF instead of raising an
            error.

    Returns:
        `VideoQuestionAnswers` with one answer per question, in the order of the tasks and files.
        The id of a question is the file's `vid_id`, such as `"ACTION4"`. Types are `"task"` and,
        for FrameQA, `"question_type"`.

    Raises:
        ValueError: if a file is missing, in which case the message says where to download it; or
            if a row is invalid, with its line.

    Reference:
        Jang et al., "TGIF-QA: Toward Spatio-Temporal Reasoning in Visual Question Answering", 2017,
        https://github.com/YunseokJANG/tgif-qa.
    """
    split, data_dir = strip_split_name(split), os.path.expanduser(data_dir)
    rows = []
    for task in tasks:
        check_choice("read_tgif_qa", "tasks", task, TASKS)
        path = _find_file(data_dir, f"{split.capitalize()}_{task}_question.csv")
        rows += [_parse_row(data_dir, task, *row) for row in _read_rows(path, task)]
    return clean_video_questions(rows, skip_missing_videos)


def _find_file(data_dir, name):
    for folder in ("", "dataset"):
        path = os.path.join(data_dir, folder, name)
        if os.path.isfile(path):
            return path
    raise ValueError(
        f"`data_dir` must contain {name}. Received: data_dir={os.fspath(data_dir)!r}. Download the "
        "folder dataset/ of https://github.com/YunseokJANG/tgif-qa, and the GIFs into gifs/."
    )


def _read_rows(path, task):
    """Yields the description of the line and a dict of each row; cells are separated by tabs."""
    columns = ["gif_name", "question", "answer", "vid_id"]
    if task in ("action", "transition"):
        columns += _CHOICES
    names = None
    for number, line in read_lines(path):
        if not line.strip():
            continue
        cells, where = line.split("\t"), f"{path!r}, line {number}"
        if names is None:
            names = cells
            if missing := [name for name in columns if name not in names]:
                raise ValueError(
                    f"{where}: the header must have the columns {', '.join(columns)}, separated by "
                    f"tabs. Missing: {', '.join(missing)}. Received: {line[:80]!r}"
                )
        elif len(cells) != len(names):
            raise ValueError(
                f"{where}: expected {len(names)} cells, separated by tabs, but found {len(cells)}. "
                f"Received: {line[:80]!r}"
            )
        else:
            yield where, dict(zip(names, cells, strict=True))


def _parse_row(data_dir, task, where, row):
    types = {"task": task}
    if task == "frameqa" and row.get("type") in _FRAME_TYPES:
        types["question_type"] = _FRAME_TYPES[row["type"]]
    answer, choices = row["answer"].strip(), []
    if task in ("action", "transition"):
        choices = [row[name] for name in _CHOICES]
        if answer not in ("0", "1", "2", "3", "4"):
            raise ValueError(
                f"{where}: the answer to a question with choices must be a number from 0 to 4. "
                f"Received: {answer!r}"
            )
        answer = choices[int(answer)]
    if task == "count" and not answer.isdecimal():
        raise ValueError(f"{where}: the answer must be a count. Received: {answer!r}")
    name = f"{row['gif_name']}.gif"
    path = os.path.join(data_dir, "gifs", name)
    if not os.path.isfile(path) and os.path.isfile(os.path.join(data_dir, name)):
        path = os.path.join(data_dir, name)
    return row["vid_id"], path, row["question"], answer, types, choices
