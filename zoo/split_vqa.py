"""Splits the training questions of DAQUAR or VQA-RAD by image.

    python zoo/split_vqa.py daquar split/daquar

DATA has `train.csv` (DAQUAR) or `train.json` (VQA-RAD) and `images/`. OUT gets `train` and `dev` in
the same layout, and a link to the images. The questions about a fifth of the images are dev.
"""

import argparse
import csv
import json
from pathlib import Path

from keras_mmfusion.datasets.questions.question_folder import read_question_folder

DEV_FRACTION = 0.2


def split_questions(data, out):
    """Writes `train` and `dev`; returns the names of the images of dev."""
    _, dev = read_question_folder(data, "train").split_by_image(DEV_FRACTION)
    names = {Path(path).name for path in dev.images}
    out.mkdir(parents=True, exist_ok=True)
    if (data / "train.csv").is_file():
        _split_csv(data / "train.csv", out, names)
    else:
        _split_json(data / "train.json", out, names)
    (out / "images").symlink_to((data / "images").resolve())
    return names


def _split_csv(path, out, names):
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    for split in ("train", "dev"):
        with (out / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(row for row in rows if (row[0] in names) == (split == "dev"))


def _split_json(path, out, names):
    records = json.loads(path.read_text(encoding="utf-8"))
    for split in ("train", "dev"):
        part = [each for each in records if (each["image_name"] in names) == (split == "dev")]
        (out / f"{split}.json").write_text(json.dumps(part, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(f"{len(split_questions(arguments.data, arguments.out))} images in dev")
