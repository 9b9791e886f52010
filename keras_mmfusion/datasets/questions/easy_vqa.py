"""easy-VQA: questions on pictures of one coloured shape each."""

import importlib.util
import os

from keras_mmfusion.datasets.io.split_names import split_name
from keras_mmfusion.datasets.questions.question_rows import clean_questions
from keras_mmfusion.files.json_records import JsonFile

_SPLITS = ("train", "test")


def read_easy_vqa(data_dir=None, split="train"):
    """Reads a split of easy-VQA, in the files of the package `easy-vqa`.

    Args:
        data_dir: string. A folder with `train/questions.json`, the pictures
            `train/images/<id>.png`, and the same in `test/`. `None` for that of the installed
            package.
        split: string, `"train"` or `"test"`.

    Returns:
        `QuestionAnswers`, one answer each; a question's id is its place in the file.

    Raises:
        ValueError: if files are missing; the error says which and where to get them.

    Reference:
        Zhou, "Easy Visual Question Answering", https://victorzhou.com/blog/easy-vqa/ (2019).
    """
    split = split_name(split)
    if split not in _SPLITS:
        raise ValueError(f"`split` must be one of {_SPLITS}. Received: {split!r}")
    data_dir = _installed() if data_dir is None else os.path.expanduser(data_dir)
    questions = os.path.join(data_dir, split, "questions.json")
    images = os.path.join(data_dir, split, "images")
    if not os.path.isfile(questions) or not os.path.isdir(images):
        raise ValueError(
            f"`data_dir` lacks {split}/questions.json or {split}/images/. Received: "
            f"data_dir={data_dir!r}. easy-VQA is had by `pip install easy-vqa`, and is the folder "
            "easy_vqa/data of the package or of https://github.com/vzhou842/easy-VQA."
        )
    return clean_questions(
        [
            (place, os.path.join(images, f"{image}.png"), question, [answer])
            for place, (question, answer, image) in enumerate(_entries(questions))
        ]
    )


def _entries(path):
    file = JsonFile(path, "a list of lists, easy-VQA's [question, answer, image id]")
    if not isinstance(file.content, list) or not file.content:
        file.refuse("it is no list of questions")
    for place, entry in enumerate(file.content):
        types = [type(part) for part in entry] if isinstance(entry, list) else None
        if types not in ([str, str, int], [str, str, str]):
            file.refuse(f"entry {place} is {entry!r:.200}")
    return file.content


def _installed():
    # Found, not imported.
    spec = importlib.util.find_spec("easy_vqa")
    if spec is None:
        raise ValueError(
            "`data_dir` is None, and the package easy-vqa is not installed. Either "
            "`pip install easy-vqa`, or give the folder easy_vqa/data of it."
        )
    return os.path.join(spec.submodule_search_locations[0], "data")
