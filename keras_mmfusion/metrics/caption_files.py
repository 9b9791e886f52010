"""Captions out of the files that the field keeps them in, and their scores."""

import json
import os

from keras_mmfusion.files.caption_lines import read_caption_lines
from keras_mmfusion.files.json_files import parse_json, read_json_lines
from keras_mmfusion.files.json_kinds import describe_json
from keras_mmfusion.files.text_files import read_text
from keras_mmfusion.metrics.caption_inputs import list_ids
from keras_mmfusion.metrics.caption_scores import coco_caption_scores


def read_references(path):
    """Reads the reference captions of images.

    The format is told by the content: COCO's annotation file (an object with `annotations`), the
    COCO results format (a list of objects with `image_id` and `caption`), JSON lines (such an
    object a line; `captions` may hold a list), Flickr8k's token format (`image.jpg#0`, a tab, the
    caption), or CSV with the columns `image` and `caption`, such as Kaggle's `captions.txt` of
    Flickr8k. In each, all captions of an id belong to one image.

    Args:
        path: path of a text file.

    Returns:
        A dict of image id -> list of strings; ids are what the file has, strings or integers.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is in none of the formats; the message names the line or entry.
    """
    captions = {}
    for image_id, caption in _read_pairs(os.fspath(path)):
        captions.setdefault(image_id, []).append(caption)
    if not captions:
        raise ValueError(f"{os.fspath(path)!r} has no captions.")
    return captions


def read_candidates(path):
    """Reads one caption for each image, in any format that `read_references` knows.

    Args:
        path: path of a text file.

    Returns:
        A dict of image id -> string.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is in none of the formats, or an image has two captions; the message
            lists these images.
    """
    captions = read_references(path)
    doubled = [image_id for image_id, each in captions.items() if len(each) > 1]
    if doubled:
        raise ValueError(
            f"`candidates` must have one caption for each image; {path} has several for these "
            f"image ids: {list_ids(doubled)}."
        )
    return {image_id: each[0] for image_id, each in captions.items()}


def score_files(references, candidates, metrics=None, per_image=False):
    """Scores the captions of one file against those of another: `mmfusion score`.

    Args:
        references: path of a file that `read_references` reads.
        candidates: path of a file that `read_candidates` reads.
        metrics: names of metrics, as for `coco_caption_scores`.
        per_image: bool. Adds each image's own scores.

    Returns:
        The dict of `coco_caption_scores`, and `images`, how many were scored.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a file is in none of the formats, an image has two candidates, or the
            files have different images; the message lists the ids.
    """
    truth, captions = read_references(references), read_candidates(candidates)
    return {"images": len(captions), **coco_caption_scores(truth, captions, metrics, per_image)}


def _read_pairs(path):
    text = read_text(path)
    if text.lstrip()[:1] not in ("[", "{"):
        return [(image, caption) for _, image, caption in read_caption_lines(path)]
    if _is_json_lines(text):
        entries = [(f"line {number}", entry) for number, entry in read_json_lines(path)]
        return [pair for place, entry in entries for pair in _pairs(path, place, entry, entry)]
    content = parse_json(path, text)
    entries = content
    if isinstance(content, dict):
        # One line of JSON lines is a whole JSON document too.
        entries = content.get("annotations", [content])
    if not isinstance(entries, list):
        entries = [entries]
    return [
        pair
        for number, entry in enumerate(entries)
        for pair in _pairs(path, f"entry {number}", entry, content)
    ]


def _is_json_lines(text):
    """Whether the first of several lines is a JSON object by itself."""
    first, _, rest = text.lstrip().partition("\n")
    try:
        return bool(rest.strip()) and isinstance(json.loads(first), dict)
    except (RecursionError, ValueError):
        return False


def _pairs(path, place, entry, content):
    captions = None
    if isinstance(entry, dict) and isinstance(entry.get("image_id"), (str, int)):
        captions = entry.get("captions", [entry.get("caption")])
    if not isinstance(captions, list) or not all(isinstance(c, str) for c in captions):
        raise ValueError(
            f"{path}, {place}: must be an object with `image_id` and the string `caption` or the "
            f"list `captions`, not {json.dumps(entry)[:80]}. The file appears to be "
            f"{describe_json(content)}."
        )
    return [(entry["image_id"], caption) for caption in captions]
