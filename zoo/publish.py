"""Writes presets into the package's manifest: files, sizes, hashes, terms and scores.

    python zoo/publish.py efficientnet_lite0_imagenet captioner_flickr8k_lite0

A preset's files lie in `keras_mmfusion/zoo/presets/<name>/` if the package carries it, else in
`zoo/<name>/`. Beside the model card, `zoo/<name>/card.json` holds `task`, `description`, `license`,
`credit` and, if not every metric of `results.json` belongs in the manifest, the names in `scores`.
`results.json` is what `mmfusion evaluate --json` wrote, or the script that trained the preset.
"""

import argparse
import json
import os
from pathlib import Path

from keras_mmfusion.zoo.manifest import (
    CONFIG_FILES,
    MANIFEST_PATH,
    Preset,
    files_of,
    load_manifest,
    to_json,
)

ZOO = Path(__file__).resolve().parent
# The part of a protocol that a score cannot be read without.
PROTOCOL = ("data", "split", "limit", "decoding", "seeds")


def read_preset(name, zoo=ZOO, embedded=MANIFEST_PATH.parent / "presets"):
    """Reads the manifest entry of a preset out of its folder.

    Args:
        name: string. The folder's name.
        zoo: path of the folder that holds `<name>/card.json` and `<name>/results.json`.
        embedded: path of the folder that holds the presets that the package carries.

    Returns:
        A `keras_mmfusion.zoo.manifest.Preset`.

    Raises:
        ValueError: if the card is missing or incomplete, or if there are no preset files.
    """
    card_path = zoo / name / "card.json"
    if not card_path.is_file():
        raise ValueError(
            f"Preset {name!r} has no card: write {card_path} with `task`, `description`, `license` "
            "and `credit`."
        )
    card = json.loads(card_path.read_text(encoding="utf-8"))
    published = card.pop("scores", None)
    results_path = zoo / name / "results.json"
    results = {"metrics": {}, "protocol": {}}
    if results_path.is_file():
        results = json.loads(results_path.read_text(encoding="utf-8"))
    metrics, protocol = results["metrics"], results["protocol"]
    folder = embedded / name if (embedded / name).is_dir() else zoo / name
    files = files_of(folder)
    if not any(file.path in CONFIG_FILES for file in files):
        raise ValueError(f"{folder} is no preset folder: it holds no {' or '.join(CONFIG_FILES)}.")
    try:
        return Preset(
            name=name,
            files=files,
            scores={key: metrics[key] for key in (metrics if published is None else published)},
            protocol={key: protocol[key] for key in PROTOCOL if key in protocol},
            **card,
        )
    except TypeError as error:
        raise ValueError(f"{card_path} is incomplete or has a surplus entry: {error}") from error


def write_manifest(presets, path=MANIFEST_PATH):
    """Writes the manifest, in the order of the names, in one move.

    Args:
        presets: dict of preset name -> `Preset`.
        path: path of the file.
    """
    entries = {name: to_json(preset) for name, preset in sorted(presets.items())}
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="+", metavar="NAME")
    presets = load_manifest()
    for name in parser.parse_args().names:
        presets[name] = read_preset(name)
        print(f"{name}: {len(presets[name].files)} files, {presets[name].size:,} bytes")
    write_manifest(presets)


if __name__ == "__main__":
    main()
