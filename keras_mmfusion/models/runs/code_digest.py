"""A digest of the package's code, recorded with results."""

import ast
import functools
import hashlib
import pathlib

_PACKAGE = pathlib.Path(__file__).resolve().parents[2]
# The results of every task depend on these packages.
_SHARED = (
    *("datasets", "encoders", "files", "graphs", "layers", "losses", "metrics"),
    *("models/export", "models/presets", "models/runs"),
)


@functools.cache
def compute_code_digest(*tasks):
    """Computes a digest of the code of some tasks' models and of the packages that they use.

    It does not depend on comments, docstrings, formatting or the Python version. The command line,
    serving, the zoo and the models of other tasks are not included.

    Args:
        *tasks: strings. Folders of `keras_mmfusion.models`, such as `"captioning"`.

    Returns:
        A string of 64 hexadecimal digits.

    Example:

    >>> len(compute_code_digest("captioning"))
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
    """Formats the syntax tree of Python code as text, without docstrings.

    Example:

    >>> code_structure("x = 1  # One.") == code_structure("x=1")
    True
    """
    return _format_node(ast.parse(source))


def _format_node(node):
    if isinstance(node, list):
        return f"[{','.join(map(_format_node, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(fields.get("body"), list):
        # Strings that are statements, such as docstrings, have no effect.
        fields["body"] = [statement for statement in node.body if not _is_string(statement)]
    # Newer versions of Python have additional fields, which are empty for older syntax.
    texts = (
        f"{name}={_format_node(value)}"
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
