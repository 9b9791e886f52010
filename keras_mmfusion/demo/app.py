"""The web page."""

import os
import pathlib

from keras_mmfusion._extras import require_extra

TITLE = "keras_mmfusion"
STYLE = pathlib.Path(__file__).with_name("style.css")
INTRODUCTION = """# keras_mmfusion

Try the models on your own data. Everything is computed on the machine that runs `mmfusion demo`; \
the page loads nothing from elsewhere. Uploaded files are deleted after an hour."""
HOUR = 3600


def create_app(models):
    """Creates the web page.

    Args:
        models: `DemoModels`.

    Returns:
        A `gradio.Blocks`.

    Raises:
        MissingExtraError: if Gradio is not installed.
    """
    require_extra("demo", "The demo", "gradio")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio as gr

    from keras_mmfusion.demo.tabs.ask_tab import add_ask_tab
    from keras_mmfusion.demo.tabs.caption_tab import add_caption_tab
    from keras_mmfusion.demo.tabs.compare_tab import add_compare_tab

    tabs = {"Caption": add_caption_tab, "Ask": add_ask_tab, "Compare": add_compare_tab}
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(HOUR, HOUR)) as app:
        gr.Markdown(INTRODUCTION)
        with gr.Tabs():
            for name, add_tab in tabs.items():
                with gr.Tab(name, id=name.lower()):
                    add_tab(models)
    return app
