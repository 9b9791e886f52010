"""What a data set shows of itself: how much it has, not what."""


def short_repr(thing, **facts):
    """The text of `__repr__` for what would be too long in full.

    Example:

    >>> short_repr([], rows=3, columns=["text", "price"])
    "list(rows=3, columns=['text', 'price'])"
    """
    return f"{type(thing).__name__}({', '.join(f'{name}={x!r}' for name, x in facts.items())})"
