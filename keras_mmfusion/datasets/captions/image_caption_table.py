"""The user's own images and captions: a folder, and a table that names its files."""

import os

import numpy as np

from keras_mmfusion.datasets.captions.caption_pairs import CaptionPairs
from keras_mmfusion.datasets.captions.caption_pipeline import caption_dataset
from keras_mmfusion.datasets.io.json_annotations import clean_text
from keras_mmfusion.datasets.tables.table_rows import Table


def image_caption_pairs(folder, table, **options):
    """A folder of images and a table of captions as a `tf.data.Dataset`.

    Args:
        folder: string. The folder that the table's file names are relative to.
        table: string. Path of a `.csv`, `.jsonl` or `.ndjson` file; see
            `read_image_caption_pairs`.
        **options: see `caption_dataset`: `batch_size`, `image_size`, `captions_per_image`,
            `shuffle`, `seed`, `augment`, `cache`.

    Returns:
        A `tf.data.Dataset` of dicts: `"images"`, uint8 `(batch, height, width, 3)`, and
        `"captions"`, strings `(batch, captions_per_image)`.
    """
    return caption_dataset(read_image_caption_pairs(folder, table), **options)


def read_image_caption_pairs(folder, table):
    """Reads a table of images and captions.

    Args:
        folder: string. The folder that the table's file names are relative to.
        table: string. Path of a CSV file with the columns `image` and `caption`, such as Kaggle's
            `captions.txt` of Flickr8k, or of a JSON lines file (`.jsonl`, `.ndjson`) with objects
            `{"image": ..., "caption": ...}` or `{"image": ..., "captions": [...]}`. An image in
            several rows has several captions. Where `caption` is the last column of a CSV file, a
            caption may have commas without being quoted. Or a pandas `DataFrame` with these
            columns, `caption` or `captions`.

    Returns:
        `CaptionPairs`, in the order in which the table first names the images.

    Raises:
        ValueError: if the table is not as described, or names missing files.
    """
    named = "captions" if hasattr(table, "columns") and "captions" in table.columns else "caption"
    folder, table = os.path.expanduser(folder), Table(table, ("image", named), "caption")
    captions = {}
    for line, row in table.rows():
        image, found = row.get("image"), row.get("captions", row.get("caption"))
        image = os.fspath(image) if isinstance(image, os.PathLike) else image
        found = [found] if isinstance(found, str) else found
        are_texts = isinstance(found, (list, tuple, np.ndarray)) and all(
            isinstance(text, str) for text in found
        )
        if not isinstance(image, str) or not image.strip() or not are_texts:
            raise ValueError(
                f"{table.name}, {table.unit} {line}: `table` must name an 'image' and its "
                f"'caption' in each row. Received: {row!r:.200}"
            )
        path = os.path.join(folder, image.strip())
        captions.setdefault(path, []).extend(map(clean_text, found))
    if not captions:
        raise ValueError(f"{table.name} has no rows; it must name an image and a caption in each.")
    return CaptionPairs(list(captions), list(captions.values()))
