"""Captioned images from the options of a command: a folder in a known layout, or a table."""

import pathlib

from keras_mmfusion._checks import check_proportion
from keras_mmfusion.cli.json_file import check_json_file

# Independent of `--seed`, so that runs with several seeds are scored on the same images.
SPLIT_SEED = 0


def read_pairs_to_score(data, split, images, captions, limit, json_file):
    """Reads the data of an evaluation after checking that its results can be written.

    Args:
        data, split, images, captions: as for `read_pairs`.
        limit: int. Use only the first images; `None` for all.
        json_file: path of the results, or `None`.

    Returns:
        A tuple of `CaptionPairs` and a dict that describes the data in the protocol.

    Raises:
        ValueError: if the options conflict, or a file is invalid.
    """
    check_json_file(json_file)
    pairs = read_pairs(data, split, images, captions)
    protocol = {**describe_data(data, split, images, captions), "limit": limit}
    return pairs if limit is None else pairs.take(limit), protocol


def read_pairs(data, split, images, captions):
    """Reads images and captions.

    Args:
        data, split: `--data` and `--split`, or `None`.
        images, captions: `--images` and `--captions`, or `None`.

    Returns:
        `CaptionPairs`.

    Raises:
        ValueError: if the options are not one of the two pairs, or a file is invalid.
    """
    if _is_table({"--data": data, "--split": split}, images, captions):
        return _read_table(images, captions)
    if split is None:
        raise ValueError("`--data` needs `--split`: the name of a split or a file of image names.")
    return _read_folder(data, split)


def read_train_and_dev(
    data, train_split, dev_split, images, captions, dev_images, dev_captions, dev_fraction
):
    """Reads the training data and the dev data that selects the best epoch.

    Args:
        data, train_split, dev_split: `--data`, `--split` and `--dev-split`, or `None`.
        images, captions: `--images` and `--captions`, or `None`.
        dev_images, dev_captions: the same for the dev set; `dev_images` defaults to `images`.
        dev_fraction: the fraction of the images that becomes the dev set instead, or `None`.

    Returns:
        Two `CaptionPairs`.

    Raises:
        ValueError: if the options conflict, or a file is invalid.
    """
    folder_options = {"--data": data, "--split": train_split, "--dev-split": dev_split}
    dev_options = {
        "--dev-images": dev_images,
        "--dev-captions": dev_captions,
        "--dev-fraction": dev_fraction,
    }
    if not _is_table(folder_options, images, captions):
        _reject(dev_options, "`--data`, whose dev set is `--dev-split`")
        return _read_folder(data, train_split or "train"), _read_folder(data, dev_split or "dev")
    if (dev_captions is None) == (dev_fraction is None):
        raise ValueError(
            "`--images` needs a dev set, which selects the best epoch: either `--dev-captions` "
            "(with `--dev-images` if they are in another folder) or `--dev-fraction`, such as 0.1. "
            f"Received: {'neither' if dev_captions is None else 'both'}"
        )
    if dev_fraction is not None:
        _reject({"--dev-images": dev_images}, "`--dev-fraction`")
        check_proportion(None, "--dev-fraction", dev_fraction)
        return _read_table(images, captions).split(dev_fraction, SPLIT_SEED)
    train, dev = _read_table(images, captions), _read_table(dev_images or images, dev_captions)
    shared = set(train.images) & set(dev.images)
    if shared:
        raise ValueError(
            f"`--captions` and `--dev-captions` must have no image in common. {len(shared)} are in "
            f"both tables, such as {min(shared)!r}"
        )
    return train, dev


def describe_data(data, split, images, captions):
    """Returns names of the data for a protocol, without the folders that contain it."""
    folder, part = (data, split) if images is None else (images, captions)
    return {"data": folder.resolve().name, "split": pathlib.Path(part).name}


def _is_table(folder_options, images, captions):
    """Returns whether the data is a table with a folder of images."""
    if images is None and captions is None:
        if folder_options["--data"] is None:
            raise ValueError(
                "Give the data: `--data FOLDER`, in the layout of Flickr8k or MS COCO captions; or "
                "`--images FOLDER` and `--captions TABLE`, a CSV file with the columns image and "
                "caption."
            )
        return False
    _reject(folder_options, "`--images` and `--captions`")
    if images is None or captions is None:
        raise ValueError(
            "`--images`, a folder, and `--captions`, a table of its files, must be given together. "
            f"Received: --images {images}, --captions {captions}"
        )
    return True


def _reject(options, other):
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"`{name}` cannot be combined with {other}. Received: {name} {value}")


def _read_folder(data, split):
    from keras_mmfusion.datasets.captions.caption_folder import read_caption_folder

    return read_caption_folder(data, split)


def _read_table(images, captions):
    from keras_mmfusion.datasets.captions.image_caption_table import read_image_caption_pairs

    if not images.is_dir():
        raise ValueError(f"`--images` must be a folder of images. Received: {images}")
    return read_image_caption_pairs(str(images), str(captions))
