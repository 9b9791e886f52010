"""Visual Genome's files: questions on photos, and descriptions of regions in them."""

import os

import numpy as np

from keras_mmfusion.datasets.captions.image_regions import ImageRegions, clipped_boxes
from keras_mmfusion.datasets.io.json_annotations import clean_text, warn_left_out
from keras_mmfusion.datasets.questions.question_rows import clean_questions
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
    fields = {"qa_id": ID, "question": TEXT_OR_NULL, "answer": TEXT_OR_NULL}
    file, entries = genome.annotations("question_answers.json", "qas", **fields)
    records = [
        {**question, "image_id": image_id} for image_id, found in entries for question in found
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
    fields = {**dict.fromkeys(_REGION[:4], NUMBER), "phrase": TEXT_OR_NULL}
    _, entries = genome.annotations("region_descriptions.json", "regions", **fields)
    for image_id, found in entries:
        regions = {tuple(map(each.get, _REGION)): each for each in found}.values()
        corners = genome.boxes(image_id, regions, _REGION[:4])
        texts = [clean_text(region.get("phrase") or "") for region in regions]
        usable = np.all(corners[:, 2:] > corners[:, :2], axis=1) & np.array(texts, "bool")
        unused += [r.get("region_id") for r, use in zip(regions, usable, strict=True) if not use]
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
        file = self._read("image_data.json")
        records = file.records(image_id=ID, url=TEXT, width=NUMBER, height=NUMBER)
        records = file.without_repeats(records, "image_id")
        self._images = {record["image_id"]: record for record in records}
        folders = [self._data_dir, os.path.join(self._data_dir, "images")]
        self._photos = next(
            (each for each in folders if os.path.isdir(os.path.join(each, "VG_100K"))), folders[0]
        )

    def annotations(self, name, key, **fields):
        """What a file has of the images of the split.

        Args:
            name: string. The file's name.
            key: string. Where the records of an image are.
            **fields: see `JsonFile.records`.

        Returns:
            A tuple of the `JsonFile`, and a list of tuples of an image's id and its records.
        """
        file, found, unknown = self._read(name), [], []
        for entry in file.records(**{key: LIST}):
            image_id = entry.get("image_id", entry.get("id"))
            if not isinstance(image_id, ID[0]):
                file.refuse(f"an entry has no 'image_id' or 'id': {entry!r:.200}")
            if self._split is not None and image_id not in self._split:
                continue
            if image_id in self._images:
                records = file.check(entry[key], f"{key!r} of image {image_id}", **fields)
                found.append((image_id, records))
            else:
                unknown.append(image_id)
        if unknown and not found:
            file.refuse(f"none of its images is in image_data.json, such as {unknown[0]!r}")
        warn_left_out("images that image_data.json lacks, by id", unknown)
        return file, found

    def path(self, image_id):
        """The path of an image's file: its name is that in the URL, not always the id."""
        return os.path.join(self._photos, *self._images[image_id]["url"].split("/")[-2:])

    def boxes(self, image_id, records, keys):
        """Boxes of records as `clipped_boxes` gives them; `keys` of left, top, width, height."""
        image = self._images[image_id]
        if not (image["width"] > 0 and image["height"] > 0):
            raise ValueError(
                f"image_data.json must have the size of each image. Received: {image!r:.200}"
            )
        values = np.array([[each[key] for key in keys] for each in records], "float64")
        return clipped_boxes(values.reshape(-1, 4), image["width"], image["height"])

    def _image_ids(self, split):
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
            file.refuse("it is no object with a list of image ids for each split")
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
