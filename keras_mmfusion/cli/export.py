"""`mmfusion export`: presets as SavedModels, for TensorFlow Serving."""

import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli.quiet_import import import_keras

app = typer.Typer(no_args_is_help=True, help="Write presets as SavedModels.")


@app.callback()
def export():
    """Write presets as SavedModels, for TensorFlow Serving."""


@app.command()
def captioner(
    out: Annotated[
        pathlib.Path, typer.Option(help="Folder of the model; the version goes into a subfolder.")
    ],
    preset: Annotated[
        str, typer.Option(help="A preset's name, a preset folder, or an hf:// handle.")
    ] = "captioner_flickr8k_lite0",
    beams: Annotated[int, typer.Option(min=1, help="Width of the search; 1 is greedy.")] = 4,
    length_penalty: Annotated[
        float, typer.Option(help="Power of the length that scores are divided by.")
    ] = 0.7,
):
    """Write the next version of a captioner that takes raw image files.

    Prints the folder of the version: the first is `1`, and none is ever overwritten.
    """
    from keras_mmfusion.zoo.presets import preset_fingerprint, resolve_preset

    resolve_preset(preset)  # A mistyped preset is told before TensorFlow is imported.
    import_keras()
    from keras_mmfusion.zoo import captioner as load_captioner

    is_folder = pathlib.Path(preset).is_dir()
    manifest = {
        "preset": pathlib.Path(preset).resolve().name if is_folder else preset,
        "preset_hash": preset_fingerprint(preset),
    }
    version = load_captioner(preset).export(
        out, beams=beams, length_penalty=length_penalty, manifest=manifest
    )
    typer.echo(version)
