"""`mmfusion caption-dataset`: captions by the million, on Apache Beam."""

import enum
import itertools
import json
import logging
import pathlib
from typing import Annotated

import typer

from keras_mmfusion._extras import require_extra
from keras_mmfusion.cli.export import export_preset
from keras_mmfusion.cli.interruption import says_how_to_resume
from keras_mmfusion.cli.quiet_import import import_keras
from keras_mmfusion.models.captioning.decoding.decoding_arguments import MAX_BEAMS


class Format(enum.StrEnum):
    """What the captions are written as."""

    JSONL = "jsonl"
    TFRECORDS = "tfrecords"


def caption_dataset(
    context: typer.Context,
    images: Annotated[
        str,
        typer.Option(
            "--input", help="Pattern of image files or of TFRecords, for Beam's file systems."
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder for the captions.")],
    model: Annotated[
        str | None,
        typer.Option(help="An exported captioner's version, such as served/captioner/1."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="What is exported to OUT/model, without --model.")
    ] = "captioner_flickr8k_lite0",
    beams: Annotated[
        int, typer.Option(min=1, max=MAX_BEAMS, help="Width of the preset's search; 1 is greedy.")
    ] = 4,
    images_per_shard: Annotated[
        int, typer.Option(min=1, help="Image files that are written together.")
    ] = 1000,
    output_format: Annotated[
        Format, typer.Option("--format", help="What the captions are written as.")
    ] = Format.JSONL,
):
    """Caption a data set of any size, each image once.

    What was killed goes on with the same command. All other flags go to Apache Beam, such as
    --runner DirectRunner, or --runner FlinkRunner --flink_master HOST:PORT.
    """
    require_extra("beam", "Captioning in bulk", "apache_beam")
    _check_flags(context.args)
    if model is None:
        _check_export(preset, out)
    typer.echo("mmfusion: loading Apache Beam and TensorFlow", err=True)
    with says_how_to_resume("the same command goes on with the shards that are left"):
        logging.disable(
            logging.WARNING
        )  # Beam warns of Google's packages, which it can do without.
        import apache_beam  # noqa: F401

        logging.disable(logging.NOTSET)
        import_keras()
        from keras_mmfusion.serving import caption_in_bulk

        model = model or _exported(preset, out, beams)
        typer.echo(f"mmfusion: looking for {images}", err=True)
        written = caption_in_bulk(
            images, out, model, context.args, images_per_shard, output_format.value
        )
    typer.echo(json.dumps(written))


def _check_flags(arguments):
    """Raises an error if an argument is no flag and no value of a flag."""
    strays = [
        argument
        for before, argument in itertools.pairwise(["", *arguments])
        if argument[:1] != "-" and (before[:1] != "-" or "=" in before)
    ]
    if strays:
        raise ValueError(
            "`--input` takes one pattern. Put it in quotes, such as 'photos/*.jpg', lest the shell "
            f"replace it by the files that match. Received besides: {', '.join(strays[:3])}"
            f"{', ...' if len(strays) > 3 else ''}"
        )


def _check_export(preset, out):
    """Raises an error if a preset cannot be exported to `out`, before imports that take long."""
    from keras_mmfusion.models.export.export_target import check_export_target
    from keras_mmfusion.zoo.presets import resolve_preset

    if "://" in out:
        raise ValueError(
            "A preset is exported to a folder of this machine only: give `--model`, a captioner "
            f"that `mmfusion export captioner` wrote, where every worker finds it. "
            f"Received: --out {out}"
        )
    check_export_target(out)
    resolve_preset(preset)


def _exported(preset, out, beams):
    """The preset as a SavedModel in `out`, from an earlier run if there was one."""
    from keras_mmfusion.files.json_files import read_json
    from keras_mmfusion.models.export.saved_model_folder import MANIFEST
    from keras_mmfusion.models.runs.run_record import list_changes
    from keras_mmfusion.zoo.presets import get_fingerprint

    version = pathlib.Path(out) / "model" / "1"
    if not version.exists():
        typer.echo(f"mmfusion: exporting {preset} to {version}", err=True)
        return export_preset(preset, version.parent, beams)
    manifest = read_json(version / MANIFEST)
    # What a program exported says of no preset.
    found = {"preset": manifest.get("preset_hash"), "beams": manifest["decoding"]["beams"]}
    changes = list_changes(found, {"preset": get_fingerprint(preset), "beams": beams})
    if changes:
        raise ValueError(
            f"{str(version)!r} is of another preset or other beams: {'; '.join(changes)}. Choose "
            f"another `--out`. Received: --preset {preset}, --beams {beams}"
        )
    return version
