"""Reads Flickr8k and Flickr30k: images with five captions each."""

import os

from keras_mmfusion.datasets.captions.caption_pairs import CaptionPairs
from keras_mmfusion.datasets.captions.caption_pipeline import caption_dataset
from keras_mmfusion.datasets.captions.karpathy_splits import (
    clean_karpathy_captions,
    read_karpathy_split,
)
from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.files.caption_lines import read_caption_lines
from keras_mmfusion.files.text_files import read_list

_SPLITS = ("train", "dev", "test")
_CAPTIONS = "Flickr8k.token.txt"
_KAGGLE_CAPTIONS = "captions.txt"
_KARPATHY = ("dataset_flickr8k.json", "dataset_flickr30k.json")
# Karpathy's names of splits, where they differ.
_KARPATHY_SPLITS = {"dev": "val"}
# The folders of the official archives and of common copies.
_TEXT_FOLDERS = ("", "Flickr8k_text")
_IMAGE_FOLDERS = (
    "images",
    "Images",
    "Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "flickr30k-images",
    "flickr30k_images",
)


def flickr8k_dataset(
    data_dir,
    split="train",
    batch_size=32,
    image_size=(224, 224),
    captions_per_image=5,
    shuffle=True,
    seed=0,
    augment=False,
    cache=False,
):
    """Returns Flickr8k as a `tf.data.Dataset` of images and captions.

    Args:
        data_dir: string. The folder of the data set; see `read_flickr8k`.
        split: string. `"train"`, `"dev"`, `"test"`, or the path of a list file.
        batch_size, image_size, captions_per_image, shuffle, seed, augment, cache: see
            `caption_dataset`.

    Returns:
        A `tf.data.Dataset` of dicts: `"images"`, uint8 `(batch, height, width, 3)`, and
        `"captions"`, strings `(batch, captions_per_image)`.

    Raises:
        ValueError: if files are missing; the message says where to download them.

    Reference:
        Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task: Data, Models
        and Evaluation Metrics", JAIR 47 (2013).
    """
    pairs = read_flickr8k(data_dir, split)
    return caption_dataset(
        pairs, batch_size, image_size, captions_per_image, shuffle, seed, augment, cache
    )


def read_flickr8k(data_dir, split="train"):
    """Reads a split of Flickr8k from its official files.

    Args:
        data_dir: string. A folder with `Flickr8k.token.txt` or Kaggle's `captions.txt`, the list
            files `Flickr_8k.trainImages.txt`, `Flickr_8k.devImages.txt` and
            `Flickr_8k.testImages.txt` (directly or in `Flickr8k_text/`), and the images in
            `images/` or `Flicker8k_Dataset/`. The list files and captions can be replaced by
            Karpathy's `dataset_flickr8k.json`. A folder of Flickr30k with
            `dataset_flickr30k.json` and `flickr30k-images/` is also supported.
        split: string. `"train"`, `"dev"`, `"test"`, or the path of a file with the file name of an
            image on each line.

    Returns:
        `CaptionPairs`, in the order of the list.

    Raises:
        ValueError: if files are missing; the message says where to download them.
    """
    data_dir, split = os.path.expanduser(data_dir), strip_split_name(split)
    if split not in _SPLITS and not os.path.isfile(split):
        raise ValueError(
            f"`split` must be one of {_SPLITS} or the path of a list file. Received: {split!r}"
        )
    karpathy = find_flickr_karpathy_file(data_dir)
    list_paths = _join_paths(data_dir, _TEXT_FOLDERS, _get_list_name(split))
    if split in _SPLITS and karpathy and not any(map(os.path.isfile, list_paths)):
        names, captions = _read_karpathy(karpathy, split)
    else:
        names, captions = _read_listed(data_dir, split)
    folder = _find(data_dir, _IMAGE_FOLDERS, "")
    return CaptionPairs(
        [os.path.join(folder, name) for name in names],
        [captions.get(name, []) for name in names],
    )


def find_captions_file(data_dir):
    """Returns the path of the captions of Flickr8k, official or Kaggle's, or `None`."""
    names = (_CAPTIONS, _KAGGLE_CAPTIONS)
    paths = [path for name in names for path in _join_paths(data_dir, _TEXT_FOLDERS, name)]
    return next(filter(os.path.isfile, paths), None)


def find_flickr_karpathy_file(data_dir):
    """Returns the path of Karpathy's split file of Flickr8k or Flickr30k, or `None`."""
    paths = [path for name in _KARPATHY for path in _join_paths(data_dir, _TEXT_FOLDERS, name)]
    return next(filter(os.path.isfile, paths), None)


def _read_karpathy(path, split):
    records = read_karpathy_split(path, [_KARPATHY_SPLITS.get(split, split)])
    captions = {each["filename"]: clean_karpathy_captions(each) for each in records}
    return list(captions), captions


def _read_listed(data_dir, split):
    is_list = split not in _SPLITS
    split_file = split if is_list else _find(data_dir, _TEXT_FOLDERS, _get_list_name(split))
    path = find_captions_file(data_dir)
    captions = {}
    if path is None and is_list and (karpathy := find_flickr_karpathy_file(data_dir)):
        for name in _SPLITS:
            captions.update(_read_karpathy(karpathy, name)[1])
    else:
        path = path or _find(data_dir, _TEXT_FOLDERS, _CAPTIONS)
        for _, image, caption in read_caption_lines(path):
            captions.setdefault(image, []).append(caption)
    return read_list(split_file), captions


def _get_list_name(split):
    return f"Flickr_8k.{split}Images.txt"


def _join_paths(data_dir, folders, name):
    return [os.path.join(data_dir, folder, name) for folder in folders]


def _find(data_dir, folders, name):
    path = next(filter(os.path.exists, _join_paths(data_dir, folders, name)), None)
    if path is not None:
        return path
    expected = " or ".join(os.path.join(folder, name) for folder in folders)
    raise ValueError(
        f"`data_dir` must contain {expected}. Received: data_dir={data_dir!r}. Download Flickr8k "
        "from https://hockenmaier.cs.illinois.edu/8k-pictures.html (on request, for research and "
        "education), or Flickr8k_Dataset.zip and Flickr8k_text.zip from the releases of "
        f"https://github.com/jbrownlee/Datasets. Unpack both into {data_dir!r}, so that it "
        f"contains {_CAPTIONS}, Flickr_8k.trainImages.txt, Flickr_8k.devImages.txt, "
        "Flickr_8k.testImages.txt and the images in a folder images/. Kaggle's copy has no list "
        f"files: add {_KARPATHY[0]} from caption_datasets.zip of "
        "https://cs.stanford.edu/people/karpathy/deepimagesent/, or pass the path of a list file "
        "as `split`, with the file name of an image on each line."
    )
