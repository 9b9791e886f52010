"""Resolves the name, path or handle of a preset to an argument of `from_preset`."""

import os
import pathlib

from keras_mmfusion.zoo.download import (
    DownloadError,
    describe_damage,
    fetch_preset,
    find_missing_files,
    get_cache_folder,
)
from keras_mmfusion.zoo.manifest import (
    CONFIG_FILES,
    MANIFEST_PATH,
    find_preset,
    hash_files,
    list_preset_files,
    load_manifest,
)
from keras_mmfusion.zoo.mirror import MIRROR_VARIABLE, find_mirror

# Handles that KerasHub downloads.
_HANDLES = ("hf", "kaggle", "modelscope", "gs")


def resolve_preset(preset):
    """Resolves the name, path or handle of a preset to an argument of `from_preset`.

    Names of the zoo have priority (write `./name` for a folder with such a name), then handles
    such as `hf://...`, then folders. A preset of the zoo that is neither in the package nor in the
    cache is downloaded; see `find_mirror`.

    Args:
        preset: string or path.

    Returns:
        A string: the path of the preset folder, or the handle with a lower-case scheme.

    Raises:
        ValueError: if there is no such preset; the message names the nearest of the zoo.
        DownloadError: if a preset of the zoo cannot be fetched.

    Example:

    >>> resolve_preset("hf://someone/captioner")
    'hf://someone/captioner'
    """
    if isinstance(preset, str):
        if preset in load_manifest():
            return str(get_preset_folder(preset))
        scheme, separator, rest = preset.partition("://")
        if separator:
            scheme = scheme.lower()  # The download tools accept only lower case.
            if scheme in _HANDLES:
                return f"{scheme}://{rest}"
            raise ValueError(
                f"`preset` must be a name of the zoo, a folder, or a handle that starts with "
                f"{', '.join(f'{handle}://' for handle in _HANDLES)}. Received: preset={preset!r}"
            )
        is_name = os.sep not in preset and "/" not in preset
        if is_name and not os.path.isdir(preset):
            find_preset(preset)
    elif not isinstance(preset, os.PathLike):
        raise TypeError(
            "`preset` must be a string (a name, a path or a handle) or a path. "
            f"Received: preset={preset!r} (of type {type(preset).__name__})"
        )
    folder = pathlib.Path(os.path.expanduser(preset))
    if not any((folder / name).is_file() for name in CONFIG_FILES):
        problem = "does not exist"
        if folder.is_dir():
            problem = f"has no {' or '.join(CONFIG_FILES)}"
        raise ValueError(
            "`preset` must be a folder written by `save_to_preset` or with a checkpoint of "
            f"transformers, but {folder} {problem}. "
            f"Received: preset={os.fspath(preset)!r}"
        )
    return str(folder)


def get_preset_folder(name):
    """Returns the folder of a preset of the zoo, and downloads it if necessary.

    The hash of each file is checked, so that a damaged copy is never returned.

    Args:
        name: string.

    Returns:
        The path of a folder in the package or in the cache.

    Raises:
        ValueError: if the zoo has no such preset.
        DownloadError: if it cannot be downloaded.
    """
    preset = find_preset(name)
    folders = (get_embedded_folder(preset), get_cache_folder(preset))
    for folder in folders:
        if not find_missing_files(preset, folder):
            return folder
    damage = [text for folder in folders if (text := describe_damage(preset, folder))]
    mirror = find_mirror()
    if mirror is None:
        raise DownloadError(_describe_missing(preset, damage))
    try:
        return fetch_preset(preset, mirror)
    except DownloadError as error:
        if not damage:
            raise
        raise DownloadError(f"{error} The local copy is {' and '.join(damage)}.") from error


def _describe_missing(preset, damage):
    state = " and ".join(damage) or "neither in the installed package nor in the cache"
    return (
        f"Preset {preset.name!r} is {state}. Set {MIRROR_VARIABLE} to the address or folder that "
        f"has `{preset.name}/`, such as the `zoo/` folder of a source checkout, or pass the path "
        "or the hf:// handle of a preset."
    )


def get_fingerprint(preset):
    """Computes one hash of all files of a preset.

    Args:
        preset: string or path, as for `resolve_preset`.

    Returns:
        A string of 64 hexadecimal digits, or `None` for a handle such as `hf://...`.
    """
    if preset in load_manifest():
        return find_preset(preset).fingerprint
    folder = pathlib.Path(resolve_preset(preset))
    return hash_files(list_preset_files(folder)) if folder.is_dir() else None


def get_embedded_folder(preset):
    """Returns the folder of a preset that is part of the package."""
    return MANIFEST_PATH.parent / "presets" / preset.name


def find_origins(presets):
    """Finds where presets would be loaded from; a mirror is asked whether it has them.

    Args:
        presets: iterable of `Preset`.

    Returns:
        A dict, name -> `"package"`, `"cache"`, `"checkout"` (the `zoo/` folder of the source
        checkout that the package runs from), `"mirror"`, `"not available"`, or `"damaged"`, which
        `mmfusion zoo pull` describes.
    """
    mirror = find_mirror()
    return {preset.name: _find_origin(preset, mirror) for preset in presets}


def _find_origin(preset, mirror):
    folders = {"package": get_embedded_folder(preset), "cache": get_cache_folder(preset)}
    for origin, folder in folders.items():
        if not find_missing_files(preset, folder):
            return origin
    largest = max(preset.files, key=lambda file: file.size)
    if mirror is not None and mirror.has(f"{preset.name}/{largest.path}", largest.size):
        return mirror.kind
    damaged = any(describe_damage(preset, folder) for folder in folders.values())
    return "damaged" if damaged else "not available"
