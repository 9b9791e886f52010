"""Reads captioning data sets in the layout of Flickr8k or MS COCO."""

import os
import pathlib

from keras_mmfusion.datasets.captions.caption_pairs import CaptionPairs
from keras_mmfusion.datasets.captions.coco_annotations import (
    KARPATHY_SPLITS,
    find_karpathy_file,
    read_coco_captions,
)
from keras_mmfusion.datasets.captions.flickr8k_captions import (
    find_captions_file,
    find_flickr_karpathy_file,
    read_flickr8k,
)
from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.files.text_files import read_list


def read_caption_folder(data_dir, split):
    """Reads a split of a data set in the layout of Flickr8k or of MS COCO captions.

    Args:
        data_dir: string or path. The folder of the data set; see `read_flickr8k` and
            `read_coco_captions`.
        split: string. The name of a split, such as `"dev"`, `"val2017"` or `"train+restval"`; or
            the path of a file with the file name of an image on each line.

    Returns:
        `CaptionPairs`, in the order of the split.

    Raises:
        ValueError: if the folder has neither layout, if files are missing, or if the split is
            unknown.
    """
    folder, split = pathlib.Path(os.path.expanduser(data_dir)), strip_split_name(split)
    official = [
        file.stem.removeprefix("captions_")
        for file in sorted(folder.glob("annotations/captions_*.json"))
    ]
    karpathy = list(KARPATHY_SPLITS) if find_karpathy_file(folder) else []
    splits = official + karpathy
    if not splits and (find_captions_file(folder) or find_flickr_karpathy_file(folder)):
        return read_flickr8k(str(folder), split)
    if not splits:
        raise ValueError(
            "`data_dir` must have the layout of Flickr8k (Flickr8k.token.txt or Kaggle's "
            "captions.txt, and list files or Karpathy's dataset_flickr8k.json) or of MS COCO "
            "captions (annotations/captions_<split>.json, or Karpathy's dataset_coco.json). "
            f"Received: data_dir={os.fspath(data_dir)!r}"
        )
    if {name.strip() for name in split.split("+")} <= set(splits):
        return read_coco_captions(str(folder), split)
    if not os.path.isfile(split):
        raise ValueError(
            f"`split` must be one of {', '.join(map(repr, splits))} or the path of a list file. "
            f"Received: split={split!r}"
        )
    # Karpathy's splits contain the same images as the official ones.
    pairs = [read_coco_captions(str(folder), name) for name in official or karpathy]
    return _select_listed(pathlib.Path(split), pairs)


def _select_listed(list_file, pairs):
    captions, paths = {}, {}
    for each in pairs:
        for path, texts in zip(each.images, each.captions, strict=True):
            name = os.path.basename(path)
            paths[name], captions[name] = path, texts
    names = read_list(list_file)
    unknown = [name for name in names if name not in paths]
    if unknown:
        raise ValueError(
            f"`split` lists {len(unknown)} images that are not in the annotation files, such as "
            f"{unknown[0]!r}. Received: split={str(list_file)!r}"
        )
    return CaptionPairs([paths[name] for name in names], [captions[name] for name in names])
