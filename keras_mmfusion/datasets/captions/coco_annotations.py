"""Reads captions in the layout of MS COCO."""

import os

from keras_mmfusion.datasets.captions.caption_pairs import CaptionPairs
from keras_mmfusion.datasets.captions.caption_pipeline import caption_dataset
from keras_mmfusion.datasets.captions.karpathy_splits import (
    clean_karpathy_captions,
    read_karpathy_split,
)
from keras_mmfusion.datasets.io.annotations import clean_text, warn_skipped
from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.files.json_records import ID, TEXT, JsonFile

KARPATHY = "dataset_coco.json"
KARPATHY_SPLITS = ("train", "restval", "val", "test")


def coco_caption_dataset(
    data_dir,
    split="train2017",
    batch_size=32,
    image_size=(224, 224),
    captions_per_image=5,
    shuffle=True,
    seed=0,
    augment=False,
    cache=False,
    reduce_jpegs=False,
):
    """Returns MS COCO captions as a `tf.data.Dataset` of images and captions.

    Args:
        data_dir: string. The folder of the data set; see `read_coco_captions`.
        split: string; see `read_coco_captions`.
        batch_size, image_size, captions_per_image, shuffle, seed, augment, cache, reduce_jpegs:
            see `caption_dataset`.

    Returns:
        A `tf.data.Dataset` of dicts: `"images"`, uint8 `(batch, height, width, 3)`, and
        `"captions"`, strings `(batch, captions_per_image)`.

    Raises:
        ValueError: if files are missing; the message says where to download them.
    """
    pairs = read_coco_captions(data_dir, split)
    return caption_dataset(
        pairs,
        batch_size,
        image_size,
        captions_per_image,
        shuffle,
        seed,
        augment,
        cache,
        reduce_jpegs=reduce_jpegs,
    )


def read_coco_captions(data_dir, split="train2017"):
    """Reads a split of a data set in the layout of MS COCO captions.

    Args:
        data_dir: string. A folder with `annotations/captions_{split}.json` and the images in
            `{split}/` or `images/{split}/`. For Karpathy's splits, a folder with
            `dataset_coco.json`, directly or in `annotations/`, and the images in `train2014/` and
            `val2014/`.
        split: string. An official split, such as `"train2017"`, `"val2017"` or `"val2014"`; one of
            Karpathy's splits, `"train"`, `"restval"`, `"val"` or `"test"`; or several splits of
            one kind, such as `"train+restval"`.

    Returns:
        `CaptionPairs`, in the order of the images in the file. Captions of unlisted images are
        dropped with a warning.

    Raises:
        ValueError: if files are missing, damaged or of another kind, an image has no caption, or
            records with the same id differ.

    Reference:
        Chen et al., "Microsoft COCO Captions: Data Collection and Evaluation Server",
        arXiv 1504.00325 (2015); the splits: Karpathy and Fei-Fei, "Deep Visual-Semantic
        Alignments for Generating Image Descriptions", 2015.
    """
    data_dir = os.path.expanduser(data_dir)
    names = [name.strip() for name in strip_split_name(split).split("+")]
    official = [_get_annotations_path(data_dir, name) for name in names]
    # Custom data sets may have a split with one of Karpathy's names in an annotation file.
    if set(names) <= set(KARPATHY_SPLITS) and (
        find_karpathy_file(data_dir) or not all(map(os.path.isfile, official))
    ):
        return CaptionPairs(*_read_karpathy(data_dir, names))
    images, captions = zip(*(_read_official(data_dir, name) for name in names), strict=True)
    return CaptionPairs(sum(images, []), sum(captions, []))


def _get_annotations_path(data_dir, split):
    return os.path.join(data_dir, "annotations", f"captions_{split}.json")


def _read_official(data_dir, split):
    annotations = _get_annotations_path(data_dir, split)
    folder = _find_image_folder(data_dir, split)
    if not os.path.isfile(annotations) or folder is None:
        raise ValueError(
            f"`data_dir` must contain annotations/captions_{split}.json and the images in {split}/ "
            f"or images/{split}/. Received: data_dir={data_dir!r}, split={split!r}. Download MS "
            "COCO from https://cocodataset.org/#download."
        )
    file = JsonFile(annotations, "COCO caption annotations (`images` and `annotations`)")
    images = file.drop_repeats(file.get_records("images", id=ID, file_name=TEXT), "id")
    captions, unknown = {image["id"]: [] for image in images}, []
    for annotation in file.get_records("annotations", image_id=ID, caption=TEXT):
        if annotation["image_id"] in captions:
            captions[annotation["image_id"]].append(clean_text(annotation["caption"]))
        else:
            unknown.append(annotation["image_id"])
    if unknown and not any(captions.values()):
        file.fail(
            f"no `image_id` of an annotation, such as {unknown[0]!r}, matches an `id` in `images`, "
            f"such as {next(iter(captions), None)!r}"
        )
    warn_skipped("captions of unlisted images, by image id", unknown)
    return [os.path.join(folder, image["file_name"]) for image in images], list(captions.values())


def _read_karpathy(data_dir, splits):
    path = find_karpathy_file(data_dir)
    if path is None:
        raise ValueError(
            f"`data_dir` must contain {KARPATHY} for the splits {', '.join(KARPATHY_SPLITS)}. "
            f"Received: data_dir={data_dir!r}. Download caption_datasets.zip from "
            "https://cs.stanford.edu/people/karpathy/deepimagesent/, and the images, train2014.zip "
            "and val2014.zip, from https://cocodataset.org/#download."
        )
    records = read_karpathy_split(path, splits, filepath=TEXT)
    names = {each["filepath"] for each in records}
    folders = {name: _find_image_folder(data_dir, name) for name in names}
    missing = [name for name, folder in folders.items() if folder is None]
    if missing:
        raise ValueError(
            f"`data_dir` must contain the images in {missing[0]}/ or images/{missing[0]}/. "
            f"Received: data_dir={data_dir!r}. Download them from "
            "https://cocodataset.org/#download."
        )
    return (
        [os.path.join(folders[each["filepath"]], each["filename"]) for each in records],
        [clean_karpathy_captions(each) for each in records],
    )


def find_karpathy_file(data_dir):
    """Returns the path of Karpathy's split file in a folder, or `None`."""
    paths = [os.path.join(data_dir, KARPATHY), os.path.join(data_dir, "annotations", KARPATHY)]
    return next(filter(os.path.isfile, paths), None)


def _find_image_folder(data_dir, name):
    folders = [os.path.join(data_dir, name), os.path.join(data_dir, "images", name)]
    return next(filter(os.path.isdir, folders), None)
