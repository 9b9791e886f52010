"""`mmfusion search`: the photos of a folder that are nearest to a sentence."""

import itertools
import json
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli.quiet_import import import_keras

BATCH_SIZE = 32
ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def search(
    folder: Annotated[
        pathlib.Path, typer.Argument(help="Folder of photos, searched with all its subfolders.")
    ],
    sentences: Annotated[
        list[str], typer.Argument(metavar="SENTENCE...", help="What the photos are to show.")
    ],
    preset: Annotated[
        str, typer.Option(help="A preset's name, a preset folder, or an hf:// handle.")
    ] = "image_text_flickr8k",
    count: Annotated[int, typer.Option(min=1, help="How many photos of each sentence.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: sentences, photos, cosines.")
    ] = False,
):
    """Search a folder of photos by sentences: the nearest photos, each with its cosine.

    A file that is no image is reported and skipped, and the exit status is then 1.
    """
    photos = photo_files(folder)
    from keras_mmfusion.zoo import embedder, resolve_preset

    resolve_preset(preset)  # A mistyped name is told at once.
    import_keras()
    model = embedder(preset)
    vectors, errors = _embedded(model, photos)
    for error in errors.values():
        typer.echo(f"mmfusion: {error}", err=True)
    photos = [photo for photo in photos if photo not in errors]
    results = []
    if photos:
        places, cosines = model.retrieve({"text": sentences}, vectors, k=count)
        for sentence, *found in zip(sentences, places, cosines, strict=True):
            nearest = [
                {"photo": photos[place], "cosine": round(float(cosine), 4)}
                for place, cosine in zip(*found, strict=True)
            ]
            results.append({"sentence": sentence, "photos": nearest})
    if as_json:
        typer.echo(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        _print(results)
    if errors:
        raise typer.Exit(1)


def photo_files(folder):
    """The photos of a folder and its subfolders, by their names' endings, as sorted strings.

    Args:
        folder: path.

    Returns:
        A list of strings.

    Raises:
        ValueError: if there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise ValueError(f"`folder` must be a folder of photos. Received: {folder}")
    found = sorted(
        str(path) for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()
    )
    if not found:
        raise ValueError(
            f"`folder` {folder} has no file whose name ends in {', '.join(sorted(ENDINGS))}."
        )
    return found


def _embedded(model, photos):
    """The vectors of those photos that can be read, and what is wrong with the others."""
    import numpy as np
    from rich.console import Console
    from rich.progress import track

    from keras_mmfusion.datasets.read_image import read_image

    vectors, errors = [], {}
    progress = track(photos, "Reading photos", console=Console(stderr=True), transient=True)
    while chunk := list(itertools.islice(progress, BATCH_SIZE)):
        images = []
        for photo in chunk:
            try:
                images.append(read_image(photo))
            except (ValueError, OSError) as error:
                errors[photo] = " ".join(str(error).split())
        if images:
            vectors.append(model.embed("image", images, BATCH_SIZE))
    return np.concatenate(vectors) if vectors else None, errors


def _print(results):
    for number, result in enumerate(results):
        if len(results) > 1:
            typer.echo("\n" * bool(number) + result["sentence"])
        for nearest in result["photos"]:
            typer.echo(f"{nearest['cosine']:.3f}  {nearest['photo']}")
