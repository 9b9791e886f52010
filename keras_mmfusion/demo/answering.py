"""Answers to questions about an image, and what they are based on."""

import html

from keras_mmfusion.demo.uploads import read_upload

COUNT = 5
_HEAD = '<tr><th scope="col">Answer</th><th scope="col">Probability</th><td></td></tr>'
_ROW = (
    '<tr><th scope="row">{text}</th><td>{share}</td><td class="mm-track">'
    '<div class="mm-bar" style="width:{share}"></div></td></tr>'
)


def answer_question(models, preset, photo, question):
    """Answers a question about an image.

    Args:
        models: `DemoModels`.
        preset: string.
        photo: string or `None`, the path of an image file.
        question: string.

    Returns:
        An HTML text: the most probable answers with their probabilities, the best first.

    Raises:
        ValueError: if there is no image or question, or the image cannot be read.
    """
    image, question = _read(photo, question)
    answers = models.load(preset).answer(image, question, top_k=COUNT, details=True)
    return _make_table(answers)


def explain_answer(models, preset, photo, question):
    """Explains the best answer: how much its score falls without each word and region.

    Args:
        models, preset, photo, question: see `answer_question`.

    Returns:
        An HTML text.

    Raises:
        ValueError: see `answer_question`.
    """
    from keras_mmfusion.explain import explain
    from keras_mmfusion.explain.figures.explanation_page import make_fragment

    image, question = _read(photo, question)
    sample = {"image": image, "question": question}
    explanation = explain(models.load(preset), sample, method="occlusion", level="token")
    return make_fragment(explanation)


def _read(photo, question):
    image = read_upload(photo)
    question = (question or "").strip()
    if not question:
        raise ValueError("There is no question. Write one, such as: what color is the shape?")
    return image, question


def _make_table(answers):
    rows = "".join(
        _ROW.format(text=html.escape(answer.text), share=f"{answer.probability:.1%}")
        for answer in answers
    )
    best = html.escape(answers[0].text)
    return f'<p class="mm-answer">{best}</p><table class="mm-table">{_HEAD}{rows}</table>'
