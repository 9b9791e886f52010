"""The tab that compares the captions of two presets."""

import functools

import gradio as gr

from keras_mmfusion.demo.comparing import compare_captions
from keras_mmfusion.demo.error_messages import show_errors
from keras_mmfusion.demo.example_photos import PHOTOS
from keras_mmfusion.demo.tabs.components import ONE_AT_A_TIME, add_photo_input

NOTE = (
    "Both presets use beam search with 4 beams. The time is that of one caption on this computer, "
    "without loading and compilation. One photo does not show which preset is better: compare the "
    "scores in their cards. `mmfusion zoo pull` adds presets, and so does the option `--preset`."
)


def add_compare_tab(models):
    """Adds the tab.

    Args:
        models: `DemoModels`.
    """
    names = models.list_presets("captioner")
    photo = add_photo_input()
    gr.Examples(list(PHOTOS.values()), photo, label="Examples", example_labels=list(PHOTOS))
    presets, captions = [], []
    button = gr.Button("Compare", variant="primary")
    with gr.Row():
        for number, name in ((1, names[0]), (2, names[-1])):
            with gr.Column():
                presets.append(
                    gr.Dropdown(names, value=name, label=f"Preset {number}", filterable=False)
                )
                captions.append(gr.HTML(elem_id=f"comparison-{number}", min_height=120))
    gr.Markdown(NOTE, elem_classes="mm-note")
    run = show_errors(functools.partial(compare_captions, models), len(captions))
    button.click(run, [*presets, photo], captions, **ONE_AT_A_TIME)
