"""Writes the tables of images and captions that the captioners are trained, selected and scored on.

    python zoo/merge_caption_sets.py DATA OUT

DATA contains the folders `flickr8k`, `coco_captions` and `flickr_extra`. OUT receives CSV files
with the columns `image`, relative to DATA, and `caption`:

- `train.csv`: the train splits of Flickr8k and COCO captions, and all of `flickr_extra`;
- `select.csv`: half of the dev images of both, which select epochs and settings;
- `dev_flickr8k.csv`, `dev_coco.csv`: the other halves, which are only scored.
"""

import argparse
import csv
import os
import pathlib

from keras_mmfusion.datasets import read_caption_folder, read_image_caption_pairs
from keras_mmfusion.files.atomic_files import replace_file


def write_table(path, data, parts):
    """Writes a CSV file of the images and captions of several `CaptionPairs`."""
    with replace_file(path) as scratch, open(scratch, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        for pairs in parts:
            for image, captions in zip(pairs.images, pairs.captions, strict=True):
                name = pathlib.PurePath(os.path.relpath(image, data)).as_posix()
                writer.writerows([name, caption] for caption in captions)


def merge_caption_sets(data, out):
    """Writes the tables; returns the number of images in each, by name."""
    flickr8k, coco = data / "flickr8k", data / "coco_captions"
    extra = read_image_caption_pairs(
        str(data / "flickr_extra" / "images"), str(data / "flickr_extra" / "captions.csv")
    )
    dev_flickr8k, select_flickr8k = read_caption_folder(flickr8k, "dev").split(0.5)
    dev_coco, select_coco = read_caption_folder(coco, "dev").split(0.5)
    tables = {
        "train": [
            read_caption_folder(flickr8k, "train"),
            read_caption_folder(coco, "train"),
            extra,
        ],
        "select": [select_flickr8k, select_coco],
        "dev_flickr8k": [dev_flickr8k],
        "dev_coco": [dev_coco],
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, parts in tables.items():
        write_table(out / f"{name}.csv", data, parts)
    return {name: sum(map(len, parts)) for name, parts in tables.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    for name, images in merge_caption_sets(arguments.data, arguments.out).items():
        print(f"{name}: {images} images")
