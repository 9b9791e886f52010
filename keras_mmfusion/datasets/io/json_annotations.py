"""Annotation files as they are published, with their faults."""

import warnings


def clean_text(text):
    """A text on one line, without half characters, which no tensor of strings can hold.

    Example:

    >>> clean_text(" two\\n dogs ")
    'two dogs'
    """
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join(whole.split())


def warn_left_out(what, ids):
    """Warns that records were left out, if any were.

    Args:
        what: string. What they are, and why they were left out.
        ids: list. Their ids.
    """
    if ids:
        more = ", ..." if len(ids) > 3 else ""
        examples = ", ".join(map(repr, ids[:3]))
        warnings.warn(f"Left out {len(ids)} {what}: {examples}{more}", stacklevel=3)
