"""Reads custom images and captions: a folder of images and a table of captions."""

import os

import numpy as np

from keras_mmfusion.datasets.captions.caption_pairs import CaptionPairs
from keras_mmfusion.datasets.captions.caption_pipeline import caption_dataset
from keras_mmfusion.datasets.io.annotations import clean_text
from keras_mmfusion.datasets.io.table_rows import Table


def image_caption_dataset(
    folder,
    table,
    batch_size=32,
    image_size=(224, 224),
    captions_per_image=5,
    shuffle=True,
    seed=0,
    augment=False,
    cache=False,
    drop_alpha=False,
    reduce_jpegs=False,
):
    """Returns a folder of images and a table of captions as a `tf.data.Dataset`.

    Args:
        folder: string. The folder of the images.
        table: string. Path of a `.csv`, `.jsonl` or `.ndjson` file; see
            `read_image_caption_pairs`.
        batch_size, image_size, captions_per_image: see `caption_dataset`.
        shuffle, seed, augment, cache, drop_alpha, reduce_jpegs: see `caption_dataset`.

    Returns:
        A `tf.data.Dataset` of dicts: `"images"`, uint8 `(batch, height, width, 3)`, and
        `"captions"`, strings `(batch, captions_per_image)`.
    """
    pairs = read_image_caption_pairs(folder, table)
    return caption_dataset(
        pairs,
        batch_size,
        image_size,
        captions_per_image,
        shuffle,
        seed,
        augment,
        cache,
        drop_alpha,
        reduce_jpegs,
    )


def read_image_caption_pairs(folder, table):
    """Reads a table of images and captions.

    Args:
        folder: string. The folder of the images.
        table: string. The path of a CSV file with the columns `image` and `caption`, such as
            Kaggle's `captions.txt` of Flickr8k, or of a JSON lines file (`.jsonl`, `.ndjson`) with
            objects `{"image": ..., "caption": ...}` or `{"image": ..., "captions": [...]}`; or a
            pandas `DataFrame` with these columns. `image` is a path relative to `folder`. An image
            in several rows has several captions. If `caption` is the last column of a CSV file,
            captions may contain unquoted commas.

    Returns:
        `CaptionPairs`, in the order of the first occurrence of each image in the table.

    Raises:
        ValueError: if the table is invalid, or contains paths of missing files.
    """
    is_plural = hasattr(table, "columns") and "captions" in table.columns
    columns = ("image", "captions" if is_plural else "caption")
    folder, table = os.path.expanduser(folder), Table(table, columns, "caption")
    captions = {}
    for line, row in table.read_rows():
        image, texts = row.get("image"), row.get("captions", row.get("caption"))
        image = os.fspath(image) if isinstance(image, os.PathLike) else image
        texts = [texts] if isinstance(texts, str) else texts
        are_strings = isinstance(texts, (list, tuple, np.ndarray)) and all(
            isinstance(text, str) for text in texts
        )
        if not isinstance(image, str) or not image.strip() or not are_strings:
            raise ValueError(
                f"{table.name}, {table.unit} {line}: each row of `table` must have an 'image' and "
                f"a 'caption'. Received: {row!r:.200}"
            )
        path = os.path.join(folder, image.strip())
        captions.setdefault(path, []).extend(map(clean_text, texts))
    if not captions:
        raise ValueError(f"{table.name} has no rows; it must have at least one image and caption.")
    return CaptionPairs(list(captions), list(captions.values()))
