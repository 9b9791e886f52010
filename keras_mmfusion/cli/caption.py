"""`mmfusion caption`: a caption for each image."""

import itertools
import json
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli import options
from keras_mmfusion.cli.exit_codes import SOME_FAILED
from keras_mmfusion.cli.model_files import check_model, load_captioner

BATCH_SIZE = 32


def caption(
    photos: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Image files.")],
    preset: options.Preset = "captioner_flickr8k_lite0",
    beams: options.Beams = 4,
    prompt: options.Prompt = None,
    explain: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="OUT.png",
            help="Plot the attention of each word to this file; to OUT-1.png, OUT-2.png, ... for "
            "several images.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: captions, scores, tokens.")
    ] = False,
):
    """Caption images.

    Files that are not images are reported and skipped; the exit status is then 1.

    Example:
      mmfusion caption photo.jpg --beams 4
    """
    plot = _make_plotter(explain, len(photos)) if explain else None
    results = []
    for result in _caption_all(
        photos, preset, beams, prompt, details=as_json or plot is not None, plot=plot
    ):
        results.append(result)
        if "error" in result:
            typer.echo(f"mmfusion: {result['error']}", err=True)
        elif not as_json:
            name = f"{result['image']}: " if len(photos) > 1 else ""
            typer.echo(name + result["caption"])
    if as_json:
        typer.echo(json.dumps(results, indent=2, ensure_ascii=False))
    if any("error" in result for result in results):
        raise typer.Exit(SOME_FAILED)


def _caption_all(photos, preset, beams, prompt, details, plot):
    """Yields a dict for each image: its caption, or the error that prevented it."""
    from keras_mmfusion.datasets.images.read_image import read_image

    model, drop_alpha = None, False
    remaining = iter(enumerate(photos, start=1))
    while chunk := list(itertools.islice(remaining, BATCH_SIZE)):
        images, errors = {}, {}
        for number, photo in chunk:
            try:
                images[number] = read_image(photo, drop_alpha=drop_alpha)
            except (ValueError, OSError) as error:
                errors[number] = " ".join(str(error).split())
        if images and model is None:  # Wrong file names are reported before Keras is imported.
            check_model(preset)
            model = load_captioner(preset)
            drop_alpha = _drops_alpha(model)
            if drop_alpha:
                images = {
                    n: read_image(photo, drop_alpha=True) for n, photo in chunk if n in images
                }
        captions = {}
        if images:
            generated = model.generate(list(images.values()), prompt, beams=beams, details=details)
            captions = dict(zip(images, generated, strict=True))
        for number, photo in chunk:
            if number in errors:
                yield {"image": photo, "error": errors[number]}
                continue
            result = {"image": photo, **_describe_caption(captions[number])}
            if plot is not None:
                result["figure"] = plot(model, images[number], captions[number], number)
            yield result


def _drops_alpha(model):
    from keras_mmfusion.datasets.images.transparency import drops_alpha

    return drops_alpha(model.preprocessor)


def _describe_caption(generated):
    if isinstance(generated, str):
        return {"caption": generated}
    return {
        "caption": generated.text,
        "score": generated.score,
        "tokens": generated.tokens,
        "token_log_probs": generated.token_log_probs.tolist(),
    }


def _make_plotter(out, count):
    """Returns a function that plots one image's caption and returns the path of the figure."""
    from keras_mmfusion.explain.figures.caption_attention import (
        crops_images,
        plot_caption_attention,
    )
    from keras_mmfusion.explain.figures.figure_files import check_figure_path

    check_figure_path(out)

    def plot(model, image, generated, number):
        path = out.with_stem(f"{out.stem}-{number}") if count > 1 else out
        plot_caption_attention(image, generated, path, crops_images(model.preprocessor))
        return str(path)

    return plot
