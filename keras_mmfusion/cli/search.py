"""`mmfusion search`: the images of a folder that match a sentence best."""

import itertools
import json
import pathlib
from typing import Annotated

import typer

from keras_mmfusion._progress import inform, progress_bars
from keras_mmfusion.cli import options
from keras_mmfusion.cli.exit_codes import SOME_FAILED
from keras_mmfusion.cli.interruption import explain_interruption
from keras_mmfusion.cli.model_files import check_model, describe_model, load_model

BATCH_SIZE = 32
ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def search(
    folder: Annotated[
        pathlib.Path, typer.Argument(help="Folder of images, searched with its subfolders.")
    ],
    sentences: Annotated[
        list[str], typer.Argument(metavar="SENTENCE...", help="Descriptions to search for.")
    ],
    preset: options.Preset = "image_text_flickr8k",
    count: Annotated[int, typer.Option(min=1, help="Number of images per sentence.")] = 5,
    rerank: options.Rerank = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: sentences, images, cosines.")
    ] = False,
):
    """Search a folder of images by sentences.

    The best matches are printed with their cosines. Embeddings are cached, so that the next search
    embeds only new and changed images. Files that are not images are reported and skipped; the exit
    status is then 1.

    With --rerank, the score is the logit of a match plus the cosine, and JSON contains both.

    Example:
      mmfusion search photos "two dogs run through water" --count 3
    """
    if rerank is not None and rerank < count:
        raise ValueError(f"`--rerank` must be at least --count, {count}. Received: {rerank}")
    photos = list_images(folder)
    check_model(preset)
    index = _open_index(folder, describe_model(preset)["preset_hash"])
    with explain_interruption("the same command resumes with the remaining images"):
        from keras_mmfusion.models import ContrastiveModel

        model = load_model(preset, ContrastiveModel)
        options.check_rerank(model, rerank)
        vectors, errors = _embed_all(model, photos, index)
    for error in errors.values():
        typer.echo(f"mmfusion: {error}", err=True)
    photos = [photo for photo in photos if photo not in errors]
    results = []
    if photos:
        results = _find_nearest(model, sentences, photos, vectors, count, rerank)
    if as_json:
        typer.echo(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        _print(results)
    if errors:
        raise typer.Exit(SOME_FAILED)


def list_images(folder):
    """Lists the image files of a folder and its subfolders by their suffixes.

    Args:
        folder: path.

    Returns:
        A sorted list of strings.

    Raises:
        ValueError: if the folder does not exist or contains no image.
    """
    if not folder.is_dir():
        raise ValueError(f"`folder` must be a folder of images. Received: {folder}")
    paths = sorted(
        str(path) for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()
    )
    if not paths:
        raise ValueError(
            f"`folder` {folder} contains no file with the suffix {', '.join(sorted(ENDINGS))}."
        )
    return paths


def _find_nearest(model, sentences, photos, vectors, count, rerank):
    """Returns a dict for each sentence: the best images with their cosines and, if any, scores."""
    indices, cosines = model.retrieve({"text": sentences}, vectors, k=rerank or count)
    results = []
    for row, sentence in enumerate(sentences):
        found = dict(zip(indices[row].tolist(), cosines[row].tolist(), strict=True))
        images = {
            index: {"image": photos[index], "cosine": round(cosine, 4)}
            for index, cosine in found.items()
        }
        if rerank:
            ranked, scores = model.rerank(
                {"text": [sentence]}, {"image": photos}, indices[row : row + 1], [cosines[row]]
            )
            images = {
                index: {**images[index], "score": round(score, 4)}
                for index, score in zip(ranked[0].tolist(), scores[0].tolist(), strict=True)
            }
        results.append({"sentence": sentence, "photos": list(images.values())[:count]})
    return results


def _open_index(folder, fingerprint):
    """Returns the index of a folder, or `None` if the files of the preset have no fingerprint."""
    from keras_mmfusion.cli.photo_index import PhotoIndex
    from keras_mmfusion.models.runs.run_record import describe_code

    (code,) = describe_code("retrieval").values()
    return fingerprint and PhotoIndex(folder, f"{fingerprint} {code}")


def _embed_all(model, photos, index):
    """Returns the embeddings of all readable images, and the errors of the others by path."""
    import numpy as np

    known, hashes, errors = (index.vectors if index else {}), {}, {}
    new = {}  # hash -> path; images with the same content are read once.
    with progress_bars() as bars:
        for photo in bars.track(photos, description="Images"):
            try:
                hashes[photo] = index.read_hash(photo) if index else photo
            except OSError as error:
                errors[photo] = f"{photo}: {error.strerror}"
                continue
            if hashes[photo] not in known:
                new.setdefault(hashes[photo], photo)
        num_known = sum(key in known for key in hashes.values())
        try:
            failures = _embed_new(model, new, known, bars)
        finally:  # Keeps the finished embeddings also after Ctrl-C.
            if index:
                _save(index, photos)
    if new:
        inform(f"mmfusion: embedded {len(new) - len(failures)} images, {num_known} from the cache")
    errors |= {photo: failures[key] for photo, key in hashes.items() if key in failures}
    vectors = [known[key] for photo, key in hashes.items() if photo not in errors]
    return np.stack(vectors) if vectors else None, errors


def _embed_new(model, new, known, bars):
    """Adds the embeddings of new images, by hash, to `known`; returns the errors by hash."""
    from keras_mmfusion.datasets.images.read_image import read_image
    from keras_mmfusion.datasets.images.transparency import drops_alpha

    drop_alpha = drops_alpha(model.preprocessor)
    errors, remaining = {}, iter(new.items())
    task = bars.add_task("New images", total=len(new))
    while chunk := list(itertools.islice(remaining, BATCH_SIZE)):
        images = {}
        for key, photo in chunk:
            try:
                images[key] = read_image(photo, drop_alpha=drop_alpha)
            except (ValueError, OSError) as error:
                errors[key] = " ".join(str(error).split())
        if images:
            vectors = model.embed("image", list(images.values()), BATCH_SIZE)
            known.update(zip(images, vectors, strict=True))
        bars.advance(task, len(chunk))
    return errors


def _save(index, photos):
    try:
        index.save(photos)
    except OSError as error:
        inform(f"mmfusion: the embeddings could not be cached: {error}")


def _print(results):
    for number, result in enumerate(results):
        if len(results) > 1:
            typer.echo("\n" * bool(number) + result["sentence"])
        for nearest in result["photos"]:
            score = nearest.get("score", nearest["cosine"])
            typer.echo(f"{score:.3f}  {nearest['image']}")
