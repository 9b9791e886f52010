"""Downloads by several processes, and after a process is killed."""

import itertools
import json
import os
import subprocess
import sys
import time

import http_server
import pytest

from keras_mmfusion.zoo.download import get_cache_folder
from keras_mmfusion.zoo.manifest import to_json

WEIGHTS = "captioner_tiny/model.weights.h5"
FETCH = """
import json, sys
from keras_mmfusion.zoo.download import fetch_preset
from keras_mmfusion.zoo.manifest import Preset, PresetFile
from keras_mmfusion.zoo.mirror import create_mirror

name, entry, address = json.loads(sys.argv[1])
entry["files"] = tuple(PresetFile(path, **metadata) for path, metadata in entry["files"].items())
print(fetch_preset(Preset(name=name, **entry), create_mirror(address)))
"""


@pytest.fixture
def start(server, preset):
    """Starts processes that fetch the preset, and kills them at the end."""
    processes = []

    def start_process():
        arguments = json.dumps([preset.name, to_json(preset), server.address])
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", FETCH, arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        processes.append(process)
        return process

    yield start_process
    for process in processes:
        process.kill()
        process.communicate()


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_processes_share_one_download(server, preset, contents, start):
    server.faults[WEIGHTS] = itertools.repeat(http_server.slow(pause=0.1))
    first = start()
    wait_until(lambda: server.requests_for(WEIGHTS))
    second = start()

    outputs = [process.communicate(timeout=60) for process in (first, second)]

    assert [process.returncode for process in (first, second)] == [0, 0], outputs
    assert {out.strip() for out, _ in outputs} == {str(get_cache_folder(preset))}
    assert len(server.requests) == len(contents)
    assert "Another process is fetching captioner_tiny" in outputs[1][1]
    for name, content in contents.items():
        assert (get_cache_folder(preset) / name).read_bytes() == content


def test_killed_download_is_resumed(server, preset, contents, start):
    server.faults[WEIGHTS] = iter([http_server.slow(pause=0.05)])
    part = get_cache_folder(preset) / "model.weights.h5.part"
    killed = start()
    wait_until(lambda: part.exists() and part.stat().st_size >= 100_000)
    killed.kill()
    killed.wait()
    kept = part.stat().st_size

    second = start()
    output = second.communicate(timeout=60)

    assert second.returncode == 0, output
    assert 100_000 <= kept < 300_000
    last = server.requests_for(WEIGHTS)[-1]
    assert (last.start, last.sent) == (kept, 300_000 - kept)
    assert (get_cache_folder(preset) / "model.weights.h5").read_bytes() == contents[
        "model.weights.h5"
    ]
