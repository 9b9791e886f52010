"""`mmfusion caption-dataset`: captions of large image collections, on Apache Beam."""

import enum
import itertools
import json
import logging
import pathlib
from typing import Annotated

import typer

from keras_mmfusion._extras import require_extra
from keras_mmfusion._progress import inform
from keras_mmfusion.cli import options
from keras_mmfusion.cli.interruption import explain_interruption
from keras_mmfusion.cli.model_files import check_export
from keras_mmfusion.cli.tasks.captioner import PRESET, export_preset


class Format(enum.StrEnum):
    """File formats of the captions."""

    JSONL = "jsonl"
    TFRECORDS = "tfrecords"


def caption_dataset(
    context: typer.Context,
    images: Annotated[
        str,
        typer.Option(
            "--input",
            help="Quoted pattern of image files or TFRecords, on any file system that Beam reads.",
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder for the captions.")],
    saved_model: Annotated[
        str | None,
        typer.Option(help="Version of an exported captioner, such as served/captioner/1."),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(help="Without --saved-model: the captioner that is exported to OUT/model."),
    ] = PRESET,
    beams: options.Beams = 4,
    images_per_shard: Annotated[int, typer.Option(min=1, help="Images per output file.")] = 1000,
    output_format: Annotated[
        Format, typer.Option("--format", help="Format of the captions.")
    ] = Format.JSONL,
):
    """Caption a large image collection on Apache Beam.

    Each image is captioned once; the same command resumes an interrupted run. All other options go
    to Beam, such as --runner DirectRunner, or --runner FlinkRunner --flink_master HOST:PORT.

    Example:
      mmfusion caption-dataset --input "photos/**/*.jpg" --out captions --runner DirectRunner
    """
    require_extra("beam", "Captioning in bulk", "apache_beam")
    _check_beam_options(context.args)
    if saved_model is None:
        _check_local_export(preset, out)
    inform("mmfusion: loading Apache Beam and TensorFlow")
    with explain_interruption("the same command resumes with the remaining shards"):
        _import_beam()
        from keras_mmfusion.serving import caption_in_bulk

        saved_model = saved_model or _export_once(preset, out, beams)
        inform(f"mmfusion: listing {images}")
        counts = caption_in_bulk(
            images, out, saved_model, context.args, images_per_shard, output_format.value
        )
    typer.echo(json.dumps(counts))


def _import_beam():
    """Imports Beam without its warnings about optional Google packages."""
    logging.disable(logging.WARNING)
    import apache_beam  # noqa: F401

    logging.disable(logging.NOTSET)


def _check_beam_options(arguments):
    """Raises an error if an argument is neither an option nor the value of one."""
    strays = [
        argument
        for before, argument in itertools.pairwise(["", *arguments])
        if argument[:1] != "-" and (before[:1] != "-" or "=" in before)
    ]
    if strays:
        raise ValueError(
            "`--input` takes one pattern. Quote it, such as 'photos/*.jpg', so that the shell does "
            f"not replace it by the matching files. Received also: {', '.join(strays[:3])}"
            f"{', ...' if len(strays) > 3 else ''}"
        )


def _check_local_export(preset, out):
    """Raises an error if a preset cannot be exported to `out`, before slow imports."""
    if "://" in out:
        raise ValueError(
            "Presets can only be exported to a local folder: give `--saved-model`, a captioner "
            "written by `mmfusion export captioner` to where every worker can read it. "
            f"Received: --out {out}"
        )
    check_export(preset, out)


def _export_once(preset, out, beams):
    """Returns the preset as a SavedModel in `out`, reusing that of an earlier run."""
    from keras_mmfusion.cli.model_files import describe_model
    from keras_mmfusion.files.json_files import read_json
    from keras_mmfusion.models.export.saved_model_folder import MANIFEST
    from keras_mmfusion.models.runs.run_record import list_changes

    version = pathlib.Path(out) / "model" / "1"
    if not version.exists():
        inform(f"mmfusion: exporting {preset} to {version}")
        return export_preset(preset, version.parent, beams)
    manifest = read_json(version / MANIFEST)
    # The manifest of a model that was exported in Python has no preset.
    exported = {"preset": _identify(manifest), "beams": manifest["decoding"]["beams"]}
    requested = {"preset": _identify(describe_model(preset)), "beams": beams}
    changes = list_changes(exported, requested)
    if changes:
        raise ValueError(
            f"{str(version)!r} was exported from another preset or with other beams: "
            f"{'; '.join(changes)}. Choose another `--out`. Received: --preset {preset}, "
            f"--beams {beams}"
        )
    return version


def _identify(description):
    """Returns the hash of a preset, or the handle of one whose files are on a hub."""
    return description.get("preset_hash") or description.get("preset")
