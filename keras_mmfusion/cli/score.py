"""`mmfusion score`: caption scores of one file against another."""

import pathlib
from typing import Annotated

import typer

from keras_mmfusion._progress import inform
from keras_mmfusion.cli import options
from keras_mmfusion.cli.json_file import check_json_file
from keras_mmfusion.files.atomic_files import write_json


def score(
    references: Annotated[
        pathlib.Path,
        typer.Option(
            help="Reference captions: COCO JSON, JSON lines, CSV, or Flickr8k's token format."
        ),
    ],
    candidates: Annotated[
        pathlib.Path,
        typer.Option(
            help="Captions to score, in one of these formats; or the output of mmfusion caption, "
            "caption-dataset or evaluate captioner."
        ),
    ],
    json_file: Annotated[
        pathlib.Path | None, typer.Option("--json", help="Write the scores to this file.")
    ] = None,
    metric: options.Metrics = None,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Add each image's scores to the JSON file.")
    ] = False,
):
    """Score caption files against reference captions.

    BLEU, METEOR, ROUGE-L and CIDEr-D are those of coco-caption, computed without Java.

    Example:
      mmfusion score --references captions.csv --candidates generated.jsonl
    """
    from keras_mmfusion.metrics.captions.caption_files import score_files

    check_json_file(json_file)
    if per_image and json_file is None:
        raise ValueError("`--per-image` needs `--json`, the file to write.")
    scores = score_files(references, candidates, select_metrics(metric), per_image)
    for name, value in scores.items():
        if name != "per_image":
            typer.echo(
                f"{name:15} {value:.4f}" if isinstance(value, float) else f"{name:15} {value}"
            )
    if json_file:
        write_json(scores, json_file)


def select_metrics(metric):
    """Returns the requested metrics, or the default ones; reports if METEOR is left out."""
    from keras_mmfusion.metrics.captions.caption_scores import check_metrics, select_default_metrics

    if metric:
        return check_metrics(metric)
    return select_default_metrics(lambda message: inform(f"mmfusion: {message}"))
