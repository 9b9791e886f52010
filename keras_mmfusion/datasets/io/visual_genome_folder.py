"""Access to the files of Visual Genome by image, and conversion of its boxes."""

import os

import numpy as np

from keras_mmfusion.datasets.io.annotations import warn_skipped
from keras_mmfusion.files.json_records import ID, LIST, NUMBER, TEXT, JsonFile

_FILES = (
    "image_data.json",
    "question_answers.json",
    "region_descriptions.json",
    "objects.json",
    "relationships.json",
)
_SPLITS = "densecap_splits.json"


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
        records = file.get_records(image_id=ID, url=TEXT, width=NUMBER, height=NUMBER)
        records = file.drop_repeats(records, "image_id")
        self._images = {record["image_id"]: record for record in records}
        folders = [self._data_dir, os.path.join(self._data_dir, "images")]
        self._image_folder = next(
            (each for each in folders if os.path.isdir(os.path.join(each, "VG_100K"))), folders[0]
        )

    def read_annotations(self, name, key, **fields):
        """Reads the records of the images in the split.

        Args:
            name: string. The name of the file.
            key: string. The key of the records of an image.
            **fields: see `JsonFile.get_records`.

        Returns:
            A tuple of the `JsonFile`, and a list of tuples of the image id and its records.
        """
        file, entries, unknown = self._read(name), [], []
        for entry in file.get_records(**{key: LIST}):
            image_id = entry.get("image_id", entry.get("id"))
            if not isinstance(image_id, ID[0]):
                file.fail(f"an entry has no 'image_id' or 'id': {entry!r:.200}")
            if self._split is not None and image_id not in self._split:
                continue
            if image_id in self._images:
                records = file.check_records(entry[key], f"{key!r} of image {image_id}", **fields)
                entries.append((image_id, records))
            else:
                unknown.append(image_id)
        if unknown and not entries:
            file.fail(f"its images, such as {unknown[0]!r}, are not in image_data.json")
        warn_skipped("images that are not in image_data.json, by id", unknown)
        return file, entries

    def get_path(self, image_id):
        """Returns the path of an image; the file name is taken from the URL, not from the id."""
        return os.path.join(self._image_folder, *self._images[image_id]["url"].split("/")[-2:])

    def get_boxes(self, image_id, records, keys):
        """Returns the boxes of records; see `clip_boxes`. `keys`: left, top, width, height."""
        image = self._images[image_id]
        if not (image["width"] > 0 and image["height"] > 0):
            raise ValueError(
                f"image_data.json must contain the size of each image. Received: {image!r:.200}"
            )
        values = np.array([[each[key] for key in keys] for each in records], "float64")
        return clip_boxes(values.reshape(-1, 4), image["width"], image["height"])

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
            file.fail("it is not an object with a list of image ids for each split")
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


def clip_boxes(boxes, width, height):
    """Clips boxes to the image and converts them to relative corners.

    Args:
        boxes: float array `(boxes, 4)`. The left, top, width and height in pixels.
        width: int. The width of the image.
        height: int. The height of the image.

    Returns:
        Float32 array `(boxes, 4)`. The left, top, right and bottom, in [0, 1]. Boxes outside the
        image have no area.

    Example:

    >>> clip_boxes(np.array([[-10.0, 0, 60, 50]]), 100, 50).tolist()
    [[0.0, 0.0, 0.5, 1.0]]
    """
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + np.maximum(boxes[:, 2:], 0)], axis=1)
    return np.clip(corners / [width, height, width, height], 0, 1).astype("float32")
