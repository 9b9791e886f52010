"""Reads captions from the common file formats and scores them."""

import json
import os
import re
from pathlib import Path, PurePosixPath

from keras_mmfusion.files.caption_lines import read_caption_lines
from keras_mmfusion.files.json_files import parse_json, read_json, read_json_lines
from keras_mmfusion.files.json_kinds import describe_json
from keras_mmfusion.files.text_files import read_text
from keras_mmfusion.metrics.captions.caption_inputs import list_ids
from keras_mmfusion.metrics.captions.caption_scores import coco_caption_scores


def read_references(path):
    """Reads the reference captions of images.

    The format is detected from the content: COCO annotations (an object with `annotations`),
    COCO results (a list of objects with `image_id` and `caption`), JSON lines (one such object
    per line; `captions` may hold a list), Flickr8k's token format (`image.jpg#0`, a tab, the
    caption), or CSV with the columns `image` and `caption`, such as Kaggle's `captions.txt` of
    Flickr8k. In every format, all captions with the same id belong to one image.

    The output of `mmfusion caption --json`, `caption-dataset` (the folder, or one of its JSON
    lines files) and `evaluate captioner --json` is read too. An object without `image_id` is
    identified by the file name in `filename` (present for some TFRecords), or else by that of the
    path in `image`, `photo` or `path`. Images with an `error` are skipped.

    Args:
        path: path of a text file, or of a folder written by `caption-dataset`.

    Returns:
        A dict of image id -> list of strings; ids are strings or integers, as in the file.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the format is not recognized; the message names the line or entry.
    """
    path = os.fspath(path)
    files = _shards(path) if os.path.isdir(path) else [path]
    captions = {}
    for image_id, caption in (pair for file in files for pair in _read_pairs(file)):
        captions.setdefault(image_id, []).append(caption)
    if not captions:
        raise ValueError(f"{path!r} has no captions.")
    return captions


def read_candidates(path):
    """Reads one caption for each image, in any format that `read_references` supports.

    Args:
        path: path of a text file, or of a folder written by `caption-dataset`.

    Returns:
        A dict of image id -> string.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the format is not recognized, or an image has several captions; the
            message lists these images.
    """
    captions = read_references(path)
    repeated = [image_id for image_id, each in captions.items() if len(each) > 1]
    if repeated:
        raise ValueError(
            f"`candidates` must have one caption for each image; {path} has several for these "
            f"image ids: {list_ids(repeated)}."
        )
    return {image_id: each[0] for image_id, each in captions.items()}


def score_files(references, candidates, metrics=None, per_image=False):
    """Scores the captions in one file against those in another, as `mmfusion score` does.

    Args:
        references: path of a file that `read_references` reads.
        candidates: path of a file that `read_candidates` reads. If it identifies images by file
            name and `references` is a COCO annotation file, ids are matched through the file's
            `images` list.
        metrics: names of metrics, as for `coco_caption_scores`.
        per_image: bool. Whether to add the scores of each image.

    Returns:
        The dict of `coco_caption_scores`, with the number of scored images as `images`.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if a format is not recognized, an image has several candidates, or the files
            have different images; the message lists the ids.
    """
    truth, captions = read_references(references), read_candidates(candidates)
    if truth.keys() != captions.keys():
        truth = _rename_by_file(truth, _read_file_names(references))
        captions = _rename_by_file(captions, {})
    return {"images": len(captions), **coco_caption_scores(truth, captions, metrics, per_image)}


def _read_pairs(path):
    text = read_text(path)
    if text.lstrip()[:1] not in ("[", "{"):
        return [(image, caption) for _, image, caption in read_caption_lines(path)]
    if _is_json_lines(text):
        entries = [(f"line {number}", entry) for number, entry in read_json_lines(path)]
        return [
            pair for where, entry in entries for pair in _parse_entry(path, where, entry, entry)
        ]
    content = parse_json(path, text)
    entries = content
    if isinstance(content, dict):
        # A JSON lines file with one line is also a JSON document.
        entries = content.get("annotations", content.get("samples", [content]))
    if not isinstance(entries, list):
        entries = [entries]
    return [
        pair
        for number, entry in enumerate(entries)
        for pair in _parse_entry(path, f"entry {number}", entry, content)
    ]


def _rename_by_file(captions, names):
    """Keys captions by file name, unless images in two folders share a name.

    Args:
        captions: dict of image id -> captions.
        names: dict of image id -> file name. Other string ids may be paths.
    """
    renamed = {
        _base_name(names.get(image_id, image_id)): each for image_id, each in captions.items()
    }
    return renamed if len(renamed) == len(captions) else captions


def _base_name(image_id):
    is_path = isinstance(image_id, str)
    return PurePosixPath(image_id.replace("\\", "/")).name if is_path else image_id


def _read_file_names(path):
    """Returns a dict of image id -> file name from a COCO annotation file; empty for others."""
    try:
        images = read_json(path)["images"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # Not COCO annotations.
    return {
        image["id"]: image["file_name"]
        for image in images
        if isinstance(image, dict) and {"id", "file_name"} <= image.keys()
    }


def _is_json_lines(text):
    """Returns whether there are several lines and the first one is a JSON object."""
    first, _, rest = text.lstrip().partition("\n")
    try:
        return bool(rest.strip()) and isinstance(json.loads(first), dict)
    except (RecursionError, ValueError):
        return False


def _parse_entry(path, where, entry, content):
    image_id, captions = None, None
    if isinstance(entry, dict):
        if isinstance(entry.get("error"), str) and "caption" not in entry:
            return []
        image_id = _image_id(entry)
        captions = entry.get("captions", [entry.get("caption")])
    if image_id is None or not isinstance(captions, list) or not _are_strings(captions):
        raise ValueError(
            f"{path}, {where}: must be an object with `image_id`, or `image` with the path of the "
            "image, and the string `caption` or the list `captions`, not "
            f"{json.dumps(entry)[:80]}. The file appears to be {describe_json(content)}."
        )
    return [(image_id, caption) for caption in captions]


def _image_id(entry):
    """Returns the image id of an entry, its file name, or `None`."""
    image_id = entry.get("image_id")
    if isinstance(image_id, (str, int)) and not isinstance(image_id, bool):
        return image_id
    for key in ("filename", "image", "photo", "path"):
        if isinstance(entry.get(key), str):
            return _base_name(entry[key])
    return None


def _are_strings(captions):
    return all(isinstance(caption, str) for caption in captions)


def _shards(folder):
    """Returns the complete list of caption files that `caption-dataset` wrote to a folder."""
    shards = sorted(str(path) for path in Path(folder).glob("captions-*-of-*.jsonl"))
    if not shards:
        raise ValueError(
            f"{folder!r} has no captions-*.jsonl: pass a file of captions, or the `--out` folder "
            "of `mmfusion caption-dataset --format jsonl`."
        )
    count = int(re.search(r"-of-(\d+)\.jsonl$", shards[0])[1])
    if len(shards) != count:
        raise ValueError(
            f"{folder!r} has {len(shards)} of {count} caption files: run "
            "`mmfusion caption-dataset` again with the same arguments to complete it."
        )
    return shards
