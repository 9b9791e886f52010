"""Writes presets into the package's manifest: files, sizes, hashes, terms and scores.

    python zoo/publish.py efficientnet_lite0_imagenet captioner_flickr8k_lite0

The files of a preset are in `keras_mmfusion/zoo/presets/<name>/` if it is part of the package, else
in `zoo/<name>/`. `zoo/<name>/card.json` has `task`, `description`, `license`, `credit` and, unless
all metrics belong in the manifest, their names in `scores`. `zoo/<name>/results.json` is written by
`mmfusion evaluate --json` or by the script that trained the preset. A preset without a model card
gets a draft of one from `zoo/model_card.md`.
"""

import argparse
import json
from pathlib import Path

from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.zoo.manifest import (
    CONFIG_FILES,
    MANIFEST_PATH,
    Preset,
    list_preset_files,
    load_manifest,
    to_json,
)

ZOO = Path(__file__).resolve().parent
# The entries of a protocol that are needed to read a score.
PROTOCOL = ("data", "split", "selection", "limit", "decoding", "seeds")


def read_preset(name, zoo=ZOO, embedded=MANIFEST_PATH.parent / "presets"):
    """Reads the manifest entry of a preset from its folder.

    Args:
        name: string. The folder's name.
        zoo: path of the folder that holds `<name>/card.json` and `<name>/results.json`.
        embedded: path of the folder with the presets of the package.

    Returns:
        A `keras_mmfusion.zoo.manifest.Preset`.

    Raises:
        ValueError: if the card is missing or incomplete, or if there are no preset files.
    """
    card = _read_card(zoo / name)
    published = card.pop("scores", None)
    results_path = zoo / name / "results.json"
    results = {"metrics": {}, "protocol": {}}
    if results_path.is_file():
        results = json.loads(results_path.read_text(encoding="utf-8"))
    metrics, protocol = results["metrics"], results["protocol"]
    folder = embedded / name if (embedded / name).is_dir() else zoo / name
    files = list_preset_files(folder)
    if not any(file.path in CONFIG_FILES for file in files):
        raise ValueError(f"{folder} is not a preset folder: it has no {' or '.join(CONFIG_FILES)}.")
    try:
        return Preset(
            name=name,
            files=files,
            scores={key: metrics[key] for key in (metrics if published is None else published)},
            protocol={key: protocol[key] for key in PROTOCOL if key in protocol},
            **card,
        )
    except TypeError as error:
        raise ValueError(
            f"card.json of {name!r} has missing or unknown entries: {error}"
        ) from error


def _read_card(folder):
    path = folder / "card.json"
    if not path.is_file():
        raise ValueError(
            f"Preset {folder.name!r} has no card: write {path} with `task`, `description`, "
            "`license` and `credit`."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def draft_model_card(name, zoo=ZOO, template=ZOO / "model_card.md"):
    """Writes a draft of the model card `zoo/<name>/README.md`, unless there is a card.

    Args:
        name, zoo: see `read_preset`.
        template: path of a text with `{name}` and the entries of `card.json` in braces.
    """
    path = zoo / name / "README.md"
    if not path.exists():
        text = template.read_text(encoding="utf-8")
        path.write_text(text.format(name=name, **_read_card(zoo / name)), encoding="utf-8")


def write_manifest(presets, path=MANIFEST_PATH):
    """Writes the manifest, sorted by name.

    Args:
        presets: dict of preset name -> `Preset`.
        path: path of the file.
    """
    write_json({name: to_json(preset) for name, preset in sorted(presets.items())}, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="+", metavar="NAME")
    presets = load_manifest()
    for name in parser.parse_args().names:
        presets[name] = read_preset(name)
        draft_model_card(name)
        print(f"{name}: {len(presets[name].files)} files, {presets[name].size:,} bytes")
    write_manifest(presets)


if __name__ == "__main__":
    main()
