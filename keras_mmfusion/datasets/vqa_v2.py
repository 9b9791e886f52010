"""VQA v2: questions on photos of MS COCO, with ten people's answers each."""

import os

from keras_mmfusion.datasets.json_annotations import read_json, without_repeats
from keras_mmfusion.datasets.question_rows import clean_questions

# The names of the data set's own splits in the names of its files: of questions, and of photos.
_SPLITS = {
    "train": ("train2014", "train2014"),
    "val": ("val2014", "val2014"),
    "test-dev": ("test-dev2015", "test2015"),
    "test": ("test2015", "test2015"),
}
_JSON_FOLDERS = ("", "Questions", "Annotations", "annotations")
_IMAGE_FOLDERS = ("", "images", "Images")


def read_vqa_v2(data_dir, split="train", skip_missing_images=False):
    """Reads a split of VQA v2, in the data set's own files.

    Args:
        data_dir: string. A folder with `v2_OpenEnded_mscoco_<part>_questions.json` and, but for
            the test splits, `v2_mscoco_<part>_annotations.json` (or both in `Questions/` and
            `Annotations/`), and the photos in `<part>/` or `images/<part>/`, such as
            `train2014/COCO_train2014_000000000009.jpg`.
        split: string. `"train"`, `"val"`, `"test-dev"` or `"test"`; the last two have no answers.
        skip_missing_images: bool. Leave out questions whose photo is not there, rather than
            raise: for a part of the photos.

    Returns:
        `QuestionAnswers`, in the order of the questions file. Empty questions, and in `"train"`
        and `"val"` those without an answer, are left out with a warning.

    Raises:
        ValueError: if files are missing, the error says which and where to get them; if one is
            damaged; or if two records of one question differ.

    Reference:
        Goyal et al., "Making the V in VQA Matter: Elevating the Role of Image Understanding in
        Visual Question Answering", 2017.
    """
    if split not in _SPLITS:
        raise ValueError(
            f"`split` must be one of {', '.join(map(repr, _SPLITS))}. Received: {split!r}"
        )
    data_dir = os.path.expanduser(data_dir)
    part, image_part = _SPLITS[split]
    answered = not split.startswith("test")
    questions = _find(data_dir, _JSON_FOLDERS, f"v2_OpenEnded_mscoco_{part}_questions.json")
    if answered:
        annotations = _find(data_dir, _JSON_FOLDERS, f"v2_mscoco_{part}_annotations.json")
    folder = _find(data_dir, _IMAGE_FOLDERS, image_part)
    people = {}
    if answered:
        found = without_repeats(read_json(annotations)["annotations"], "question_id")
        people = {each["question_id"]: [a["answer"] for a in each["answers"]] for each in found}
    rows = [
        (
            each["question_id"],
            os.path.join(folder, f"COCO_{image_part}_{each['image_id']:012d}.jpg"),
            each["question"],
            people.get(each["question_id"], []),
        )
        for each in without_repeats(read_json(questions)["questions"], "question_id")
    ]
    return clean_questions(rows, answered, skip_missing_images)


def _find(data_dir, folders, name):
    for folder in folders:
        path = os.path.join(data_dir, folder, name)
        if os.path.exists(path):
            return path
    raise ValueError(
        f"`data_dir` lacks {name}. Received: data_dir={data_dir!r}. VQA v2 is had from "
        "https://visualqa.org/download.html: unpack the questions "
        "(v2_OpenEnded_mscoco_train2014_questions.json, and the same of val2014, test-dev2015 and "
        "test2015), the annotations (v2_mscoco_train2014_annotations.json, and val2014) and MS "
        f"COCO's photos (folders train2014/, val2014/, test2015/) into {data_dir!r}."
    )
