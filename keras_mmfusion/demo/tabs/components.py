"""What the tabs share."""

import gradio as gr

# All models run one after another, since they would slow each other down.
ONE_AT_A_TIME = {"concurrency_id": "models", "concurrency_limit": 1, "api_visibility": "private"}


def add_photo_input(label="Photo"):
    """Adds an input for an image by upload, paste, or webcam: the path of the unchanged file."""
    photo = gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard", "webcam"],
        height=300,
        buttons=[],
        # Equal to the label that Gradio gives the button for screen readers.
        placeholder="Drop an image file here to upload",
        alt_text=f"The selected {label.lower()}",
    )
    # Gradio would decode the file before the page can say what is wrong with it. It would also
    # write a stub file into this package for a subclass.
    photo.preprocess = lambda payload: None if payload is None else payload.path
    return photo


def add_preset_input(models, task, label="Preset"):
    """Adds a choice of the presets of a task, with the description of the chosen one."""
    names = models.list_presets(task)
    preset = gr.Dropdown(names, value=names[0], label=label, filterable=False)
    about = gr.Markdown(models.describe(names[0]), elem_classes="mm-note")
    preset.change(models.describe, preset, about, show_progress="hidden", queue=False)
    return preset
