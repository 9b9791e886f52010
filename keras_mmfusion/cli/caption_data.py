"""Captioned images as the commands take them: a folder in a known layout, or images and a table."""

import pathlib

# Independent of `--seed`, so that runs from several seeds are scored on the same images.
SPLIT_SEED = 0


def read_pairs(data, split, images, captions):
    """Reads the images and captions to score a preset on.

    Args:
        data, split: `--data` and `--split`, or `None`.
        images, captions: `--images` and `--captions`, or `None`.

    Returns:
        `CaptionPairs`.

    Raises:
        ValueError: if the options are not one of the two pairs, or a file is not as described.
    """
    if _is_table({"--data": data, "--split": split}, images, captions):
        return _read_table(images, captions)
    if split is None:
        raise ValueError("`--data` needs `--split`: a split's name, or a file of image names.")
    return _read_folder(data, split)


def read_train_and_dev(
    data, train_split, dev_split, images, captions, dev_images, dev_captions, dev_fraction
):
    """Reads what to train on, and what picks the best epoch.

    Args:
        data, train_split, dev_split: `--data` with its splits, `None` without.
        images, captions: `--images` and `--captions`, or `None`.
        dev_images, dev_captions: the same of dev; the images' folder defaults to `images`.
        dev_fraction: the share of the images that becomes dev instead, or `None`.

    Returns:
        Two `CaptionPairs`.

    Raises:
        ValueError: if the options do not fit together, or a file is not as described.
    """
    folder_options = {"--data": data, "--train-split": train_split, "--dev-split": dev_split}
    dev_options = {
        "--dev-images": dev_images,
        "--dev-captions": dev_captions,
        "--dev-fraction": dev_fraction,
    }
    if not _is_table(folder_options, images, captions):
        _refuse(dev_options, "with `--data`, whose dev set is `--dev-split`")
        return _read_folder(data, train_split or "train"), _read_folder(data, dev_split or "dev")
    if (dev_captions is None) == (dev_fraction is None):
        raise ValueError(
            "`--images` needs a dev set, which picks the best epoch: either `--dev-captions` (with "
            "`--dev-images` if they are in another folder) or `--dev-fraction`, such as 0.1. "
            f"Received: {'neither' if dev_captions is None else 'both'}"
        )
    if dev_fraction is not None:
        _refuse({"--dev-images": dev_images}, "with `--dev-fraction`")
        if not 0 < dev_fraction < 1:
            raise ValueError(
                f"`--dev-fraction` must be between 0 and 1, such as 0.1. Received: {dev_fraction}"
            )
        return _read_table(images, captions).split(dev_fraction, SPLIT_SEED)
    train, dev = _read_table(images, captions), _read_table(dev_images or images, dev_captions)
    shared = set(train.images) & set(dev.images)
    if shared:
        raise ValueError(
            f"`--dev-captions` must be of images that are not trained on. {len(shared)} are in "
            f"both tables, such as {min(shared)!r}"
        )
    return train, dev


def data_facts(data, split, images, captions):
    """What a protocol says of the data: names without their places."""
    folder, part = (data, split) if images is None else (images, captions)
    return {"data": folder.resolve().name, "split": pathlib.Path(part).name}


def _is_table(folder_options, images, captions):
    """Whether the data is a table with a folder of images."""
    if images is None and captions is None:
        if folder_options["--data"] is None:
            raise ValueError(
                "Which data? Give `--data FOLDER`, in Flickr8k's or MS COCO captions' layout; or "
                "`--images FOLDER` and `--captions TABLE`, a CSV file with the columns image and "
                "caption."
            )
        return False
    _refuse(folder_options, "with `--images` and `--captions`")
    if images is None or captions is None:
        raise ValueError(
            "`--images`, a folder, and `--captions`, a table that names its files, go together. "
            f"Received: --images {images}, --captions {captions}"
        )
    return True


def _refuse(options, why):
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"`{name}` does not go {why}. Received: {name} {value}")


def _read_folder(data, split):
    from keras_mmfusion.datasets.captions.caption_folder import read_caption_folder

    return read_caption_folder(data, split)


def _read_table(images, captions):
    from keras_mmfusion.datasets.captions.image_caption_table import read_image_caption_pairs

    if not images.is_dir():
        raise ValueError(f"A folder of images was expected. Received: {images}")
    return read_image_caption_pairs(str(images), str(captions))
