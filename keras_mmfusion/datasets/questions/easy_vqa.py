"""Reads easy-VQA: questions about images of one colored shape each."""

import importlib.util
import os

from keras_mmfusion._checks import check_choice
from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.datasets.questions.question_cleaning import clean_questions
from keras_mmfusion.files.json_records import JsonFile

_SPLITS = ("train", "test")
_SHAPES = ("circle", "rectangle", "triangle")
_COLORS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
_TYPES = {
    **dict.fromkeys(("yes", "no"), "yes/no"),
    **dict.fromkeys(_SHAPES, "shape"),
    **dict.fromkeys(_COLORS, "color"),
}


def read_easy_vqa(data_dir=None, split="train", skip_missing_images=False):
    """Reads a split of easy-VQA from the files of the package `easy-vqa`.

    Args:
        data_dir: string. A folder with `train/questions.json` and the images
            `train/images/<id>.png`, and the same in `test/`. `None` for the folder of the
            installed package.
        split: string. `"train"` or `"test"`.
        skip_missing_images: bool. Whether to drop questions without an image file instead of
            raising an error.

    Returns:
        `QuestionAnswers`, with one answer per question. The id of a question is its index in the
        file. Its type, `"answer_type"`, is `"yes/no"`, `"color"` or `"shape"`; none for answers
        that are not of easy-VQA.

    Raises:
        ValueError: if files are missing; the message says where to download them.

    Reference:
        Zhou, "Easy Visual Question Answering", https://victorzhou.com/blog/easy-vqa/ (2019).
    """
    split = strip_split_name(split)
    check_choice(None, "split", split, _SPLITS)
    data_dir = _find_installed() if data_dir is None else os.path.expanduser(data_dir)
    questions = os.path.join(data_dir, split, "questions.json")
    images = os.path.join(data_dir, split, "images")
    if not os.path.isfile(questions) or not os.path.isdir(images):
        raise ValueError(
            f"`data_dir` must contain {split}/questions.json and {split}/images/. Received: "
            f"data_dir={data_dir!r}. Run `pip install easy-vqa`, or download the folder "
            "easy_vqa/data of https://github.com/vzhou842/easy-VQA."
        )
    return clean_questions(
        [
            (index, os.path.join(images, f"{image}.png"), question, [answer], _get_types(answer))
            for index, (question, answer, image) in enumerate(_read_entries(questions))
        ],
        skip_missing_images=skip_missing_images,
    )


def _get_types(answer):
    return {"answer_type": _TYPES[answer]} if answer in _TYPES else {}


def _read_entries(path):
    file = JsonFile(path, "a list of lists, easy-VQA's [question, answer, image id]")
    if not isinstance(file.content, list) or not file.content:
        file.fail("it is not a list of questions")
    for index, entry in enumerate(file.content):
        types = [type(value) for value in entry] if isinstance(entry, list) else None
        if types not in ([str, str, int], [str, str, str]):
            file.fail(f"entry {index} is {entry!r:.200}")
    return file.content


def _find_installed():
    # `find_spec` does not import the package.
    spec = importlib.util.find_spec("easy_vqa")
    if spec is None:
        raise ValueError(
            "`data_dir` is None, but the package easy-vqa is not installed. Run "
            "`pip install easy-vqa`, or pass the folder easy_vqa/data of the package."
        )
    return os.path.join(spec.submodule_search_locations[0], "data")
