"""Cleans texts and reports skipped records of published annotation files."""

import warnings


def clean_text(text):
    """Joins the lines of a text and replaces lone surrogates, which tensors cannot store.

    Example:

    >>> clean_text(" two\\n dogs ")
    'two dogs'
    """
    valid = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join(valid.split())


def warn_skipped(what, ids):
    """Warns about skipped records, if there are any.

    Args:
        what: string. Describes the records and why they were skipped.
        ids: list. The ids of the records.
    """
    if ids:
        more = ", ..." if len(ids) > 3 else ""
        examples = ", ".join(map(repr, ids[:3]))
        warnings.warn(f"Skipped {len(ids)} {what}: {examples}{more}", stacklevel=3)
