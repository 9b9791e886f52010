"""`mmfusion search`: the photos of a folder that are nearest to a sentence."""

import itertools
import json
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli.interruption import says_how_to_resume
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

    The photos' vectors are kept in the cache, so that the next search reads only photos that are
    new or have changed. A file that is no image is reported and skipped, and the exit status is
    then 1.
    """
    photos = photo_files(folder)
    from keras_mmfusion.zoo import embedder, resolve_preset
    from keras_mmfusion.zoo.presets import get_fingerprint

    resolve_preset(preset)  # A mistyped name is told at once.
    index = _index(folder, get_fingerprint(preset))
    with says_how_to_resume("the index keeps what is done; the same command goes on from there"):
        import_keras()
        model = embedder(preset)
        vectors, errors = _embedded(model, photos, index)
    for error in errors.values():
        typer.echo(f"mmfusion: {error}", err=True)
    photos = [photo for photo in photos if photo not in errors]
    results = []
    if photos:
        places, cosines = model.retrieve({"text": sentences}, vectors, k=count)
        for sentence, *found in zip(sentences, places, cosines, strict=True):
            nearest = [
                {"image": photos[place], "cosine": round(float(cosine), 4)}
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


def _index(folder, fingerprint):
    """The folder's index, or `None` where nothing tells the files of the preset."""
    from keras_mmfusion.cli.photo_index import PhotoIndex
    from keras_mmfusion.models.runs.run_record import describe_code

    (code,) = describe_code("retrieval").values()
    return fingerprint and PhotoIndex(folder, f"{fingerprint} {code}")


def _embedded(model, photos, index):
    """The vectors of those photos that can be read, and what is wrong with the others."""
    import numpy as np

    known, hashes, errors = (index.vectors if index else {}), {}, {}
    new = {}  # hash -> photo; photos of one content are read once.
    with _progress() as progress:
        for photo in progress.track(photos, description="Photos"):
            try:
                hashes[photo] = index.hash_of(photo) if index else photo
            except OSError as error:
                errors[photo] = f"{photo}: {error.strerror}"
                continue
            if hashes[photo] not in known:
                new.setdefault(hashes[photo], photo)
        old = sum(key in known for key in hashes.values())
        try:
            failures = _embed(model, new, known, progress, f"New photos ({old} in the index)")
        finally:  # What is done stays done, on Ctrl-C too.
            if index:
                _save(index, photos)
    if new:
        typer.echo(f"{len(new) - len(failures)} photos embedded, {old} from the index", err=True)
    errors |= {photo: failures[key] for photo, key in hashes.items() if key in failures}
    found = [known[key] for photo, key in hashes.items() if photo not in errors]
    return np.stack(found) if found else None, errors


def _progress():
    """Bars with counts, on a terminal or in a notebook."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = console.is_terminal or console.is_jupyter
    return Progress(*columns, console=console, transient=True, disable=not shown)


def _embed(model, new, known, progress, description):
    """Adds the vectors of new photos, by their hashes, and returns what is wrong with some."""
    from keras_mmfusion.datasets.images.read_image import read_image

    errors, remaining = {}, iter(new.items())
    task = progress.add_task(description, total=len(new))
    while chunk := list(itertools.islice(remaining, BATCH_SIZE)):
        images = {}
        for key, photo in chunk:
            try:
                images[key] = read_image(photo)
            except (ValueError, OSError) as error:
                errors[key] = " ".join(str(error).split())
        if images:
            vectors = model.embed("image", list(images.values()), BATCH_SIZE)
            known.update(zip(images, vectors, strict=True))
        progress.advance(task, len(chunk))
    return errors


def _save(index, photos):
    try:
        index.save(photos)
    except OSError as error:
        typer.echo(f"mmfusion: the index was not kept: {error}", err=True)


def _print(results):
    for number, result in enumerate(results):
        if len(results) > 1:
            typer.echo("\n" * bool(number) + result["sentence"])
        for nearest in result["photos"]:
            typer.echo(f"{nearest['cosine']:.3f}  {nearest['image']}")
