"""Captions in the layout of MS COCO."""

import json
import os

from keras_mmfusion.datasets.caption_pairs import CaptionPairs


def read_coco_captions(data_dir, split="val2017"):
    """Reads a split of a data set in the layout of MS COCO captions.

    Args:
        data_dir: string. A folder with `annotations/captions_{split}.json` and the photos in
            `{split}/` or `images/{split}/`.
        split: string. Such as `"train2017"` or `"val2017"`.

    Returns:
        `CaptionPairs`, in the order of the file's list of images.

    Raises:
        ValueError: if files are missing or an image has no caption.

    Reference:
        Chen et al., "Microsoft COCO Captions: Data Collection and Evaluation Server",
        arXiv 1504.00325 (2015).
    """
    data_dir = os.path.expanduser(data_dir)
    annotations = os.path.join(data_dir, "annotations", f"captions_{split}.json")
    folders = [os.path.join(data_dir, split), os.path.join(data_dir, "images", split)]
    folder = next(filter(os.path.isdir, folders), None)
    if not os.path.isfile(annotations) or folder is None:
        raise ValueError(
            f"`data_dir` must hold annotations/captions_{split}.json and the photos in {split}/ "
            f"or images/{split}/. Received: data_dir={data_dir!r}, split={split!r}. MS COCO is "
            "had from https://cocodataset.org/#download."
        )
    with open(annotations, encoding="utf-8") as file:
        content = json.load(file)
    captions = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        captions[annotation["image_id"]].append(annotation["caption"].strip())
    return CaptionPairs(
        [os.path.join(folder, image["file_name"]) for image in content["images"]],
        list(captions.values()),
    )
