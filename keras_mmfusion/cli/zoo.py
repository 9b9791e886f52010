"""`mmfusion zoo`: what presets there are, and fetching them."""

import json
from typing import Annotated

import typer

from keras_mmfusion.zoo.manifest import find_preset, load_manifest, to_json
from keras_mmfusion.zoo.presets import find_origins, get_preset_folder

app = typer.Typer(no_args_is_help=True, help="List, describe and download pretrained presets.")

Name = Annotated[str, typer.Argument(help="A preset's name, as `mmfusion zoo list` gives it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


@app.command("list")
def list_presets(as_json: Json = False):
    """List the presets, and where each one is."""
    presets = load_manifest()
    origins = find_origins(presets.values())
    if as_json:
        facts = [_facts(preset, origins[name]) for name, preset in presets.items()]
        print(json.dumps(facts, indent=2))
        return
    from rich import filesize, table

    listing = table.Table(box=None, padding=(0, 2, 0, 0))
    for column in ("Preset", "Task", "Size", "License", "Where"):
        listing.add_column(column, overflow="fold", no_wrap=column == "Preset")
    for preset in presets.values():
        size = filesize.decimal(preset.size)
        listing.add_row(preset.name, preset.task, size, preset.license, origins[preset.name])
    _print(listing)


@app.command()
def show(name: Name, as_json: Json = False):
    """Describe one preset: its terms, its scores, its files."""
    preset = find_preset(name)
    origin = find_origins([preset])[name]
    if as_json:
        print(json.dumps(_facts(preset, origin), indent=2))
        return
    from rich import box, filesize, table, text

    facts = table.Table(title=preset.name, title_justify="left", show_header=False, box=box.SIMPLE)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("Task", preset.task)
    facts.add_row("Description", text.Text(preset.description))
    facts.add_row("License", preset.license)
    facts.add_row("Credit", text.Text(preset.credit))
    facts.add_row("Size", filesize.decimal(preset.size))
    facts.add_row("Where", origin)
    facts.add_row("Fingerprint", preset.fingerprint)
    for metric, score in preset.scores.items():
        facts.add_row(metric, f"{score:.4g}")
    for key, value in preset.protocol.items():
        facts.add_row(key, text.Text(value if isinstance(value, str) else json.dumps(value)))
    files = table.Table("File", "Bytes", "SHA-256", box=box.SIMPLE)
    for file in preset.files:
        files.add_row(file.path, f"{file.size:,}", file.sha256[:16])
    _print(facts, files)


@app.command()
def pull(name: Name, as_json: Json = False):
    """Fetch one preset if need be, check every file, and print its folder."""
    folder = get_preset_folder(name)
    print(json.dumps({"name": name, "folder": str(folder)}) if as_json else folder)


def _facts(preset, origin):
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
