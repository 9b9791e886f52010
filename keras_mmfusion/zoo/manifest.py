"""The manifest: every preset of the zoo, with its files, their sizes and hashes, and its scores."""

import dataclasses
import difflib
import hashlib
import json
import pathlib
import re

MANIFEST_PATH = pathlib.Path(__file__).with_name("manifest.json")

# Names become folder names and addresses, so neither may climb out of its folder: plain
# segments that start with a letter or a digit, so no "..", absolute path, drive or backslash.
_PRESET_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_FILE_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A preset has at least one of them: KerasHub's presets the first, other models the second.
CONFIG_FILES = ("config.json", "task.json")
# What `save_to_preset` writes; cards, recipes and pictures beside it are no part of a preset.
_PRESET_FILES = (
    *CONFIG_FILES,
    "preprocessor.json",
    "tokenizer.json",
    "*_converter.json",
    "metadata.json",
    "*.weights.h5",
    "*.weights.json",
    "assets/**/*",
)


@dataclasses.dataclass(frozen=True)
class PresetFile:
    """One file of a preset: its path inside the preset's folder, its size and its SHA-256."""

    path: str
    size: int
    sha256: str

    def __post_init__(self):
        if not _FILE_PATH.fullmatch(self.path):
            raise ValueError(
                "`path` must be a relative path of plain names inside the preset's folder, such as "
                f"'assets/tokenizer/vocabulary.txt'. Received: path={self.path!r}"
            )
        if not isinstance(self.size, int) or self.size < 0:
            raise ValueError(
                f"`size` must be a number of bytes. Received: size={self.size!r} ({self.path})"
            )
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(
                "`sha256` must be 64 lower-case hexadecimal digits. "
                f"Received: sha256={self.sha256!r} ({self.path})"
            )


@dataclasses.dataclass(frozen=True)
class Preset:
    """One entry of the manifest.

    Args:
        name: string. What the user asks for.
        task: string. What the preset does, such as `"image_captioning"`.
        description: string. One or two sentences.
        license: string. The terms of the weights.
        credit: string. Whose data and weights it stands on.
        files: tuple of `PresetFile`.
        scores: dict of metric name -> number, out of the preset's `results.json`.
        protocol: dict. How the scores were measured: data, split, decoding.

    Raises:
        ValueError: if the name or a file's path could leave its folder.
    """

    name: str
    task: str
    description: str
    license: str
    credit: str
    files: tuple
    scores: dict = dataclasses.field(default_factory=dict)
    protocol: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not _PRESET_NAME.fullmatch(self.name):
            raise ValueError(
                "`name` must be a plain folder name of lower-case letters, digits, '_', '-' and "
                f"'.'. Received: name={self.name!r}"
            )

    @property
    def size(self):
        """The bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def fingerprint(self):
        """The SHA-256 of the list of files: it changes when any file of the preset does."""
        return fingerprint(self.files)


def fingerprint(files):
    """Names a set of preset files by one hash, whatever their order.

    Args:
        files: iterable of `PresetFile`.

    Returns:
        A string of 64 hexadecimal digits.

    Example:

    >>> vocabulary = PresetFile("vocabulary.txt", 3, "0" * 64)
    >>> config = PresetFile("config.json", 2, "1" * 64)
    >>> fingerprint([vocabulary, config]) == fingerprint([config, vocabulary])
    True
    """
    lines = sorted(f"{file.path} {file.size} {file.sha256}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def list_preset_files(folder):
    """Lists the files of a preset folder that belong to the preset.

    Args:
        folder: path.

    Returns:
        A tuple of `PresetFile`, sorted by path.
    """
    folder = pathlib.Path(folder)
    paths = {path for pattern in _PRESET_FILES for path in folder.glob(pattern) if path.is_file()}
    return tuple(
        PresetFile(path.relative_to(folder).as_posix(), path.stat().st_size, compute_sha256(path))
        for path in sorted(paths)
    )


def compute_sha256(path):
    """Returns the SHA-256 of a file as 64 hexadecimal digits, reading it piece by piece."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def load_manifest():
    """Reads the manifest that the package carries.

    Returns:
        A dict of preset name -> `Preset`.

    Raises:
        ValueError: if an entry is malformed.
    """
    entries = json.loads(MANIFEST_PATH.read_text(encoding="utf-8"))
    return {name: _from_json(name, entry) for name, entry in sorted(entries.items())}


def find_preset(name):
    """Looks a preset up by name.

    Args:
        name: string.

    Returns:
        A `Preset`.

    Raises:
        ValueError: if there is no such preset; the message names the nearest and lists all.

    Example:

    >>> find_preset("captioner_flickr9k")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'captioner_flickr9k'...
    """
    presets = load_manifest()
    if name in presets:
        return presets[name]
    nearest = difflib.get_close_matches(str(name), presets, n=1, cutoff=0.5)
    suggestion = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(
        f"Unknown preset {name!r}.{suggestion} The zoo has: {', '.join(presets) or 'nothing yet'}. "
        "A path to a preset folder and hf:// or kaggle:// handles are taken too."
    )


def to_json(preset):
    """Returns a preset as the dict that the manifest keeps under its name.

    Args:
        preset: a `Preset`.

    Returns:
        A dict that `json.dumps` takes.
    """
    entry = dataclasses.asdict(preset)
    del entry["name"]
    entry["files"] = {
        file.path: {"size": file.size, "sha256": file.sha256}
        for file in sorted(preset.files, key=lambda file: file.path)
    }
    return entry


def _from_json(name, entry):
    try:
        files = tuple(PresetFile(path, **facts) for path, facts in entry["files"].items())
        return Preset(name=name, **{**entry, "files": files})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The manifest's entry for {name!r} is malformed: {error}") from error
