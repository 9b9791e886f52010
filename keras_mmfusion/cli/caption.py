"""`mmfusion caption`: a sentence for each photo."""

import itertools
import json
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli.quiet_import import import_keras
from keras_mmfusion.models.captioning.decoding.decoding_arguments import MAX_BEAMS

BATCH_SIZE = 32


def caption(
    photos: Annotated[list[str], typer.Argument(metavar="PHOTO...", help="Image files.")],
    preset: Annotated[
        str, typer.Option(help="A preset's name, a preset folder, or an hf:// handle.")
    ] = "captioner_flickr8k_lite0",
    beams: Annotated[
        int, typer.Option(min=1, max=MAX_BEAMS, help="Width of the search; 1 is greedy.")
    ] = 4,
    explain: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="OUT.png",
            help="Draw where the model looked for each word; of several photos OUT-1.png, ...",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: captions, scores, words.")
    ] = False,
):
    """Caption photos.

    A file that is no image is reported and skipped, and the exit status is then 1.
    """
    draw = _picture_writer(explain, len(photos)) if explain else None
    results = []
    for result in _results(photos, preset, beams, details=as_json or draw is not None, draw=draw):
        results.append(result)
        if "error" in result:
            typer.echo(f"mmfusion: {result['error']}", err=True)
        elif not as_json:
            name = f"{result['image']}: " if len(photos) > 1 else ""
            typer.echo(name + result["caption"])
    if as_json:
        typer.echo(json.dumps(results, indent=2, ensure_ascii=False))
    if any("error" in result for result in results):
        raise typer.Exit(1)


def _results(photos, preset, beams, details, draw):
    """Yields a dict of each photo's caption, or of the error that is in its way."""
    from keras_mmfusion.datasets.images.read_image import read_image

    model = None
    remaining = iter(enumerate(photos, start=1))
    while chunk := list(itertools.islice(remaining, BATCH_SIZE)):
        images, errors = {}, {}
        for number, photo in chunk:
            try:
                images[number] = read_image(photo)
            except (ValueError, OSError) as error:
                errors[number] = " ".join(str(error).split())
        if images and model is None:  # Not before: a mistyped name is told at once.
            from keras_mmfusion.zoo import captioner, resolve_preset

            resolve_preset(preset)  # So is a mistyped preset.
            import_keras()
            model = captioner(preset)
        captions = {}
        if images:
            made = model.generate(list(images.values()), beams=beams, details=details)
            captions = dict(zip(images, made, strict=True))
        for number, photo in chunk:
            if number in errors:
                yield {"image": photo, "error": errors[number]}
                continue
            result = {"image": photo, **_facts(captions[number])}
            if draw is not None:
                result["picture"] = draw(model, images[number], captions[number], number)
            yield result


def _facts(made):
    if isinstance(made, str):
        return {"caption": made}
    return {
        "caption": made.text,
        "score": made.score,
        "tokens": made.tokens,
        "token_log_probs": made.token_log_probs.tolist(),
    }


def _picture_writer(out, count):
    """A function that draws one photo's caption, and returns the path of the picture."""
    from keras_mmfusion.explain.attention_maps import plot_caption_attention
    from keras_mmfusion.explain.figure_files import check_picture_path

    check_picture_path(out)

    def draw(model, image, made, number):
        path = out.with_stem(f"{out.stem}-{number}") if count > 1 else out
        converter = model.preprocessor.image_converter
        plot_caption_attention(image, made, path, cropped=converter.crop_to_aspect_ratio)
        return str(path)

    return draw
