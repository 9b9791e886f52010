"""Captions out of the files that the field keeps them in, and their scores."""

import json
import os
import re
from pathlib import Path, PurePosixPath

from keras_mmfusion.files.caption_lines import read_caption_lines
from keras_mmfusion.files.json_files import parse_json, read_json, read_json_lines
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

    What `mmfusion caption --json`, `caption-dataset` (its folder, or one of its JSON lines files)
    and `evaluate captioner --json` write is read, too: an object without `image_id` has the path
    of its image as `image`, or `photo` or `path`, and the name of that file is its id; if it has a
    `filename`, as records of TFRecords may, that is. Images with an `error` are left out.

    Args:
        path: path of a text file, or of `caption-dataset`'s folder.

    Returns:
        A dict of image id -> list of strings; ids are what the file has, strings or integers.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is in none of the formats; the message names the line or entry.
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
    """Reads one caption for each image, in any format that `read_references` knows.

    Args:
        path: path of a text file, or of `caption-dataset`'s folder.

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
        candidates: path of what `read_candidates` reads. If it knows images by the names of their
            files and `references` is COCO's annotation file, that file's `images` tell the ids.
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
    if truth.keys() != captions.keys():
        truth = _by_file_name(truth, _file_names(references))
        captions = _by_file_name(captions, {})
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
        entries = content.get("annotations", content.get("samples", [content]))
    if not isinstance(entries, list):
        entries = [entries]
    return [
        pair
        for number, entry in enumerate(entries)
        for pair in _pairs(path, f"entry {number}", entry, content)
    ]


def _by_file_name(captions, names):
    """The captions by the names of the images' files, unless images of two folders share one.

    Args:
        captions: dict, image id -> captions.
        names: dict, image id -> name of the file; other ids that are strings may be paths.
    """
    renamed = {
        _base_name(names.get(image_id, image_id)): each for image_id, each in captions.items()
    }
    return renamed if len(renamed) == len(captions) else captions


def _base_name(image_id):
    is_path = isinstance(image_id, str)
    return PurePosixPath(image_id.replace("\\", "/")).name if is_path else image_id


def _file_names(path):
    """Image id -> name of the image's file, as far as COCO's annotation file has them."""
    try:
        images = read_json(path)["images"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # Another format.
    return {
        image["id"]: image["file_name"]
        for image in images
        if isinstance(image, dict) and {"id", "file_name"} <= image.keys()
    }


def _is_json_lines(text):
    """Whether the first of several lines is a JSON object by itself."""
    first, _, rest = text.lstrip().partition("\n")
    try:
        return bool(rest.strip()) and isinstance(json.loads(first), dict)
    except (RecursionError, ValueError):
        return False


def _pairs(path, place, entry, content):
    image_id, captions = None, None
    if isinstance(entry, dict):
        if isinstance(entry.get("error"), str) and "caption" not in entry:
            return []
        image_id = _image_id(entry)
        captions = entry.get("captions", [entry.get("caption")])
    if image_id is None or not isinstance(captions, list) or not _are_strings(captions):
        raise ValueError(
            f"{path}, {place}: must be an object with `image_id`, or `image` with the path of the "
            "image, and the string `caption` or the list `captions`, not "
            f"{json.dumps(entry)[:80]}. The file appears to be {describe_json(content)}."
        )
    return [(image_id, caption) for caption in captions]


def _image_id(entry):
    """The id of an entry's image, or the name of its file, or `None`."""
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
    """The files of captions that `caption-dataset` wrote into a folder, which must be all there."""
    shards = sorted(str(path) for path in Path(folder).glob("captions-*-of-*.jsonl"))
    if not shards:
        raise ValueError(
            f"{folder!r} has no captions-*.jsonl: name a file of captions, or the `--out` of "
            "`mmfusion caption-dataset --format jsonl`."
        )
    count = int(re.search(r"-of-(\d+)\.jsonl$", shards[0])[1])
    if len(shards) != count:
        raise ValueError(
            f"{folder!r} has {len(shards)} of {count} files of captions: run "
            "`mmfusion caption-dataset` again with the same arguments, so that it goes on."
        )
    return shards
