"""Serves the web page."""

import contextlib
import ipaddress

from keras_mmfusion._progress import inform
from keras_mmfusion.demo.app import STYLE, create_app

HOST, MAX_UPLOAD = "127.0.0.1", "50mb"


@contextlib.contextmanager
def serve_app(models, host=HOST, port=None):
    """Serves the web page while the context is active.

    Args:
        models: `DemoModels`.
        host: string, the address to bind to. The page has no password: with another than a
            loopback address, everyone who reaches the address can use it.
        port: int. Defaults to the first free one from 7860 on.

    Returns:
        A context manager that yields the address of the page, such as `"http://127.0.0.1:7860/"`.

    Raises:
        MissingExtraError: if Gradio is not installed.
        OSError: if the port is in use.
    """
    app = create_app(models)
    if not is_loopback(host):
        inform(f"mmfusion: everyone who reaches {host} can use the demo; it has no password")
    try:
        _, address, _ = app.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            inline=False,
            share=False,
            quiet=True,
            show_error=False,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            mcp_server=False,
            pwa=False,
            ssr_mode=False,
            max_file_size=MAX_UPLOAD,
            theme=_make_theme(),
            css_paths=[STYLE],
        )
        yield address
    finally:
        app.close(verbose=False)


def _make_theme():
    """Returns Gradio's theme with fonts of the computer, and colors of sufficient contrast."""
    import gradio as gr

    theme = gr.themes.Default(
        primary_hue="indigo",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return theme.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_border_color="*primary_700",
        button_primary_text_color="white",
        color_accent="*primary_700",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_title_text_color="*neutral_700",
        input_placeholder_color="*neutral_500",
    )


def is_loopback(host):
    """Returns whether an address is that of this computer and of no network."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
