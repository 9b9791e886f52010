"""Reads files with a caption on each line: Flickr8k's own format and Kaggle's CSV file."""

import os
import re

from keras_mmfusion.files.csv_files import read_csv
from keras_mmfusion.files.text_files import read_lines

COLUMNS = ("image", "caption")


def read_caption_lines(path):
    """Reads a file of image names and captions.

    Args:
        path: string or path of a file in Flickr8k's format, `image.jpg#0`, a tab and the caption
            on each line; or of a CSV file with the columns `image` and `caption`, such as Kaggle's
            `captions.txt`.

    Yields:
        Tuples of the line number, starting at 1, the image name and the caption.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file has another format; the message contains the line.
    """
    path = os.fspath(path)
    if is_caption_csv(path):
        for line, row in read_csv(path, COLUMNS, text_column="caption"):
            if not row["image"]:
                raise ValueError(f"{path!r}, line {line}: must have an image. Received: {row}")
            yield line, row["image"], row["caption"]
        return
    for number, line in read_lines(path):
        if not line.strip():
            continue
        name, tab, caption = line.partition("\t")
        name = re.sub(r"#\d+$", "", name.strip())
        if not tab or not name:
            raise ValueError(
                f"{path!r}, line {number}: must be an image name, a tab and a caption; or the file "
                f"must be CSV with the columns image and caption. Received: {line[:80]!r}"
            )
        yield number, name, caption.strip()


def is_caption_csv(path):
    """Returns whether the first line of a text file is the header of a CSV file of captions."""
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    return set(COLUMNS) <= {name.strip(' "').lower() for name in re.split(r"[,;\t|]", first)}
