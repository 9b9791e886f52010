"""Reads VQA-RAD: questions about radiology images, with the answer of a clinician each."""

import os

from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.datasets.questions.question_cleaning import clean_questions
from keras_mmfusion.files.json_records import ID, TEXT, JsonFile

_TYPES = ("answer_type", "question_type")


def read_vqa_rad(data_dir, split="train", skip_missing_images=False):
    """Reads a file of questions in the format of VQA-RAD.

    Args:
        data_dir: string or path. A folder with `<split>.json` and `images/`.
        split: string. The name of the file without its suffix.
        skip_missing_images: bool. Whether to drop questions without an image file instead of
            raising an error.

    Returns:
        `QuestionAnswers` with one answer per question, in the order of the file, with the types
        `"answer_type"`, such as `"CLOSED"`, and `"question_type"`, such as `"PRES"`.

    Raises:
        OSError: if the file of the split does not exist.
        ValueError: if the file is damaged, or an image file is missing.

    Reference:
        Lau et al., "A dataset of clinically generated visual questions and answers about radiology
        images", 2018, https://osf.io/89kps.
    """
    data_dir = os.path.expanduser(data_dir)
    path = os.path.join(data_dir, f"{strip_split_name(split)}.json")
    file = JsonFile(path, "VQA-RAD's questions, a list of objects")
    records = file.get_records(
        qid=ID, image_name=TEXT, question=TEXT, answer=((str, int, float), "a string or a number")
    )
    rows = [
        (
            each["qid"],
            os.path.join(data_dir, "images", each["image_name"]),
            each["question"],
            [str(each["answer"])],
            {name: each[name].strip() for name in _TYPES if isinstance(each.get(name), str)},
        )
        for each in file.drop_repeats(records, "qid")
    ]
    return clean_questions(rows, skip_missing_images=skip_missing_images)
