"""Lists, matches and removes files in Beam's file systems.

Paths may contain `*`, `?` and `[`, which Beam's patterns cannot escape. Local folders are therefore
listed with `os`; for other file systems each such character becomes a character set.
"""

import os
import posixpath
import re


def list_names(folder, prefix):
    """Lists the names of the files in a folder that start with `prefix`.

    Args:
        folder: string, a path in a Beam file system.
        prefix: string without wildcards.

    Returns:
        A set of strings.
    """
    from apache_beam.io.filesystems import FileSystems

    if FileSystems.get_scheme(folder) is None:
        return {entry.name for entry in os.scandir(folder) if entry.name.startswith(prefix)}
    pattern = FileSystems.join(_escape(folder), f"{prefix}*")
    matches = FileSystems.match([pattern])[0].metadata_list
    return {posixpath.basename(match.path) for match in matches}


def remove_files(paths):
    """Removes files in any Beam file system."""
    from apache_beam.io.filesystems import FileSystems

    for path in paths:
        if FileSystems.get_scheme(path) is None:
            os.remove(path)
        else:
            FileSystems.delete([_escape(path)])


def match_files(pattern):
    """Finds the files that match a pattern.

    The longest leading part of the pattern that exists as a path is taken literally:
    `photos [1]/*.jpg` matches the files in the folder `photos [1]` if it exists.

    Args:
        pattern: string, a pattern in a Beam file system; local patterns must be absolute.

    Returns:
        A dict of path -> `[size in bytes, modification time]`, sorted by path.

    Raises:
        ValueError: if the pattern is the path of a folder.
    """
    from apache_beam.io.filesystems import FileSystems

    if FileSystems.get_scheme(pattern) is not None:
        exists = FileSystems.exists(pattern)
        results = FileSystems.match([_escape(pattern)] if exists else _expand_pattern(pattern))
        files = {match.path: match for result in results for match in result.metadata_list}
        return {
            path: [files[path].size_in_bytes, files[path].last_updated_in_seconds]
            for path in sorted(files)
        }
    folder, rest = _split_existing(pattern)
    if rest:
        return _read_states(_match_local(folder, rest))
    if os.path.isdir(folder):
        raise ValueError(
            f"`images` must be a pattern of files, such as {os.path.join(folder, '**/*.jpg')!r}. "
            f"Received the folder {folder!r}"
        )
    return _read_states([folder])


def _match_local(folder, pattern):
    """Yields the files in a folder whose relative paths match a pattern."""
    from apache_beam.io.filesystem import FileSystem

    expressions = map(FileSystem.translate_pattern, _expand_pattern(pattern))
    # `[[]` matches "[".
    expressions = [re.compile(each.replace("[[", r"[\[")) for each in expressions]
    for inner, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(inner, name)
            matches = any(each.match(os.path.relpath(path, folder)) for each in expressions)
            if matches and os.path.exists(path):  # Skips broken links.
                yield path


def _read_states(paths):
    return {
        path: [status.st_size, status.st_mtime]
        for path in sorted(paths)
        for status in [os.stat(path)]
    }


def _split_existing(pattern):
    """Splits a local pattern into its longest leading part that exists, and the rest."""
    folder, rest = pattern, ""
    while not os.path.exists(folder):
        folder, name = os.path.split(folder)
        rest = os.path.join(name, rest) if rest else name
    return folder, rest


def _expand_pattern(pattern):
    """Expands `**/`, which matches at least one directory in Beam, but also none in a shell."""
    parts = re.split(r"(?<![^/])\*\*/", pattern)
    patterns = [parts[0]]
    for part in parts[1:]:
        patterns = [start + folders + part for start in patterns for folders in ("**/", "")]
    return patterns


def _escape(path):
    """Returns a pattern that matches only this path."""
    # Python warns about sets that start with "[", so a NUL, which no path contains, comes first.
    return re.sub(r"[*?[]", lambda match: f"[\0{match[0]}]", path)
