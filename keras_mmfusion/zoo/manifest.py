"""The manifest: all presets of the zoo, with their files, hashes and scores."""

import dataclasses
import difflib
import hashlib
import json
import pathlib
import re

MANIFEST_PATH = pathlib.Path(__file__).with_name("manifest.json")

# Names become folders and addresses: segments must start with a letter or a digit, which excludes
# "..", absolute paths, drives and backslashes.
_PRESET_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_FILE_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A preset has at least one of them: KerasHub's presets the first, other models the second.
CONFIG_FILES = ("config.json", "task.json")
# Files written by `save_to_preset`; cards, recipes and figures are not part of a preset.
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
# Further files of checkpoints of transformers.
_CHECKPOINT_FILES = (
    "model*.safetensors",
    "pytorch_model*.bin",
    "*.index.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
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
        name: string. The name of its folder.
        task: string, such as `"captioner"`.
        description: string. One or two sentences.
        license: string. The terms of the weights.
        credit: string. Sources of the data and weights.
        files: tuple of `PresetFile`.
        scores: dict of metric name -> number, from the preset's `results.json`.
        protocol: dict. How the scores were computed: data, split, decoding.

    Raises:
        ValueError: if the name, or the path of a file, is not a plain relative path.
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
        """The total size of all files in bytes."""
        return sum(file.size for file in self.files)

    @property
    def fingerprint(self):
        """The SHA-256 of the list of files, which changes with any file."""
        return hash_files(self.files)


def hash_files(files):
    """Computes one hash of a set of preset files, independent of their order.

    Args:
        files: iterable of `PresetFile`.

    Returns:
        A string of 64 hexadecimal digits.

    Example:

    >>> vocabulary = PresetFile("vocabulary.txt", 3, "0" * 64)
    >>> config = PresetFile("config.json", 2, "1" * 64)
    >>> hash_files([vocabulary, config]) == hash_files([config, vocabulary])
    True
    """
    lines = sorted(f"{file.path} {file.size} {file.sha256}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def list_preset_files(folder):
    """Lists the files of a preset folder that belong to the preset or checkpoint.

    Args:
        folder: path.

    Returns:
        A tuple of `PresetFile`, sorted by path.
    """
    folder = pathlib.Path(folder)
    patterns = _PRESET_FILES + _CHECKPOINT_FILES
    paths = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return tuple(
        PresetFile(path.relative_to(folder).as_posix(), path.stat().st_size, compute_sha256(path))
        for path in sorted(paths)
    )


def compute_sha256(path):
    """Computes the SHA-256 of a file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def load_manifest():
    """Reads the manifest of the package.

    Returns:
        A dict of preset name -> `Preset`.

    Raises:
        ValueError: if an entry is malformed.
    """
    entries = json.loads(MANIFEST_PATH.read_text(encoding="utf-8"))
    return {name: _from_json(name, entry) for name, entry in sorted(entries.items())}


def find_preset(name):
    """Finds a preset by name.

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
        "Paths of preset folders and hf:// or kaggle:// handles are accepted, too."
    )


def to_json(preset):
    """Converts a preset to its entry in the manifest.

    Args:
        preset: a `Preset`.

    Returns:
        A dict of JSON values.
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
        files = tuple(PresetFile(path, **metadata) for path, metadata in entry["files"].items())
        return Preset(name=name, **{**entry, "files": files})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The manifest's entry for {name!r} is malformed: {error}") from error
