"""Captions out of the files that the field keeps them in, and their scores."""

import json
import pathlib
import re

from keras_mmfusion.metrics.caption_inputs import list_ids
from keras_mmfusion.metrics.caption_scores import coco_caption_scores


def read_references(path):
    """Reads the reference captions of images.

    The format is told by the content: COCO's annotation file (an object with `annotations`), the
    COCO results format (a list of objects with `image_id` and `caption`), JSON lines (such an
    object a line; `captions` may hold a list), or Flickr8k's token format (`image.jpg#0`, a tab,
    the caption). In each, all captions of an id belong to one image.

    Args:
        path: path of a UTF-8 file.

    Returns:
        A dict of image id -> list of strings; ids are what the file has, strings or integers.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is in none of the formats; the message names the line or entry.
    """
    captions = {}
    for image_id, caption in _read_pairs(pathlib.Path(path)):
        captions.setdefault(image_id, []).append(caption)
    return captions


def read_candidates(path):
    """Reads one caption for each image, in any format that `read_references` knows.

    Args:
        path: path of a UTF-8 file.

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


def score_files(
    references, candidates, metrics=("bleu", "rouge_l", "cider", "meteor"), per_image=False
):
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
    text = path.read_text(encoding="utf-8-sig")
    start = text.lstrip()[:1]
    if start in ("[", "{"):
        try:
            entries = json.loads(text)
        except json.JSONDecodeError:
            return _read_json_lines(path, text)
        if isinstance(entries, dict):
            # One line of JSON lines is a whole JSON document too.
            entries = entries.get("annotations", [entries])
        return [
            pair
            for number, entry in enumerate(entries)
            for pair in _pairs(entry, f"{path}, entry {number}")
        ]
    return _read_token_lines(path, text)


def _read_json_lines(path, text):
    pairs = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number}: no JSON ({error}).") from error
            pairs += _pairs(entry, f"{path}, line {number}")
    return pairs


def _pairs(entry, place):
    captions = None
    if isinstance(entry, dict) and isinstance(entry.get("image_id"), (str, int)):
        captions = entry.get("captions", [entry.get("caption")])
    if not isinstance(captions, list) or not all(isinstance(c, str) for c in captions):
        raise ValueError(
            f"{place}: must be an object with `image_id` and the string `caption` or the list "
            f"`captions`, not {json.dumps(entry)[:80]}"
        )
    return [(entry["image_id"], caption) for caption in captions]


def _read_token_lines(path, text):
    pairs = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.rstrip("\r")
        if not line.strip():
            continue
        name, tab, caption = line.partition("\t")
        if not tab or not name:
            raise ValueError(
                f"{path}, line {number}: must be an image's name, a tab and a caption (or the "
                f"file JSON), not {line[:80]!r}"
            )
        pairs.append((re.sub(r"#\d+$", "", name), caption))
    return pairs
