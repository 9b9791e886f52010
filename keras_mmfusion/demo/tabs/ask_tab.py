"""The tab that answers questions about an image."""

import functools

import gradio as gr

from keras_mmfusion.demo.answering import answer_question, explain_answer
from keras_mmfusion.demo.error_messages import show_errors
from keras_mmfusion.demo.example_photos import MAN_IN_HAT, SHAPE
from keras_mmfusion.demo.tabs.components import (
    ONE_AT_A_TIME,
    add_photo_input,
    add_preset_input,
)

EXAMPLES = {
    "a circle: what color is the shape?": (SHAPE, "what color is the shape?"),
    "a circle: is there a triangle?": (SHAPE, "is there a triangle?"),
    "a man with a hat: what is the man wearing?": (MAN_IN_HAT, "what is the man wearing?"),
}
LIMITS = (
    "`vqa_easy` only knows one circle, rectangle, or triangle on a light background: its answers "
    "about other images are meaningless. The other presets of the zoo are small models and are "
    "often wrong, see their cards. `vqa_rad` is not for diagnosis. Every model answers with one of "
    "the answers that it knows, also to questions that have none."
)


def add_ask_tab(models):
    """Adds the tab.

    Args:
        models: `DemoModels`.
    """
    with gr.Row():
        with gr.Column():
            photo = add_photo_input("Image")
            question = gr.Textbox(label="Question", placeholder="what color is the shape?")
            preset = add_preset_input(models, "vqa")
            gr.Examples(
                [list(example) for example in EXAMPLES.values()],
                [photo, question],
                label="Examples",
                example_labels=list(EXAMPLES),
            )
            with gr.Row():
                ask = gr.Button("Ask", variant="primary")
                explain = gr.Button("Explain the answer")
        with gr.Column():
            answers = gr.HTML(label="Answers", elem_id="answers", min_height=120)
            explanation = gr.HTML(label="Explanation", elem_id="answer-explanation")
    gr.Markdown(LIMITS, elem_classes="mm-note")
    inputs, outputs = [photo, preset, question], [answers, explanation]
    run = show_errors(functools.partial(_answer, models), len(outputs))
    gr.on([ask.click, question.submit], run, inputs, outputs, **ONE_AT_A_TIME)
    run = show_errors(functools.partial(_explain, models))
    explain.click(run, inputs, explanation, **ONE_AT_A_TIME)


def _answer(models, photo, preset, question):
    return answer_question(models, preset, photo, question), ""


def _explain(models, photo, preset, question):
    return explain_answer(models, preset, photo, question)
