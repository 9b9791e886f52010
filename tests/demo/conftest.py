"""The served page, and headless Chromium that opens it."""

import importlib.util
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The machine may be busy with other tests.
TIMEOUT_MS = 120_000


@pytest.fixture(scope="session")
def address():
    """Yields the address of `mmfusion demo`, a process of its own, which Ctrl-C ends."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("needs Gradio: the extra demo")
    command = [sys.executable, "-m", "keras_mmfusion.cli.main", "demo"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as server:
        lines = [server.stderr.readline(), server.stderr.readline()]
        found = re.search(r"the demo is at (\S+);", lines[-1])
        if found is None:
            server.kill()
            raise AssertionError("".join([*lines, server.stderr.read()]))
        yield found[1]
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
        assert server.stderr.read() == "mmfusion: stopped\n"


@pytest.fixture(scope="session")
def chromium(address, tmp_path_factory):
    """Yields a browser context of headless Chromium with an empty profile."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs Playwright: the extra browser")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Chromium, such as Debian's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=program, headless=True, args=FLAGS
        )
        context.set_default_timeout(TIMEOUT_MS)
        yield context
        context.close()


@pytest.fixture
def page(chromium, address):
    """Yields the opened page; afterwards, checks that it asked no other server for anything."""
    page = chromium.new_page()
    page.set_viewport_size({"width": 1000, "height": 860})
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    page.get_by_role("button", name="Caption", exact=True).wait_for()
    yield page
    page.close()
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
