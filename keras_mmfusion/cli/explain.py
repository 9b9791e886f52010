"""`mmfusion explain`: what a prediction depends on."""

import json
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli import options
from keras_mmfusion.cli.model_files import check_model, load_model

HTML, JSON = ".html", ".json"
LEVELS = ("modality", "token", "pixel")


def explain(
    photo: Annotated[pathlib.Path, typer.Argument(metavar="IMAGE", help="Image file.")],
    preset: options.Preset,
    question: Annotated[
        str | None, typer.Option(help="The question, for a model that answers questions.")
    ] = None,
    caption: Annotated[
        str | None,
        typer.Option(help="The caption to explain, for a captioner. Default: that of the model."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="The text, for a model that compares images and texts.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="An answer, or a word of the caption. Default: the prediction."),
    ] = None,
    method: Annotated[str, typer.Option(help="Name of the method.")] = "shapley",
    level: Annotated[
        str, typer.Option(help=f"Parts of the input: {', '.join(LEVELS)}.")
    ] = "modality",
    out: Annotated[
        list[pathlib.Path] | None,
        typer.Option(
            help="Figure (.png, .svg, .pdf), page (.html) or values (.json) to write; repeat it "
            "for several files."
        ),
    ] = None,
    as_json: options.PrintJson = False,
):
    """Explain a prediction about an image.

    Prints the value of each modality: its part of the score.

    Example:
      mmfusion explain photo.jpg --question "how many dogs are there?" --preset vqa_easy --out why.png
    """  # noqa: E501
    from keras_mmfusion.datasets.images.read_image import read_image

    for path in out or ():
        _check_out(path)
    read_image(photo)  # Errors come before Keras is imported, which takes seconds.
    check_model(preset)
    import keras

    from keras_mmfusion.explain import explain as explain_sample

    model = load_model(preset, keras.Model)
    given = {"question": question, "caption": caption, "text": text}
    sample = {"image": photo} | {name: x for name, x in given.items() if x is not None}
    explanation = explain_sample(model, sample, target, method, level)
    for path in out or ():
        _write(explanation, path)
    if as_json:
        typer.echo(json.dumps(json.loads(explanation.to_json()), indent=2, ensure_ascii=False))
        return
    typer.echo(f"{explanation.target}: {explanation.score:.4g}")
    for name, value in explanation.get_modality_values().items():
        typer.echo(f"{value:10.4g}  {name}")


def _check_out(path):
    if path.suffix in (HTML, JSON):
        if not path.absolute().parent.is_dir():
            raise ValueError(f"`--out` must be in an existing folder. Received: {path}")
        return
    from keras_mmfusion.explain.figures.figure_files import check_figure_path

    check_figure_path(path)


def _write(explanation, path):
    from keras_mmfusion.files.atomic_files import replace_file

    if path.suffix not in (HTML, JSON):
        explanation.plot(path)
        return
    content = explanation.to_html() if path.suffix == HTML else explanation.to_json()
    with replace_file(path) as scratch:
        scratch.write_text(content, encoding="utf-8")
