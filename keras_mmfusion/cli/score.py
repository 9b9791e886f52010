"""`mmfusion score`: caption scores of one file against another."""

import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli.json_file import check_json_file, write_json

File = Annotated[
    pathlib.Path,
    typer.Option(help="COCO annotations or results, JSON lines, or Flickr8k's token format."),
]


Metrics = Annotated[
    list[str] | None,
    typer.Option(
        help="bleu, meteor, rouge_l, cider or plain_cider; repeatable. By default the first four, "
        "without METEOR where its tables (package pycocoevalcap) are not installed."
    ),
]


def score(
    references: File,
    candidates: File,
    json_file: Annotated[
        pathlib.Path | None, typer.Option("--json", help="Write the scores to this file.")
    ] = None,
    metric: Metrics = None,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Also each image's scores, in the JSON file.")
    ] = False,
):
    """Score captions as coco-caption does, without Java: BLEU, METEOR, ROUGE-L, CIDEr."""
    from keras_mmfusion.metrics.caption_files import score_files

    check_json_file(json_file)
    if per_image and json_file is None:
        raise ValueError("`--per-image` needs `--json`, the file to write.")
    scores = score_files(references, candidates, chosen_metrics(metric), per_image)
    for name, value in scores.items():
        if name != "per_image":
            typer.echo(
                f"{name:15} {value:.4f}" if isinstance(value, float) else f"{name:15} {value}"
            )
    if json_file:
        write_json(scores, json_file)


def chosen_metrics(metric):
    """The metrics asked for, or the default ones; says on stderr if METEOR is left out."""
    from keras_mmfusion.metrics.caption_scores import check_metrics, select_default_metrics

    if metric:
        return check_metrics(metric)
    return select_default_metrics(lambda message: typer.echo(f"mmfusion: {message}", err=True))
