"""`mmfusion zoo`: lists, describes and downloads presets; verifies public checkpoints."""

import json
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli import options
from keras_mmfusion.cli.commands import add_command
from keras_mmfusion.cli.exit_codes import OUTPUTS_DIFFER
from keras_mmfusion.zoo.manifest import find_preset, load_manifest, to_json
from keras_mmfusion.zoo.presets import find_origins, get_preset_folder

Name = Annotated[str, typer.Argument(help="Preset name, as listed by `mmfusion zoo list`.")]


def list_presets(as_json: options.PrintJson = False):
    """List all presets and where each one is.

    Example:
      mmfusion zoo list
    """
    presets = load_manifest()
    origins = find_origins(presets.values())
    if as_json:
        described = [_describe(preset, origins[name]) for name, preset in presets.items()]
        print(json.dumps(described, indent=2))
        return
    from rich import filesize, table

    listing = table.Table(box=None, padding=(0, 2, 0, 0))
    for column in ("Preset", "Task", "Size", "License", "Where"):
        listing.add_column(column, overflow="fold", no_wrap=column == "Preset")
    for preset in presets.values():
        size = filesize.decimal(preset.size)
        listing.add_row(preset.name, preset.task, size, preset.license, origins[preset.name])
    _print(listing)


def show(name: Name, as_json: options.PrintJson = False):
    """Describe a preset: license, scores, files.

    Example:
      mmfusion zoo show captioner_flickr8k_lite0
    """
    preset = find_preset(name)
    origin = find_origins([preset])[name]
    if as_json:
        print(json.dumps(_describe(preset, origin), indent=2))
        return
    from rich import box, filesize, table, text

    card = table.Table(title=preset.name, title_justify="left", show_header=False, box=box.SIMPLE)
    card.add_column(no_wrap=True)
    card.add_column(overflow="fold")
    card.add_row("Task", preset.task)
    card.add_row("Description", text.Text(preset.description))
    card.add_row("License", preset.license)
    card.add_row("Credit", text.Text(preset.credit))
    card.add_row("Size", filesize.decimal(preset.size))
    card.add_row("Where", origin)
    card.add_row("Fingerprint", preset.fingerprint)
    for metric, score in preset.scores.items():
        card.add_row(metric, f"{score:.4g}")
    for key, value in preset.protocol.items():
        card.add_row(key, text.Text(value if isinstance(value, str) else json.dumps(value)))
    files = table.Table("File", "Bytes", "SHA-256", box=box.SIMPLE)
    for file in preset.files:
        files.add_row(file.path, f"{file.size:,}", file.sha256[:16])
    _print(card, files)


def pull(name: Name, as_json: options.PrintJson = False):
    """Download a preset and print its folder.

    A preset that is already present is only verified.

    Example:
      mmfusion zoo pull captioner_flickr8k_lite0
    """
    folder = get_preset_folder(name)
    print(json.dumps({"name": name, "folder": str(folder)}) if as_json else folder)


def verify(
    handle: Annotated[
        str, typer.Argument(help="Checkpoint, hf://owner/name or hf://owner/name@revision.")
    ],
    image: Annotated[
        pathlib.Path | None,
        typer.Option(help="The photo of the published outputs. Default: it is downloaded."),
    ] = None,
    as_json: options.PrintJson = False,
):
    """Compare the outputs of a public checkpoint with the published ones.

    The checkpoint is downloaded from the Hugging Face Hub, unless it is in its cache. The exit
    status is 1 if an output differs.

    Example:
      mmfusion zoo verify hf://Salesforce/blip-image-captioning-base
    """
    from keras_mmfusion.zoo.factories import load_preset
    from keras_mmfusion.zoo.reference_checks import check_references, find_references

    references = find_references(handle)  # Before the download, and before Keras is imported.
    checks = check_references(load_preset(handle), references, image)
    if as_json:
        print(json.dumps([_describe_check(check) for check in checks], indent=2))
    else:
        for check in checks:
            described = _describe_check(check)
            texts = f" {', '.join(map(repr, described['texts']))}" if described["texts"] else ""
            result = "equal" if check.is_equal else "DIFFERENT"
            typer.echo(f"{described['output']}{texts}: {result}")
            typer.echo(f"  expected {described['expected']}")
            typer.echo(f"  actual   {described['actual']}")
    if not all(check.is_equal for check in checks):
        raise typer.Exit(OUTPUTS_DIFFER)


def _describe_check(check):
    reference = check.reference
    expected, actual = reference.expected, check.actual
    if not isinstance(expected, str):
        expected, actual = list(expected), list(actual)
    return {
        "output": reference.kind,
        "texts": list(reference.texts),
        "expected": expected,
        "actual": actual,
        "equal": check.is_equal,
    }


def _describe(preset, origin):
    return {
        "name": preset.name,
        **to_json(preset),
        "size": preset.size,
        "fingerprint": preset.fingerprint,
        "origin": origin,
    }


def _print(*renderables):
    from rich import console

    console.Console().print(*renderables)


app = typer.Typer(
    no_args_is_help=True, help="List, describe and download presets; verify checkpoints."
)
add_command(app, list_presets, "list")
add_command(app, show)
add_command(app, pull)
add_command(app, verify)
