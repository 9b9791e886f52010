"""Short representations of objects with many values."""


def short_repr(obj, **fields):
    """Formats the `__repr__` of an object from a few fields, such as its sizes.

    Example:

    >>> short_repr([], rows=3, columns=["text", "price"])
    "list(rows=3, columns=['text', 'price'])"
    """
    fields = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return f"{type(obj).__name__}({fields})"
