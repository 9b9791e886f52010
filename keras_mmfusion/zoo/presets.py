"""From what a user asks for, a preset's name, path or handle, to what `from_preset` takes."""

import os
import pathlib

from keras_mmfusion._extras import require_extra
from keras_mmfusion.zoo.download import (
    DownloadError,
    cache_folder,
    describe_damage,
    fetch_preset,
    missing_files,
)
from keras_mmfusion.zoo.manifest import (
    CONFIG_FILES,
    MANIFEST_PATH,
    find_preset,
    fingerprint,
    list_preset_files,
    load_manifest,
)
from keras_mmfusion.zoo.mirror import MIRROR_VARIABLE, find_mirror

# What keras_hub fetches itself.
_HANDLES = ("hf", "kaggle", "modelscope", "gs")


def resolve_preset(preset):
    """Turns a preset's name, path or handle into what `from_preset` takes.

    A name of the zoo comes first (write `./name` for a folder of the same name), then a handle
    such as `hf://...`, then a folder. A named preset that is neither in the package nor in the
    cache is downloaded.

    Args:
        preset: string or path.

    Returns:
        A string: the path of a folder that holds the preset, or the handle, its scheme in lower
        case.

    Raises:
        ValueError: if it is none of these; the message names the nearest preset of the zoo.
        DownloadError: if a preset of the zoo cannot be fetched.
        MissingExtraError: if the package that fetches a handle is not installed.

    Example:

    >>> resolve_preset("hf://someone/captioner")
    'hf://someone/captioner'
    """
    if isinstance(preset, str):
        if preset in load_manifest():
            return str(preset_folder(preset))
        scheme, separator, rest = preset.partition("://")
        if separator:
            scheme = scheme.lower()  # Those who fetch handles know no capitals.
            if scheme in _HANDLES:
                if scheme == "hf":
                    require_extra("hub", f"Preset {preset!r}", "huggingface_hub")
                return f"{scheme}://{rest}"
            raise ValueError(
                f"`preset` must be a name of the zoo, a folder, or a handle that begins with "
                f"{', '.join(f'{handle}://' for handle in _HANDLES)}. Received: preset={preset!r}"
            )
        named = os.sep not in preset and "/" not in preset
        if named and not os.path.isdir(preset):
            find_preset(preset)
    elif not isinstance(preset, os.PathLike):
        raise TypeError(
            "`preset` must be a string (a name, a path or a handle) or a path. "
            f"Received: preset={preset!r} (of type {type(preset).__name__})"
        )
    folder = pathlib.Path(os.path.expanduser(preset))
    if not any((folder / name).is_file() for name in CONFIG_FILES):
        problem = f"holds no {' or '.join(CONFIG_FILES)}" if folder.is_dir() else "is not there"
        raise ValueError(
            f"`preset` must be a folder that `save_to_preset` wrote, but {folder} {problem}. "
            f"Received: preset={os.fspath(preset)!r}"
        )
    return str(folder)


def preset_folder(name):
    """Returns a folder that holds a preset of the zoo, downloading it where that is needed.

    Each file's hash is checked, so a damaged copy is never handed out.

    Args:
        name: string.

    Returns:
        The path of the folder: of the package, of the cache, or of the cache after a download.

    Raises:
        ValueError: if the zoo has no such preset.
        DownloadError: if it cannot be fetched.
    """
    preset = find_preset(name)
    folders = (embedded_folder(preset), cache_folder(preset))
    for folder in folders:
        if not missing_files(preset, folder):
            return folder
    damage = [found for folder in folders if (found := describe_damage(preset, folder))]
    mirror = find_mirror()
    if mirror is None:
        raise DownloadError(_not_found(preset, damage))
    try:
        return fetch_preset(preset, mirror)
    except DownloadError as error:
        if not damage:
            raise
        raise DownloadError(f"{error} The copy that is here is {' and '.join(damage)}.") from error


def _not_found(preset, damage):
    remedy = (
        f"Set {MIRROR_VARIABLE} to an http://, https:// or file:// address or a folder that holds "
        f"`{preset.name}/` (the `zoo/` folder of a source checkout does), or pass the path of a "
        "preset folder."
    )
    if damage:
        return (
            f"Preset {preset.name!r} is {' and '.join(damage)}; and there is no mirror to fetch it "
            f"from again. {remedy}"
        )
    return (
        f"Preset {preset.name!r} is not part of the installed package, not in the cache "
        f"{cache_folder(preset)}, and there is no mirror to fetch it from. {remedy}"
    )


def preset_fingerprint(preset):
    """Names the very files of a preset by one hash, as the manifest does.

    Args:
        preset: string or path, as for `resolve_preset`.

    Returns:
        A string of 64 hexadecimal digits; or `None` for a handle such as `hf://...`, whose files
        belong to another tool.
    """
    if preset in load_manifest():
        return find_preset(preset).fingerprint
    folder = pathlib.Path(resolve_preset(preset))
    return fingerprint(list_preset_files(folder)) if folder.is_dir() else None


def embedded_folder(preset):
    """Returns the folder that a preset has if the package carries it."""
    return MANIFEST_PATH.parent / "presets" / preset.name


def preset_origins(presets):
    """Tells where presets would come from now; a mirror is asked whether it has them.

    Args:
        presets: iterable of `Preset`.

    Returns:
        A dict, name -> `"package"`, `"cache"`, `"checkout"` (the `zoo/` folder of the source
        checkout that the package runs from), `"mirror"`, `"not available"`, or
        `"damaged"`, of which `mmfusion zoo pull` says more.
    """
    mirror = find_mirror()
    return {preset.name: _origin(preset, mirror) for preset in presets}


def _origin(preset, mirror):
    folders = {"package": embedded_folder(preset), "cache": cache_folder(preset)}
    for origin, folder in folders.items():
        if not missing_files(preset, folder):
            return origin
    largest = max(preset.files, key=lambda file: file.size)
    if mirror is not None and mirror.has(f"{preset.name}/{largest.path}", largest.size):
        return mirror.kind
    damaged = any(describe_damage(preset, folder) for folder in folders.values())
    return "damaged" if damaged else "not available"
