"""Reads VQA v2: questions about images of MS COCO, with ten human answers each."""

import os

from keras_mmfusion._checks import check_choice
from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.datasets.questions.question_cleaning import clean_questions
from keras_mmfusion.files.json_records import ID, LIST, TEXT, JsonFile

# Split -> its name in the file names of the questions and of the images.
_SPLITS = {
    "train": ("train2014", "train2014"),
    "val": ("val2014", "val2014"),
    "test-dev": ("test-dev2015", "test2015"),
    "test": ("test2015", "test2015"),
}
_TYPES = ("answer_type", "question_type")
_QUESTIONS = "v2_OpenEnded_mscoco_{}_questions.json"
_JSON_FOLDERS = ("", "Questions", "Annotations", "annotations")
_IMAGE_FOLDERS = ("", "images", "Images")


def read_vqa_v2(data_dir, split="train", skip_missing_images=False):
    """Reads a split of VQA v2 from its official files.

    Args:
        data_dir: string. A folder with `v2_OpenEnded_mscoco_<part>_questions.json` and, except for
            the test splits, `v2_mscoco_<part>_annotations.json` (directly or in `Questions/` and
            `Annotations/`), and the images in `<part>/` or `images/<part>/`, such as
            `train2014/COCO_train2014_000000000009.jpg`.
        split: string. `"train"`, `"val"`, `"test-dev"` or `"test"`; the last two have no answers.
            Or the `<part>` of files of your own with the same format, whose images are in the
            folder of their `data_subtype`, such as `"train2014"`.
        skip_missing_images: bool. Whether to drop questions without an image file instead of
            raising an error, for a subset of the images.

    Returns:
        `QuestionAnswers`, in the order of the questions file, with the types `"answer_type"` and
        `"question_type"` of the annotations. Empty questions and, in `"train"`
        and `"val"`, questions without an answer are dropped with a warning.

    Raises:
        ValueError: if files are missing, in which case the message says where to download them; if
            a file is damaged; or if records of the same question differ.

    Reference:
        Goyal et al., "Making the V in VQA Matter: Elevating the Role of Image Understanding in
        Visual Question Answering", 2017.
    """
    split = strip_split_name(split)
    data_dir = os.path.expanduser(data_dir)
    part, image_part = _find_part(data_dir, split)
    answered = not split.startswith("test")
    questions = _find(data_dir, _JSON_FOLDERS, _QUESTIONS.format(part))
    if answered:
        annotations = _find(data_dir, _JSON_FOLDERS, f"v2_mscoco_{part}_annotations.json")
    folder = _find(data_dir, _IMAGE_FOLDERS, image_part)
    answers = _read_answers(annotations) if answered else {}
    rows = [
        (
            each["question_id"],
            os.path.join(folder, f"COCO_{image_part}_{each['image_id']:012d}.jpg"),
            each["question"],
            *answers.get(each["question_id"], ([], {})),
        )
        for each in _read_questions(questions)
    ]
    if answered and not answers.keys() & {row[0] for row in rows}:
        raise ValueError(
            f"{annotations!r} contains no answer to a question in {questions!r}: the files belong "
            "to different splits, or the types of `question_id` differ."
        )
    return clean_questions(rows, answered, skip_missing_images)


def _read_questions(path):
    file = JsonFile(path, "VQA v2's questions (`questions`)")
    # The file names of images contain the image id as a number of twelve digits.
    records = file.get_records(
        "questions", question_id=ID, image_id=(int, "an integer"), question=TEXT
    )
    return file.drop_repeats(records, "question_id")


def _read_answers(path):
    file = JsonFile(path, "VQA v2's annotations (`annotations`, each with `answers`)")
    records = file.get_records("annotations", question_id=ID, answers=LIST)
    for each in records:
        file.check_records(
            each["answers"], f"the answers to question {each['question_id']}", answer=TEXT
        )
    return {
        each["question_id"]: (
            [answer["answer"] for answer in each["answers"]],
            {name: each[name] for name in _TYPES if isinstance(each.get(name), str)},
        )
        for each in file.drop_repeats(records, "question_id")
    }


def _find_part(data_dir, split):
    """Returns the name of a split in the file names of its questions, and of its images."""
    for folder in _JSON_FOLDERS:
        path = os.path.join(data_dir, folder, _QUESTIONS.format(split))
        if os.path.isfile(path):
            file = JsonFile(path, "VQA v2's questions (`questions`)")
            subtype = file.content.get("data_subtype") if isinstance(file.content, dict) else None
            return split, subtype if isinstance(subtype, str) else split
    check_choice(None, "split", split, _SPLITS)
    return _SPLITS[split]


def _find(data_dir, folders, name):
    for folder in folders:
        path = os.path.join(data_dir, folder, name)
        if os.path.exists(path):
            return path
    raise ValueError(
        f"`data_dir` must contain {name}. Received: data_dir={data_dir!r}. Download VQA v2 from "
        "https://visualqa.org/download.html and unpack the questions "
        "(v2_OpenEnded_mscoco_train2014_questions.json, and val2014, test-dev2015, test2015), the "
        "annotations (v2_mscoco_train2014_annotations.json, and val2014) and the images of MS COCO "
        f"(folders train2014/, val2014/, test2015/) into {data_dir!r}."
    )
