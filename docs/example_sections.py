"""Shows the `Example:` sections of docstrings as code, which are doctests, not Markdown."""

import re

import griffe


class ExampleSections(griffe.Extension):
    """Names the section `Examples:`, as the parser of Google's style knows it."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring is not None:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )
