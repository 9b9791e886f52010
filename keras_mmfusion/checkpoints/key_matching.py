"""Strict matching of the names in a checkpoint to the names that a converter expects."""

import dataclasses
import difflib
import re

# Names that carry no weights: buffers that the source's classes compute.
BUFFERS = (
    r"(.*\.)?position_ids",
    r"(.*\.)?attn\.(masked_)?bias",
    r"(.*\.)?crossattention\.(masked_)?bias",
    r"(.*\.)?token_type_ids",
    r"(.*\.)?relative_position_index",
    r"(.*\.)?num_batches_tracked",
)
WRAPPER_PREFIXES = ("model.", "module.")


@dataclasses.dataclass(frozen=True)
class KeyMatch:
    """Which name of a checkpoint holds each expected key.

    Args:
        names: dict, expected key -> name in the checkpoint.
        copies: list of tuples of two names in the checkpoint whose tensors must be equal.
    """

    names: dict
    copies: list


def match_keys(names, expected, ignored=(), prefixes=(), renames=(), tied=None):
    """Matches the names of a checkpoint to the expected keys, or raises an error.

    Each name that is not expected as it is loses its optional prefixes, and is then spelled as on
    the Hub by `renames`.

    Args:
        names: iterable of strings. The names in the checkpoint.
        expected: iterable of strings. The keys of all `SourceWeight`s.
        ignored: regular expressions of further names to ignore, matched in full.
        prefixes: strings. Optional prefixes besides `"model."` and `"module."`.
        renames: tuples of a regular expression and its replacement, applied in their order with
            `re.sub`.
        tied: dict, key that may be absent -> expected key with the same values. A key that is
            expected is a weight of its own.

    Returns:
        A `KeyMatch`.

    Raises:
        ValueError: if expected keys are missing, names are unused, or two names mean the same key;
            the message names them.

    Example:

    >>> match_keys(["model.proj.weight", "position_ids"], ["proj.weight"]).names
    {'proj.weight': 'model.proj.weight'}
    """
    expected = set(expected)
    tied = {alias: key for alias, key in (tied or {}).items() if alias not in expected}
    is_ignored = re.compile("|".join((*BUFFERS, *ignored))).fullmatch
    found, unused = {}, []
    for name in names:
        key = _spell(name, expected | set(tied), (*WRAPPER_PREFIXES, *prefixes), renames)
        if key not in expected and key not in tied:
            if not is_ignored(key) and not is_ignored(name):
                unused.append(name)
        elif key in found:
            raise ValueError(f"{found[key]!r} and {name!r} are both the weight {key!r}.")
        else:
            found[key] = name
    copies = []
    for alias, key in tied.items():
        if alias in found and key in found:
            copies.append((found[alias], found[key]))
        elif alias in found:
            found[key] = found[alias]
    missing = sorted(expected - set(found))
    if missing or unused:
        raise ValueError(_describe_mismatch(missing, unused))
    return KeyMatch({key: found[key] for key in expected}, copies)


def add_prefix(prefix):
    """Returns an entry of `RENAMES` that adds a prefix to names without it.

    Example:

    >>> import re
    >>> re.sub(*add_prefix("vit"), "layernorm.bias"), re.sub(*add_prefix("vit"), "vit.norm.bias")
    ('vit.layernorm.bias', 'vit.norm.bias')
    """
    return rf"^(?!{prefix}\.)", f"{prefix}."


def _spell(name, known, prefixes, renames):
    """Spells a name of a checkpoint as one of the known keys, if it is one."""
    candidates = [name]
    while prefix := next((p for p in prefixes if candidates[-1].startswith(p)), None):
        candidates.append(candidates[-1].removeprefix(prefix))
    for candidate in candidates:
        if candidate in known:
            return candidate
    for candidate in reversed(candidates):
        for pattern, replacement in renames:
            candidate = re.sub(pattern, replacement, candidate)
        if candidate in known:
            return candidate
    return candidates[-1]


def _describe_mismatch(missing, unused):
    parts = []
    if missing:
        parts.append(f"lacks {_count(missing)}: {_list_names(missing)}")
    if unused:
        parts.append(f"has {_count(unused)} without a use: {_list_names(unused)}")
    text = "The checkpoint " + ", and ".join(parts) + "."
    near = difflib.get_close_matches(missing[0], unused, n=1) if missing and unused else ()
    return f"{text} {near[0]!r} resembles {missing[0]!r}." if near else text


def _count(names):
    return f"{len(names)} weight{'s' if len(names) > 1 else ''}"


def _list_names(names, limit=20):
    names = sorted(names)
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + rest
