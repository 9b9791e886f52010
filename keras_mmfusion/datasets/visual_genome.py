"""Visual Genome's files: questions on photos, and descriptions of regions in them."""

import os

import numpy as np

from keras_mmfusion.datasets.image_regions import ImageRegions, clipped_boxes
from keras_mmfusion.datasets.json_annotations import (
    clean_text,
    read_json,
    warn_left_out,
    without_repeats,
)
from keras_mmfusion.datasets.question_rows import clean_questions

_FILES = (
    "image_data.json",
    "question_answers.json",
    "region_descriptions.json",
    "objects.json",
    "relationships.json",
)
_REGION = ("x", "y", "width", "height", "phrase")
_SPLITS = "densecap_splits.json"


def read_visual_genome_questions(data_dir, split=None, skip_missing_images=False):
    """Reads the questions of Visual Genome, in the data set's own files.

    Args:
        data_dir: string. A folder with `image_data.json`, `question_answers.json`, and the photos
            in `VG_100K/` and `VG_100K_2/`, or these two in `images/`.
        split: see `read_visual_genome_regions`.
        skip_missing_images: bool. Leave out questions whose photo is not there, rather than
            raise: for a part of the photos.

    Returns:
        `QuestionAnswers`, one answer each, in the order of the file. Questions that are empty,
        without an answer or on an image that `image_data.json` lacks are left out with a warning.

    Raises:
        ValueError: if files are missing, the error says which and where to get them; if one is
            damaged; or if two records of one id differ.

    Reference:
        Krishna et al., "Visual Genome: Connecting Language and Vision Using Crowdsourced Dense
        Image Annotations", 2017.
    """
    genome = VisualGenomeFolder(data_dir, split)
    records = [
        {**question, "image_id": image_id}
        for image_id, entry in genome.annotations("question_answers.json")
        for question in entry["qas"]
    ]
    rows = [
        (
            each["qa_id"],
            genome.path(each["image_id"]),
            each["question"] or "",
            [each["answer"] or ""],
        )
        for each in without_repeats(records, "qa_id")
    ]
    return clean_questions(rows, skip_missing_images=skip_missing_images)


def read_visual_genome_regions(data_dir, split=None, skip_missing_images=False):
    """Reads the region descriptions of Visual Genome, also known as dense captions.

    Args:
        data_dir: string. A folder with `image_data.json`, `region_descriptions.json`, and the
            photos in `VG_100K/` and `VG_100K_2/`, or these two in `images/`.
        split: `None` for all images, since Visual Genome has no splits of its own; a name in
            DenseCap's `densecap_splits.json`, `"train"`, `"val"` or `"test"`, with that file in
            the folder too; or an iterable of image ids.
        skip_missing_images: bool. Leave out images whose file is not there, rather than raise.

    Returns:
        `ImageRegions`, in the order of the file, boxes clipped to the image. Regions without a
        phrase or outside of their image, and images without regions or that `image_data.json`
        lacks are left out, with a warning. A region that is there twice counts once.

    Raises:
        ValueError: if files are missing, the error says which and where to get them; or if one is
            damaged.

    Reference:
        Krishna et al., "Visual Genome: Connecting Language and Vision Using Crowdsourced Dense
        Image Annotations", 2017; the splits: Johnson, Karpathy and Fei-Fei, "DenseCap: Fully
        Convolutional Localization Networks for Dense Captioning", 2016.
    """
    genome = VisualGenomeFolder(data_dir, split)
    images, boxes, phrases, unused, bare = [], [], [], [], []
    for image_id, entry in genome.annotations("region_descriptions.json"):
        regions = {tuple(map(each.get, _REGION)): each for each in entry["regions"]}.values()
        corners = genome.boxes(image_id, regions, _REGION[:4])
        texts = [clean_text(region["phrase"] or "") for region in regions]
        usable = np.all(corners[:, 2:] > corners[:, :2], axis=1) & np.array(texts, "bool")
        unused += [r["region_id"] for r, use in zip(regions, usable, strict=True) if not use]
        path = genome.path(image_id)
        if not usable.any() or (skip_missing_images and not os.path.isfile(path)):
            bare.append(image_id)
            continue
        images.append(path)
        boxes.append(corners[usable])
        phrases.append([text for text, use in zip(texts, usable, strict=True) if use])
    warn_left_out("regions without a phrase or outside of their image, by id", unused)
    warn_left_out("images without regions or without a file, by id", bare)
    return ImageRegions(images, boxes, phrases)


class VisualGenomeFolder:
    """The files of Visual Genome, by image.

    Args:
        data_dir: string.
        split: see `read_visual_genome_regions`.
    """

    def __init__(self, data_dir, split=None):
        self._data_dir = os.path.expanduser(data_dir)
        self._split = self._image_ids(split)
        records = without_repeats(self._read("image_data.json"), "image_id")
        self._images = {record["image_id"]: record for record in records}
        folders = [self._data_dir, os.path.join(self._data_dir, "images")]
        self._photos = next(
            (each for each in folders if os.path.isdir(os.path.join(each, "VG_100K"))), folders[0]
        )

    def annotations(self, name):
        """Tuples of the image's id and its entry in a file, for images of the split."""
        found, unknown = [], []
        for entry in self._read(name):
            image_id = entry["image_id"] if "image_id" in entry else entry["id"]
            if self._split is not None and image_id not in self._split:
                continue
            if image_id in self._images:
                found.append((image_id, entry))
            else:
                unknown.append(image_id)
        warn_left_out("images that image_data.json lacks, by id", unknown)
        return found

    def path(self, image_id):
        """The path of an image's file: its name is that in the URL, not always the id."""
        return os.path.join(self._photos, *self._images[image_id]["url"].split("/")[-2:])

    def boxes(self, image_id, records, keys):
        """Boxes of records as `clipped_boxes` gives them; `keys` of left, top, width, height."""
        image = self._images[image_id]
        values = np.array([[each[key] for key in keys] for each in records], "float64")
        return clipped_boxes(values.reshape(-1, 4), image["width"], image["height"])

    def _image_ids(self, split):
        if split is None:
            return None
        if not isinstance(split, str):
            return set(split)
        splits = self._read(_SPLITS)
        if split not in splits:
            raise ValueError(
                f"`split` must be None, image ids or one of {', '.join(map(repr, splits))}. "
                f"Received: {split!r}"
            )
        return set(splits[split])

    def _read(self, name):
        path = os.path.join(self._data_dir, name)
        if os.path.isfile(path):
            return read_json(path)
        if name == _SPLITS:
            raise ValueError(
                f"`data_dir` lacks {_SPLITS}, which names of splits need. Received: "
                f"data_dir={self._data_dir!r}. It is had from the folder info/ of "
                "https://github.com/jcjohnson/densecap."
            )
        raise ValueError(
            f"`data_dir` lacks {name}. Received: data_dir={self._data_dir!r}. Visual Genome is had "
            "from https://homes.cs.washington.edu/~ranjay/visualgenome/api.html: unpack "
            f"{', '.join(f'{each}.zip' for each in _FILES)}, of these what is needed, and the "
            "photos (images.zip and images2.zip, with the folders VG_100K/ and VG_100K_2/) into "
            f"{self._data_dir!r}."
        )
