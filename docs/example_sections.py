"""Shows the examples of docstrings as code: Markdown takes doctests for quotations otherwise."""

import re

import griffe

# A doctest ends at the first empty line, as in Python's own `doctest`.
DOCTEST = re.compile(r"^( *)>>> .*(?:\n *\S.*)*", re.MULTILINE)
FLAGS = re.compile(r" *# doctest:.*$", re.MULTILINE)


def fence(doctest):
    """Puts the match of a doctest into a block of code, without flags for `doctest` itself."""
    indent = doctest[1]
    return f"{indent}```pycon\n{FLAGS.sub('', doctest[0])}\n{indent}```"


class ExampleSections(griffe.Extension):
    """Fences every doctest, and gives Keras's own headings the form of the other sections'."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring is not None:
            text = DOCTEST.sub(fence, obj.docstring.value)
            text = re.sub(r"(?m)^Call arguments:$", "Other args: Call arguments:", text)
            obj.docstring.value = re.sub(r"(?m)^Example:$", "**Example:**", text)
