"""Options that several commands share, so that each has one name, type and help text."""

import dataclasses
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.models.captioning.decoding.decoding_arguments import (
    LENGTH_PENALTIES,
    MAX_BEAMS,
)

Preset = Annotated[
    str, typer.Option(help="Preset name, preset folder, .keras file, or hf:// handle.")
]
ModelOut = Annotated[
    pathlib.Path, typer.Option("--out", help="Preset folder or .keras file to write.")
]
ExportOut = Annotated[
    pathlib.Path,
    typer.Option("--out", help="Model folder; versions go into its subfolders 1, 2, ..."),
]
JsonFile = Annotated[
    pathlib.Path | None,
    typer.Option("--json", help="Write metrics, protocol and samples to this file."),
]
PrintJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

CaptionFolder = Annotated[
    pathlib.Path | None,
    typer.Option("--data", help="Folder in the layout of Flickr8k or MS COCO captions."),
]
CaptionSplit = Annotated[
    str | None,
    typer.Option("--split", help="With --data: name of a split, or a file of image names."),
]
Images = Annotated[
    pathlib.Path | None, typer.Option("--images", help="Instead of --data: folder of images.")
]
Captions = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--captions",
        help="With --images: CSV file with the columns image and caption, one row per caption; or "
        "JSON lines.",
    ),
]
TrainSplit = Annotated[
    str | None, typer.Option("--split", help="Split of --data to train on. Default: train.")
]
DevSplit = Annotated[
    str | None, typer.Option(help="Split of --data that selects the best epoch. Default: dev.")
]
DevCaptions = Annotated[
    pathlib.Path | None,
    typer.Option(help="With --images: table of the images that select the best epoch."),
]
DevImages = Annotated[
    pathlib.Path | None, typer.Option(help="Folder of these images. Default: that of --images.")
]
DevFraction = Annotated[
    float | None,
    typer.Option(
        help="Fraction of the images, such as 0.1, that selects the best epoch instead of being "
        "trained on. The selection does not depend on --seed."
    ),
]

Beams = Annotated[int, typer.Option(min=1, max=MAX_BEAMS, help="Beam width (1: greedy).")]
Prompt = Annotated[
    str | None, typer.Option(help="First words of every caption, such as 'a picture of'.")
]
LengthPenalty = Annotated[
    float,
    typer.Option(
        min=LENGTH_PENALTIES[0],
        max=LENGTH_PENALTIES[1],
        help="Length exponent that divides a caption's score.",
    ),
]
Rerank = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="With a model such as BLIP's matcher: sort the best K results again by how well image "
        "and text match.",
        metavar="K",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Use only the first images.")]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        help="bleu, meteor, rouge_l, cider or plain_cider; repeatable. Default: the first four, "
        "without METEOR if its tables (package pycocoevalcap) are not installed.",
    ),
]

Epochs = Annotated[int, typer.Option(help="Number of epochs.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Batch size.")]
LearningRate = Annotated[float, typer.Option(help="Peak learning rate.")]
RecipeEpochs = Annotated[
    int | None, typer.Option("--epochs", help="Number of epochs. Default: the architecture's.")
]
RecipeBatchSize = Annotated[
    int | None,
    typer.Option("--batch-size", min=1, help="Batch size. Default: the architecture's."),
]
RecipeLearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", help="Learning rate. Default: the architecture's."),
]
Dim = Annotated[int, typer.Option(help="Size of the tokens.")]
Dropout = Annotated[float, typer.Option(help="Dropout rate.")]
ModalityDropout = Annotated[
    float, typer.Option(help="Rate at which training drops whole modalities.")
]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Encoder = Annotated[str, typer.Option(help="Preset of the pretrained image encoder.")]


def check_rerank(model, rerank):
    """Raises an error if `--rerank` is given and a model cannot rerank."""
    if rerank is not None and not hasattr(model, "rerank"):
        raise ValueError(
            "`--rerank` needs a `BlipMatcher`, such as hf://Salesforce/blip-itm-base-coco. The "
            f"model is a {type(model).__name__}."
        )


def override(recipe, **settings):
    """Returns a recipe with the settings that are not `None`."""
    given = {name: value for name, value in settings.items() if value is not None}
    return dataclasses.replace(recipe, **given)
