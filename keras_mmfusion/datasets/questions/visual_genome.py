"""Reads the questions and region descriptions of Visual Genome."""

import os

import numpy as np

from keras_mmfusion.datasets.captions.image_regions import ImageRegions, clipped_boxes
from keras_mmfusion.datasets.io.annotations import clean_text, warn_left_out
from keras_mmfusion.datasets.questions.question_cleaning import clean_questions
from keras_mmfusion.files.json_records import ID, LIST, NUMBER, TEXT, TEXT_OR_NULL, JsonFile

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
    """Reads the questions of Visual Genome from its official files.

    Args:
        data_dir: string. A folder with `image_data.json`, `question_answers.json`, and the images
            in `VG_100K/` and `VG_100K_2/`, directly or in `images/`.
        split: see `read_visual_genome_regions`.
        skip_missing_images: bool. Whether to drop questions without an image file instead of
            raising an error, for a subset of the images.

    Returns:
        `QuestionAnswers` with one answer per question, in the order of the file. Empty questions,
        and questions without an answer or about unknown images, are dropped with a warning.

    Raises:
        ValueError: if files are missing, in which case the message says where to download them; if
            a file is damaged; or if records with the same id differ.

    Reference:
        Krishna et al., "Visual Genome: Connecting Language and Vision Using Crowdsourced Dense
        Image Annotations", 2017.
    """
    genome = VisualGenomeFolder(data_dir, split)
    fields = {"qa_id": ID, "question": TEXT_OR_NULL, "answer": TEXT_OR_NULL}
    file, entries = genome.annotations("question_answers.json", "qas", **fields)
    records = [
        {**question, "image_id": image_id}
        for image_id, questions in entries
        for question in questions
    ]
    rows = [
        (
            each["qa_id"],
            genome.path(each["image_id"]),
            each.get("question") or "",
            [each.get("answer") or ""],
        )
        for each in file.without_repeats(records, "qa_id")
    ]
    return clean_questions(rows, skip_missing_images=skip_missing_images)


def read_visual_genome_regions(data_dir, split=None, skip_missing_images=False):
    """Reads the region descriptions (dense captions) of Visual Genome from its official files.

    Args:
        data_dir: string. A folder with `image_data.json`, `region_descriptions.json`, and the
            images in `VG_100K/` and `VG_100K_2/`, directly or in `images/`.
        split: `None` for all images, because Visual Genome has no official splits; `"train"`,
            `"val"` or `"test"`, if DenseCap's `densecap_splits.json` is in the folder; or an
            iterable of image ids.
        skip_missing_images: bool. Whether to drop images without a file instead of raising an
            error.

    Returns:
        `ImageRegions`, in the order of the file, with boxes clipped to the image. Regions without
        a phrase or outside the image, images without regions, and unknown images are dropped with
        a warning. Repeated regions are dropped.

    Raises:
        ValueError: if files are missing, in which case the message says where to download them; or
            if a file is damaged.

    Reference:
        Krishna et al., "Visual Genome: Connecting Language and Vision Using Crowdsourced Dense
        Image Annotations", 2017; the splits: Johnson, Karpathy and Fei-Fei, "DenseCap: Fully
        Convolutional Localization Networks for Dense Captioning", 2016.
    """
    genome = VisualGenomeFolder(data_dir, split)
    images, boxes, phrases, unused, skipped = [], [], [], [], []
    fields = {**dict.fromkeys(_REGION[:4], NUMBER), "phrase": TEXT_OR_NULL}
    _, entries = genome.annotations("region_descriptions.json", "regions", **fields)
    for image_id, records in entries:
        regions = {tuple(map(each.get, _REGION)): each for each in records}.values()
        corners = genome.boxes(image_id, regions, _REGION[:4])
        texts = [clean_text(region.get("phrase") or "") for region in regions]
        usable = np.all(corners[:, 2:] > corners[:, :2], axis=1) & np.array(texts, "bool")
        unused += [r.get("region_id") for r, use in zip(regions, usable, strict=True) if not use]
        path = genome.path(image_id)
        if not usable.any() or (skip_missing_images and not os.path.isfile(path)):
            skipped.append(image_id)
            continue
        images.append(path)
        boxes.append(corners[usable])
        phrases.append([text for text, use in zip(texts, usable, strict=True) if use])
    warn_left_out("regions without a phrase or outside the image, by id", unused)
    warn_left_out("images without regions or without a file, by id", skipped)
    return ImageRegions(images, boxes, phrases)


