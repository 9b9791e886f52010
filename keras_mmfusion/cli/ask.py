"""`mmfusion ask`: the answer to a question about an image."""

import json
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli import options
from keras_mmfusion.cli.model_files import check_model, load_model


def ask(
    photo: Annotated[pathlib.Path, typer.Argument(metavar="IMAGE", help="Image file.")],
    questions: Annotated[
        list[str], typer.Argument(metavar="QUESTION...", help="Questions about the image.")
    ],
    preset: options.Preset,
    count: Annotated[int, typer.Option(min=1, help="Number of answers to each question.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: image, questions, answers, probabilities.")
    ] = False,
):
    """Answer questions about an image.

    Several answers to a question are printed with their probabilities.

    Example:
      mmfusion ask photo.jpg "how many dogs are there?" --preset hf://Salesforce/blip-vqa-base
    """
    from keras_mmfusion.datasets.images.read_image import read_image

    read_image(photo)  # Errors come before Keras is imported, which takes seconds.
    check_model(preset)
    from keras_mmfusion.models.question_answering import QuestionAnsweringModel

    model = load_model(preset, QuestionAnsweringModel)
    answers = model.answer(photo, questions, top_k=count, details=True)
    if count == 1:
        answers = [[answer] for answer in answers]
    results = [
        {
            "image": str(photo),
            "question": question,
            "answers": [
                {"answer": answer.text, "probability": round(answer.probability, 4)}
                for answer in each
            ],
        }
        for question, each in zip(questions, answers, strict=True)
    ]
    if as_json:
        typer.echo(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        _print(results, count)


def _print(results, count):
    for number, result in enumerate(results):
        if len(results) > 1:
            typer.echo("\n" * bool(number) + result["question"])
        for answer in result["answers"]:
            probability = f"{answer['probability']:.3f}  " if count > 1 else ""
            typer.echo(probability + answer["answer"])
