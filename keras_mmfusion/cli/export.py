"""`mmfusion export`: presets as SavedModels, for TensorFlow Serving, or for devices."""

import enum
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli.quiet_import import import_keras
from keras_mmfusion.models.captioning.decoding.decoding_arguments import MAX_BEAMS

app = typer.Typer(no_args_is_help=True, help="Write presets to be served.")


class Dtype(enum.StrEnum):
    """In what a captioner computes or, `int8`, what its weights are stored in."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class EdgeFormat(enum.StrEnum):
    """What a device runs."""

    LITERT = "litert"
    ONNX = "onnx"


@app.callback()
def export():
    """Write presets as SavedModels, for TensorFlow Serving, or for devices."""


@app.command()
def captioner(
    out: Annotated[
        pathlib.Path, typer.Option(help="Folder of the model; the version goes into a subfolder.")
    ],
    preset: Annotated[
        str, typer.Option(help="A preset's name, a preset folder, or an hf:// handle.")
    ] = "captioner_flickr8k_lite0",
    beams: Annotated[
        int, typer.Option(min=1, max=MAX_BEAMS, help="Width of the search; 1 is greedy.")
    ] = 4,
    length_penalty: Annotated[
        float, typer.Option(min=-2, max=10, help="Power of the length that scores are divided by.")
    ] = 0.7,
    dtype: Annotated[
        Dtype,
        typer.Option(help="What it computes in; int8: float32, from weights stored as int8."),
    ] = Dtype.FLOAT32,
):
    """Write the next version of a captioner that takes raw image files.

    Prints the folder of the version: the first is `1`, and none is ever overwritten.
    """
    typer.echo(export_preset(preset, out, beams, length_penalty, dtype))


@app.command()
def edge(
    out: Annotated[pathlib.Path, typer.Option(help="Folder to make.")],
    preset: Annotated[
        str, typer.Option(help="A preset's name, a preset folder, or an hf:// handle.")
    ] = "captioner_flickr8k_lite0",
    edge_format: Annotated[
        EdgeFormat, typer.Option("--format", help="LiteRT's .tflite files, or ONNX.")
    ] = EdgeFormat.LITERT,
):
    """Write a captioner's image encoder and a step of its decoder, for devices.

    Prints the folder.
    """
    from keras_mmfusion.models.captioning.export.edge_target import check_edge_target
    from keras_mmfusion.zoo.presets import resolve_preset

    # What can be wrong is told before TensorFlow is imported.
    check_edge_target(out, edge_format.value)
    resolve_preset(preset)
    import_keras()
    from keras_mmfusion.models import export_edge_captioner
    from keras_mmfusion.zoo import captioner as load_captioner

    typer.echo(export_edge_captioner(load_captioner(preset), out, edge_format.value))


def export_preset(preset, out, beams, length_penalty=0.7, dtype=Dtype.FLOAT32):
    """Exports a captioner, with its preset in the manifest; returns the path of the version."""
    from keras_mmfusion.models.export.export_target import check_export_target
    from keras_mmfusion.zoo.presets import get_fingerprint, resolve_preset

    # What can be wrong is told before TensorFlow is imported.
    check_export_target(out)
    resolve_preset(preset)
    import_keras()
    from keras_mmfusion.zoo import captioner as load_captioner

    is_folder = pathlib.Path(preset).is_dir()
    manifest = {
        "preset": pathlib.Path(preset).resolve().name if is_folder else preset,
        "preset_hash": get_fingerprint(preset),
    }
    computes_in = {"dtype": f"mixed_{dtype}"} if dtype in (Dtype.FLOAT16, Dtype.BFLOAT16) else {}
    return load_captioner(preset, **computes_in).export(
        out,
        beams=beams,
        length_penalty=length_penalty,
        int8_weights=dtype is Dtype.INT8,
        manifest=manifest,
    )
