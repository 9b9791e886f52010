"""`mmfusion score`: caption scores of one file against another."""

import json
import os
import pathlib
from typing import Annotated

import typer

File = Annotated[
    pathlib.Path,
    typer.Option(help="COCO annotations or results, JSON lines, or Flickr8k's token format."),
]


def score(
    references: File,
    candidates: File,
    json_file: Annotated[
        pathlib.Path | None, typer.Option("--json", help="Write the scores to this file.")
    ] = None,
    metric: Annotated[
        list[str], typer.Option(help="bleu, rouge_l, cider, plain_cider or meteor; repeatable.")
    ] = ["bleu", "rouge_l", "cider", "meteor"],  # noqa: B006
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Also each image's scores, in the JSON file.")
    ] = False,
):
    """Score captions as coco-caption does, without Java: BLEU, METEOR, ROUGE-L, CIDEr."""
    from keras_mmfusion.metrics.caption_files import score_files

    scores = score_files(references, candidates, metric, per_image)
    for name, value in scores.items():
        if name != "per_image":
            typer.echo(
                f"{name:15} {value:.4f}" if isinstance(value, float) else f"{name:15} {value}"
            )
    if json_file:
        part = json_file.with_name(f"{json_file.name}.part")
        part.write_text(json.dumps(scores, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(part, json_file)
