"""Reads the region descriptions of Visual Genome."""

import os

import numpy as np

from keras_mmfusion.datasets.captions.image_regions import ImageRegions
from keras_mmfusion.datasets.io.annotations import clean_text, warn_skipped
from keras_mmfusion.datasets.io.visual_genome_folder import VisualGenomeFolder
from keras_mmfusion.files.json_records import NUMBER, TEXT_OR_NULL

_REGION = ("x", "y", "width", "height", "phrase")


def read_visual_genome_regions(data_dir, split=None, skip_missing_images=False):
    """Reads the region descriptions (dense captions) of Visual Genome from its official files.

    Args:
        data_dir: string. A folder with `image_data.json`, `region_descriptions.json`, and the
            images in `VG_100K/` and `VG_100K_2/`, directly or in `images/`.
        split: `None` for all images, because Visual Genome has no official splits; `"train"`,
            `"val"` or `"test"`, if DenseCap's `densecap_splits.json` is in the folder; or an
            iterable of image ids.
        skip_missing_images: bool. Whether to drop images without a file instead of raising an
            error.

    Returns:
        `ImageRegions`, in the order of the file, with boxes clipped to the image. Regions without
        a phrase or outside the image, images without regions, and unknown images are dropped with
        a warning. Repeated regions are dropped.

    Raises:
        ValueError: if files are missing, in which case the message says where to download them; or
            if a file is damaged.

    Reference:
        Krishna et al., "Visual Genome: Connecting Language and Vision Using Crowdsourced Dense
        Image Annotations", 2017; the splits: Johnson, Karpathy and Fei-Fei, "DenseCap: Fully
        Convolutional Localization Networks for Dense Captioning", 2016.
    """
    genome = VisualGenomeFolder(data_dir, split)
    images, boxes, phrases, unused, skipped = [], [], [], [], []
    fields = {**dict.fromkeys(_REGION[:4], NUMBER), "phrase": TEXT_OR_NULL}
    _, entries = genome.read_annotations("region_descriptions.json", "regions", **fields)
    for image_id, records in entries:
        regions = {tuple(map(each.get, _REGION)): each for each in records}.values()
        corners = genome.get_boxes(image_id, regions, _REGION[:4])
        texts = [clean_text(region.get("phrase") or "") for region in regions]
        usable = np.all(corners[:, 2:] > corners[:, :2], axis=1) & np.array(texts, "bool")
        unused += [r.get("region_id") for r, use in zip(regions, usable, strict=True) if not use]
        path = genome.get_path(image_id)
        if not usable.any() or (skip_missing_images and not os.path.isfile(path)):
            skipped.append(image_id)
            continue
        images.append(path)
        boxes.append(corners[usable])
        phrases.append([text for text, use in zip(texts, usable, strict=True) if use])
    warn_skipped("regions without a phrase or outside the image, by id", unused)
    warn_skipped("images without regions or without a file, by id", skipped)
    return ImageRegions(images, boxes, phrases)
