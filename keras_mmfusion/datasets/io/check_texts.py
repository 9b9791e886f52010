"""Texts told from what only looks like them once it is written out: `None`, NaN, numbers."""

import numpy as np


def check_texts(texts, name):
    """Checks that all there is are strings.

    Args:
        texts: a string, or lists, tuples, arrays or a pandas `Series` of strings, nested or not.
            Tensors pass, since they can hold nothing else beside them.
        name: string. What to call `texts` in the error.

    Raises:
        ValueError: names the row that is no string.

    Example:

    >>> check_texts(["a dog", None], "captions")
    Traceback (most recent call last):
    ValueError: `captions[1]` must be a string. Received: None (NoneType). Leave the row out, or \
write a text for it.
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
        f"`{name}` must be a string. Received: {texts!r} ({type(texts).__name__}). Leave the row "
        "out, or write a text for it."
    )