class VisualGenomeFolder:
    """Access to the files of Visual Genome by image.

    Args:
        data_dir: string.
        split: see `read_visual_genome_regions`.
    """

    def __init__(self, data_dir, split=None):
        self._data_dir = os.path.expanduser(data_dir)
        self._split = self._read_split(split)
        file = self._read("image_data.json")
        records = file.records(image_id=ID, url=TEXT, width=NUMBER, height=NUMBER)
        records = file.without_repeats(records, "image_id")
        self._images = {record["image_id"]: record for record in records}
        folders = [self._data_dir, os.path.join(self._data_dir, "images")]
        self._photos = next(
            (each for each in folders if os.path.isdir(os.path.join(each, "VG_100K"))), folders[0]
        )

    def annotations(self, name, key, **fields):
        """Reads the records of the images in the split.

        Args:
            name: string. The name of the file.
            key: string. The key of the records of an image.
            **fields: see `JsonFile.records`.

        Returns:
            A tuple of the `JsonFile`, and a list of tuples of the image id and its records.
        """
        file, entries, unknown = self._read(name), [], []
        for entry in file.records(**{key: LIST}):
            image_id = entry.get("image_id", entry.get("id"))
            if not isinstance(image_id, ID[0]):
                file.refuse(f"an entry has no 'image_id' or 'id': {entry!r:.200}")
            if self._split is not None and image_id not in self._split:
                continue
            if image_id in self._images:
                records = file.check(entry[key], f"{key!r} of image {image_id}", **fields)
                entries.append((image_id, records))
            else:
                unknown.append(image_id)
        if unknown and not entries:
            file.refuse(f"its images, such as {unknown[0]!r}, are not in image_data.json")
        warn_left_out("images that are not in image_data.json, by id", unknown)
        return file, entries

    def path(self, image_id):
        """Returns the path of an image; the file name is taken from the URL, not from the id."""
        return os.path.join(self._photos, *self._images[image_id]["url"].split("/")[-2:])

    def boxes(self, image_id, records, keys):
        """Returns the boxes of records; see `clipped_boxes`. `keys`: left, top, width, height."""
        image = self._images[image_id]
        if not (image["width"] > 0 and image["height"] > 0):
            raise ValueError(
                f"image_data.json must contain the size of each image. Received: {image!r:.200}"
            )
        values = np.array([[each[key] for key in keys] for each in records], "float64")
        return clipped_boxes(values.reshape(-1, 4), image["width"], image["height"])

    def _read_split(self, split):
        if split is None:
            return None
        if not isinstance(split, str):
            return set(split)
        file, split = self._read(_SPLITS), split.strip()
        splits = file.content
        if not isinstance(splits, dict) or not all(
            isinstance(ids, list) and all(isinstance(each, ID[0]) for each in ids)
            for ids in splits.values()
        ):
            file.refuse("it is not an object with a list of image ids for each split")
        if split not in splits:
            raise ValueError(
                f"`split` must be None, image ids or one of {', '.join(map(repr, splits))}. "
                f"Received: {split!r}"
            )
        return set(splits[split])

    def _read(self, name):
        path = os.path.join(self._data_dir, name)
        if os.path.isfile(path):
            return JsonFile(path, f"Visual Genome's {name}")
        if name == _SPLITS:
            raise ValueError(
                f"`data_dir` must contain {_SPLITS} for named splits. Received: "
                f"data_dir={self._data_dir!r}. Download it from the folder info/ of "
                "https://github.com/jcjohnson/densecap."
            )
        raise ValueError(
            f"`data_dir` must contain {name}. Received: data_dir={self._data_dir!r}. Download "
            "Visual Genome from https://homes.cs.washington.edu/~ranjay/visualgenome/api.html and "
            f"unpack the required ones of {', '.join(f'{each}.zip' for each in _FILES)}, and the "
            "images (images.zip and images2.zip, with the folders VG_100K/ and VG_100K_2/), into "
            f"{self._data_dir!r}."
        )
