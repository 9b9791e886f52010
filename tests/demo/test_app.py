"""The page as Gradio builds and serves it; no browser."""

import json
import sys
import urllib.request

import pytest
from typer.testing import CliRunner

from keras_mmfusion._extras import MissingExtraError
from keras_mmfusion.cli.app import app as commands
from keras_mmfusion.demo import DemoModels, create_app
from keras_mmfusion.demo.app import STYLE
from keras_mmfusion.demo.error_messages import show_errors
from keras_mmfusion.demo.server import is_loopback


@pytest.fixture(scope="module")
def models(captioner_preset):
    return DemoModels([captioner_preset])


def test_the_page_is_served_on_this_computer_without_addresses_of_others(address):
    assert address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{address}config") as response:
        config = json.load(response)
    with urllib.request.urlopen(f"{address}theme.css") as response:
        theme = response.read().decode()
    tabs = [each["props"]["label"] for each in config["components"] if each["type"] == "tabitem"]
    assert tabs == ["Caption", "Ask", "Compare"]
    assert config["analytics_enabled"] is False
    assert "https://" not in theme
    assert STYLE.read_text(encoding="utf-8") in config["css"]


def test_a_port_in_use_is_one_line(address, captioner_preset):
    port = address.rstrip("/").rpartition(":")[2]
    refused = CliRunner().invoke(commands, ["demo", "--preset", captioner_preset, "--port", port])
    assert refused.exit_code == 2
    assert f"`--port` {port} is in use" in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.2", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False), ("pc", False)],
)
def test_loopback_addresses_are_known(host, expected):
    assert is_loopback(host) is expected


def test_errors_are_shown_as_text_in_the_first_output():
    def fail(text):
        raise ValueError(f"no\n  {text}")

    assert show_errors(fail)("<b>") == '<p class="mm-error" role="alert">no &lt;b&gt;</p>'
    assert show_errors(fail, 3)("b")[1:] == ["", ""]
    assert show_errors(str.upper)("a") == "A"
    with pytest.raises(ZeroDivisionError):
        show_errors(lambda: 1 / 0)()


def test_a_missing_extra_is_named(monkeypatch, models):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'keras-mmfusion\[demo\]'"):
        create_app(models)
    refused = CliRunner().invoke(commands, ["demo"])
    assert refused.exit_code == 2 and "needs gradio" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
