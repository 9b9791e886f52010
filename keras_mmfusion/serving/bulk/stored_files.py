"""Finding and removing files by their names alone, whatever characters their folders have.

In Beam's patterns `*`, `?` and `[` cannot be quoted, and a `[` makes it list the folder above with
all that is in it. So local folders are listed here, and elsewhere each such character is written
as a set of itself.
"""

import os
import posixpath
import re


def names_in(folder, prefix):
    """The names of a folder's files that begin with `prefix`.

    Args:
        folder: string, for Beam's file systems.
        prefix: string without wildcards.

    Returns:
        A set of strings.
    """
    from apache_beam.io.filesystems import FileSystems

    if FileSystems.get_scheme(folder) is None:
        return {entry.name for entry in os.scandir(folder) if entry.name.startswith(prefix)}
    pattern = FileSystems.join(_escaped(folder), f"{prefix}*")
    found = FileSystems.match([pattern])[0].metadata_list
    return {posixpath.basename(match.path) for match in found}


def remove_files(paths):
    """Removes files of any of Beam's file systems."""
    from apache_beam.io.filesystems import FileSystems

    for path in paths:
        if FileSystems.get_scheme(path) is None:
            os.remove(path)
        else:
            FileSystems.delete([_escaped(path)])


def matching_files(pattern):
    """The files that a user's pattern means.

    What exists under the very name that the pattern begins with is meant itself, wildcards or not:
    `photos [1]/*.jpg` are the files of the folder `photos [1]` if there is one.

    Args:
        pattern: string, for Beam's file systems; a local one is absolute.

    Returns:
        A dict, path -> `[size in bytes, time of the last change]`, sorted by path.

    Raises:
        ValueError: if the pattern is the name of a folder.
    """
    from apache_beam.io.filesystems import FileSystems

    if FileSystems.get_scheme(pattern) is not None:
        exists = FileSystems.exists(pattern)
        found = FileSystems.match([_escaped(pattern)] if exists else _with_no_folder(pattern))
        files = {match.path: match for each in found for match in each.metadata_list}
        return {
            path: [files[path].size_in_bytes, files[path].last_updated_in_seconds]
            for path in sorted(files)
        }
    folder, rest = _existing_part(pattern)
    if rest:
        return _states(_local_files(folder, rest))
    if os.path.isdir(folder):
        raise ValueError(
            f"`images` must be a pattern of files, such as {os.path.join(folder, '**/*.jpg')!r}. "
            f"Received the folder {folder!r}"
        )
    return _states([folder])


def _local_files(folder, pattern):
    """The files below a folder whose paths from there match a pattern."""
    from apache_beam.io.filesystem import FileSystem

    wanted = map(FileSystem.translate_pattern, _with_no_folder(pattern))
    wanted = [re.compile(each.replace("[[", r"[\[")) for each in wanted]  # `[[]` means "[".
    for inner, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(inner, name)
            matches = any(each.match(os.path.relpath(path, folder)) for each in wanted)
            if matches and os.path.exists(path):  # And is no link to nothing.
                yield path


def _states(paths):
    return {
        path: [status.st_size, status.st_mtime]
        for path in sorted(paths)
        for status in [os.stat(path)]
    }


def _existing_part(pattern):
    """The longest beginning of a local pattern that exists as it stands, and what follows."""
    folder, rest = pattern, ""
    while not os.path.exists(folder):
        folder, name = os.path.split(folder)
        rest = os.path.join(name, rest) if rest else name
    return folder, rest


def _with_no_folder(pattern):
    """What to ask Beam for: its `**/` wants a folder at least, a shell's is content with none."""
    parts = re.split(r"(?<![^/])\*\*/", pattern)
    patterns = [parts[0]]
    for part in parts[1:]:
        patterns = [start + between + part for start in patterns for between in ("**/", "")]
    return patterns


def _escaped(path):
    """A pattern that only this path matches."""
    # Python warns of a set that begins with "[". No path has a NUL.
    return re.sub(r"[*?[]", lambda found: f"[\0{found[0]}]", path)
