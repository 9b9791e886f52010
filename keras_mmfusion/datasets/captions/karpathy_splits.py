"""Karpathy's split files: the images of a data set, each with its split and its captions."""

from keras_mmfusion.datasets.io.json_annotations import clean_text
from keras_mmfusion.files.json_records import LIST, TEXT, JsonFile


def read_karpathy_split(path, splits, **fields):
    """Reads the images of splits.

    Args:
        path: string. Path of `dataset_coco.json`, `dataset_flickr8k.json` or
            `dataset_flickr30k.json`.
        splits: names of splits of the file.
        **fields: what an image must have besides its `filename`; see `JsonFile.records`.

    Returns:
        List of dicts, in the file's order; see `karpathy_captions`.

    Raises:
        ValueError: if the file is damaged or of another kind, or no image is of the splits.

    Reference:
        Karpathy and Fei-Fei, "Deep Visual-Semantic Alignments for Generating Image Descriptions",
        2015.
    """
    file = JsonFile(path, "Karpathy's split file (`images`, each with `sentences`)")
    images = file.records("images", filename=TEXT, split=TEXT, sentences=LIST, **fields)
    records = [image for image in images if image["split"].strip() in splits]
    if not records:
        found = ", ".join(sorted({repr(image["split"]) for image in images}))
        file.refuse(f"no image is of the split {'+'.join(splits)!r}; the splits are {found}")
    for each in records:
        file.check(each["sentences"], f"the sentences of {each['filename']!r}", raw=TEXT)
    return records


def karpathy_captions(image):
    """The captions of one of the images."""
    return [clean_text(sentence["raw"]) for sentence in image["sentences"]]
