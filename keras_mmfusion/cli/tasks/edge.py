"""Captioners on devices."""

import enum
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli import options
from keras_mmfusion.cli.model_files import check_model, load_captioner
from keras_mmfusion.cli.tasks.captioner import PRESET


class EdgeFormat(enum.StrEnum):
    """File formats that device runtimes load."""

    LITERT = "litert"
    ONNX = "onnx"


def export(
    out: Annotated[pathlib.Path, typer.Option(help="Folder to create.")],
    preset: options.Preset = PRESET,
    edge_format: Annotated[
        EdgeFormat, typer.Option("--format", help="LiteRT (.tflite files) or ONNX.")
    ] = EdgeFormat.LITERT,
):
    """Export a captioner's encoder and decoder step for devices.

    Prints the folder.

    Example:
      mmfusion export edge --out captioner_litert --format litert
    """
    from keras_mmfusion.models.captioning.export.edge_target import check_edge_target

    check_edge_target(out, edge_format.value)
    check_model(preset)

    from keras_mmfusion.models import export_edge_captioner

    model = load_captioner(preset)
    typer.echo(export_edge_captioner(model, out, edge_format.value))
