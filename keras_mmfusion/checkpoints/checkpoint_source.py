"""The origin of a checkpoint, which is stored with the presets saved from it."""

import pathlib
import re

_CACHE = re.compile(r"models--(?P<owner>.+?)--(?P<name>.+)")


def describe_source(folder):
    """Describes the origin of a checkpoint: its name, and its revision and license if known.

    The revision is known for folders of the Hub's cache. The license is the entry of the model
    card, README.md.

    Args:
        folder: string or path of the folder.

    Returns:
        A dict of strings with `"name"`, and possibly `"revision"` and `"license"`.

    Example:

    >>> describe_source("cache/models--a--b/snapshots/0123")
    {'name': 'hf://a/b', 'revision': '0123'}
    """
    folder = pathlib.Path(folder).absolute()
    source = {"name": folder.name}
    if folder.parent.name == "snapshots" and (match := _CACHE.fullmatch(folder.parents[1].name)):
        source = {"name": f"hf://{match['owner']}/{match['name']}", "revision": folder.name}
    license_name = _read_license(folder / "README.md")
    return {**source, "license": license_name} if license_name else source


def _read_license(card):
    """Reads the license from the YAML header of a model card."""
    if not card.is_file():
        return None
    text = card.read_text(encoding="utf-8", errors="replace")
    header = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    entry = header and re.search(r"^license:\s*['\"]?([\w.-]+)", header[1], re.MULTILINE)
    return entry[1] if entry else None
