"""Peers of a benchmark, each in a Python process of its own, that take turns at the machine."""

import json
import os
import subprocess
import sys
import time


class PeerProcess:
    """A script that answers requests, one line of JSON for each.

    Args:
        command: list of strings, the command line.
        **environment: variables added to this process's own.
    """

    def __init__(self, command, **environment):
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.versions = self._answer()

    def __call__(self, name, **arguments):
        """What the peer's function `name` returns."""
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()


def serve(versions, functions):
    """The peer's side: answers requests for `functions`, a dict, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Whatever a library prints must not stand between the answers.
    _write(answers, versions)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        _write(answers, functions[name](**arguments))


def _write(answers, value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def seconds(function, calls=1):
    """Wall-clock seconds of a call, the mean of some in a row."""
    begin = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - begin) / calls
