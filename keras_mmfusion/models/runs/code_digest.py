"""A digest of what the package's code does, for records of what results were made from."""

import ast
import functools
import hashlib
import pathlib

_PACKAGE = pathlib.Path(__file__).resolve().parents[2]
# What every task's results depend on.
_SHARED = ("datasets", "encoders", "files", "layers", "losses", "metrics")


@functools.cache
def code_digest(*tasks):
    """A digest of the code of some tasks' models and of what they are made of.

    Comments, docstrings and layout do not change it, nor does the version of Python. The command
    line, serving, the zoo and other tasks' models are not part of it.

    Args:
        *tasks: strings. Folders of `keras_mmfusion.models`, such as `"captioning"`.

    Returns:
        A string of 64 hexadecimal digits.

    Example:

    >>> len(code_digest("captioning"))
    64
    """
    models = _PACKAGE / "models"
    folders = [*(_PACKAGE / name for name in _SHARED), *(models / task for task in tasks)]
    paths = {*models.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))}
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = path.relative_to(_PACKAGE).as_posix()
        digest.update(f"{name}\n{code_structure(path.read_bytes())}\n".encode())
    return digest.hexdigest()


def code_structure(source):
    """The syntax tree of Python code as text, without docstrings.

    Example:

    >>> code_structure("x = 1  # One.") == code_structure("x=1")
    True
    """
    return _text(ast.parse(source))


def _text(node):
    if isinstance(node, list):
        return f"[{','.join(map(_text, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(fields.get("body"), list):
        # A string that is a statement does nothing: docstrings are such ones.
        fields["body"] = [statement for statement in node.body if not _is_string(statement)]
    # Newer versions of Python know more fields, which are empty in code of older ones.
    texts = (
        f"{name}={_text(value)}"
        for name, value in fields.items()
        if value is not None and value != []
    )
    return f"{type(node).__name__}({','.join(texts)})"


def _is_string(statement):
    value = getattr(statement, "value", None)
    return (
        isinstance(statement, ast.Expr)
        and isinstance(value, ast.Constant)
        and isinstance(value.value, str)
    )
