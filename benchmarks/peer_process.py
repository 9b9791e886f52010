"""Runs the peers of a benchmark in separate Python processes that take turns."""

import json
import os
import subprocess
import sys
import time


class PeerProcess:
    """A script that responds to requests with a line of JSON.

    Args:
        command: list of strings, the command line.
        **environment: additional environment variables.
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
        """Returns the result of the peer's function `name`."""
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
    """Responds to requests for the functions in a dict until the input ends; runs in the peer."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Output of libraries must not be mixed with the responses.
    _write(answers, versions)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        _write(answers, functions[name](**arguments))


def _write(answers, value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def seconds(function, calls=1):
    """Returns the mean wall-clock seconds of several calls."""
    begin = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - begin) / calls


def measure_times(function):
    """Returns the seconds of a call and the CPU time of all threads, which depends less on load."""
    cpu_begin = time.process_time()
    wall = seconds(function)
    return {"seconds": wall, "cpu_seconds": time.process_time() - cpu_begin}
