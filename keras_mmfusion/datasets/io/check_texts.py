"""Rejects values like `None`, NaN and numbers that would be silently converted to text."""

import numpy as np


def check_texts(texts, name):
    """Checks that all values are strings.

    Args:
        texts: a string, or lists, tuples, arrays or a pandas `Series` of strings, possibly nested.
            Tensors are accepted without a check.
        name: string. The name of `texts` in the error message.

    Raises:
        ValueError: if a value is not a string; the message contains its index.

    Example:

    >>> check_texts(["a dog", None], "captions")
    Traceback (most recent call last):
    ValueError: `captions[1]` must be a string. Received: None (NoneType). Remove the row or add \
a text.
    """
    if isinstance(texts, (str, bytes)) or hasattr(texts, "graph") or hasattr(texts, "flat_values"):
        return
    if hasattr(texts, "__array__") and not isinstance(texts, (np.generic, np.ndarray)):
        texts = np.asarray(texts)
    if isinstance(texts, np.ndarray) and texts.dtype.kind in "SU":
        return
    if isinstance(texts, (list, tuple)) or (isinstance(texts, np.ndarray) and texts.ndim):
        for number, text in enumerate(texts):
            check_texts(text, f"{name}[{number}]")
        return
    raise ValueError(
        f"`{name}` must be a string. Received: {texts!r} ({type(texts).__name__}). Remove the row "
        "or add a text."
    )
