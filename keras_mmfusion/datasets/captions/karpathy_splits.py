"""Reads Karpathy's split files: images with their split and captions."""

from keras_mmfusion.datasets.io.annotations import clean_text
from keras_mmfusion.files.json_records import LIST, TEXT, JsonFile


def read_karpathy_split(path, splits, **fields):
    """Reads the images of one or several splits.

    Args:
        path: string. Path of `dataset_coco.json`, `dataset_flickr8k.json` or
            `dataset_flickr30k.json`.
        splits: collection of strings. The names of the splits.
        **fields: required fields of an image besides its `filename`; see `JsonFile.get_records`.

    Returns:
        List of dicts, in the order of the file; see `clean_karpathy_captions`.

    Raises:
        ValueError: if the file is damaged or of another kind, or contains no image of the splits.

    Reference:
        Karpathy and Fei-Fei, "Deep Visual-Semantic Alignments for Generating Image Descriptions",
        2015.
    """
    file = JsonFile(path, "Karpathy's split file (`images`, each with `sentences`)")
    images = file.get_records("images", filename=TEXT, split=TEXT, sentences=LIST, **fields)
    records = [image for image in images if image["split"].strip() in splits]
    if not records:
        known = ", ".join(sorted({repr(image["split"]) for image in images}))
        file.fail(f"it has no image of the split {'+'.join(splits)!r}; its splits are {known}")
    for each in records:
        file.check_records(each["sentences"], f"the sentences of {each['filename']!r}", raw=TEXT)
    return records


def clean_karpathy_captions(image):
    """Returns the captions of an image record."""
    return [clean_text(sentence["raw"]) for sentence in image["sentences"]]
