"""Reads a folder of questions in one of the known layouts."""

import os
import pathlib

from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.datasets.questions.easy_vqa import read_easy_vqa
from keras_mmfusion.datasets.questions.question_table import read_question_table
from keras_mmfusion.datasets.questions.vqa_rad import read_vqa_rad
from keras_mmfusion.datasets.questions.vqa_v2 import read_vqa_v2


def read_question_folder(data_dir, split, skip_missing_images=False):
    """Reads a split of a visual question answering data set.

    | files in the folder | reader |
    |---|---|
    | `v2_OpenEnded_mscoco_<part>_questions.json` | `read_vqa_v2` |
    | `<split>/questions.json`, `<split>/images/` | `read_easy_vqa` |
    | `<split>.csv`, `images/` | `read_question_table` |
    | `<split>.json`, `images/` | `read_vqa_rad` |

    Args:
        data_dir: string or path. The folder of the data set.
        split: string. The name of a split.
        skip_missing_images: bool. Whether to drop questions without an image file instead of
            raising an error. `num_without_image` of the result is their number.

    Returns:
        `QuestionAnswers`.

    Raises:
        ValueError: if the folder has none of these layouts, or a file is invalid or missing.
    """
    folder, split = pathlib.Path(os.path.expanduser(data_dir)), strip_split_name(split)
    if any(folder.glob("v2_*_questions.json")) or any(folder.glob("*/v2_*_questions.json")):
        return read_vqa_v2(str(folder), split, skip_missing_images)
    if (folder / split / "questions.json").is_file():
        return read_easy_vqa(str(folder), split, skip_missing_images)
    if (folder / f"{split}.csv").is_file():
        return read_question_table(folder / "images", folder / f"{split}.csv", skip_missing_images)
    if (folder / f"{split}.json").is_file():
        return read_vqa_rad(folder, split, skip_missing_images)
    raise ValueError(
        f"`data_dir` must have questions of the split {split!r}: those of VQA v2 "
        f"(v2_OpenEnded_mscoco_<part>_questions.json), {split}/questions.json (easy-VQA), "
        f"{split}.csv with the columns image, question and answer, or {split}.json (VQA-RAD). "
        f"Received: data_dir={os.fspath(data_dir)!r}"
    )
