"""Errors as messages on the page."""

import functools
import html


def show_errors(function, outputs=1):
    """Returns a function whose expected errors become messages on the page.

    Args:
        function: returns HTML texts.
        outputs: int. The number of texts; the message replaces the first, and the others are empty.
    """

    @functools.wraps(function)
    def run(*args):
        try:
            return function(*args)
        except (ValueError, TypeError, OSError) as error:
            text = html.escape(" ".join(str(error).split()))
            message = f'<p class="mm-error" role="alert">{text}</p>'
            return message if outputs == 1 else [message] + [""] * (outputs - 1)

    return run
