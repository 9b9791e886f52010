"""The tab that captions a photo."""

import functools

import gradio as gr

from keras_mmfusion.demo.captioning import (
    BEAM_SEARCH,
    BEAMS,
    GREEDY,
    MAX_CAPTIONS,
    METHODS,
    SAMPLING,
    CaptionOptions,
    caption_photo,
)
from keras_mmfusion.demo.error_messages import show_errors
from keras_mmfusion.demo.example_photos import PHOTOS
from keras_mmfusion.demo.tabs.components import (
    ONE_AT_A_TIME,
    add_photo_input,
    add_preset_input,
)

NOTE = (
    "Point at a word, or reach it with the Tab key, to see where the model looked while it "
    "generated the word. Attention shows where information was taken from, not why the word was "
    "chosen."
)
LIMITS = (
    "The presets of the zoo were trained on 6,000 photos, mostly of people and dogs. About other "
    "subjects, their captions are fluent and often wrong."
)


def add_caption_tab(models):
    """Adds the tab.

    Args:
        models: `DemoModels`.
    """
    with gr.Row():
        with gr.Column():
            photo = add_photo_input()
            gr.Examples(list(PHOTOS.values()), photo, label="Examples", example_labels=list(PHOTOS))
            preset = add_preset_input(models, "captioner")
            options = _add_options()
            button = gr.Button("Caption", variant="primary")
        with gr.Column():
            caption = gr.HTML(label="Caption", elem_id="caption", min_height=120)
            gr.Markdown(NOTE, elem_classes="mm-note")
    gr.Markdown(LIMITS, elem_classes="mm-note")
    run = show_errors(functools.partial(_caption, models))
    button.click(run, [photo, preset, *options], caption, **ONE_AT_A_TIME)
    # A new photo is captioned at once; removing it clears the caption.
    photo.change(
        lambda chosen, *rest: run(chosen, *rest) if chosen else "",
        [photo, preset, *options],
        caption,
        **ONE_AT_A_TIME,
    )


def _caption(models, photo, preset, *options):
    return caption_photo(models, preset, photo, CaptionOptions(*options))


def _add_options():
    """Adds the fields of `CaptionOptions`, in their order."""
    defaults = CaptionOptions()
    with gr.Accordion("Options", open=False):
        method = gr.Radio(METHODS, value=defaults.method, label="Method")
        beams = gr.Radio(BEAMS, value=defaults.beams, label="Beams")
        temperature = gr.Slider(
            0.1, 2, defaults.temperature, step=0.1, label="Temperature", visible=False
        )
        count = gr.Slider(1, MAX_CAPTIONS, defaults.count, step=1, label="Number of captions")
        prompt = gr.Textbox(label="First words", placeholder="a picture of", max_length=100)
        seed = gr.Number(defaults.seed, precision=0, minimum=0, label="Seed", visible=False)
        gr.Markdown(
            "The first caption with a new method, number of beams, number of captions, or "
            "temperature takes longer, because the search is compiled for it.",
            elem_classes="mm-note",
        )
    method.change(
        lambda chosen: [
            gr.update(visible=chosen == BEAM_SEARCH),
            gr.update(visible=chosen == SAMPLING),
            gr.update(visible=chosen != GREEDY),
            gr.update(visible=chosen == SAMPLING),
        ],
        method,
        [beams, temperature, count, seed],
        show_progress="hidden",
        queue=False,
    )
    return method, beams, temperature, count, prompt, seed
