"""`mmfusion demo`: a web page to try the models."""

import socket
import threading
from typing import Annotated

import typer

from keras_mmfusion._extras import require_extra
from keras_mmfusion._progress import inform
from keras_mmfusion.cli.model_files import check_model


def demo(
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            help="Preset folder or hf:// handle to offer besides the presets of the zoo; repeat "
            "it for several.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to bind to. The page has no password.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port. Default: the first free one from 7860 on."),
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the web browser.")
    ] = False,
):
    """Try the models on a web page.

    Runs until Ctrl-C. The page is served on this computer only, unless --host is set.

    Example:
      mmfusion demo --port 7860
    """
    require_extra("demo", "`mmfusion demo`", "gradio")  # Before Keras is imported.
    _check_port(port)
    for preset in presets or ():
        check_model(preset)
    from keras_mmfusion.demo import DemoModels, serve_app
    from keras_mmfusion.demo.captioning import warm_up

    inform("mmfusion: loading and compiling the first model")
    models = DemoModels(presets or ())
    warm_up(models)
    with serve_app(models, host, port) as address:
        inform(f"mmfusion: the demo is at {address}; stop it with Ctrl-C")
        if open_browser:
            typer.launch(address)
        _wait()


def _wait():
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        inform("mmfusion: stopped")


def _check_port(port):
    """Raises an error if a port is in use, before the models are loaded."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if port is not None and probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ValueError(f"`--port` {port} is in use. Choose another, or omit the option.")
