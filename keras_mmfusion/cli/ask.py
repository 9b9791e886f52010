"""`mmfusion ask`: the answer to a question about an image."""

import inspect
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
    choices: Annotated[
        list[str] | None,
        typer.Option("--choice", help="An answer to choose from; repeat it for each."),
    ] = None,
    explain: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="OUT.png",
            help="Plot the regions and words that support the answer to this file; to OUT-1.png, "
            "OUT-2.png, ... for several questions.",
        ),
    ] = None,
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

    if explain is not None:
        from keras_mmfusion.explain.figures.figure_files import check_figure_path

        check_figure_path(explain)
    read_image(photo)  # Errors come before Keras is imported, which takes seconds.
    check_model(preset)
    from keras_mmfusion.models.question_answering import QuestionAnsweringModel

    model = load_model(preset, QuestionAnsweringModel)
    restriction = {"choices": choices} if choices else {}
    if choices and "choices" not in inspect.signature(model.answer).parameters:
        raise ValueError(f"`--choice` is not supported by a {type(model).__name__}.")
    answers = model.answer(photo, questions, top_k=count, details=True, **restriction)
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
    if explain is not None:
        _explain(model, photo, results, explain)
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


def _explain(model, image, results, out):
    """Plots an explanation of the first answer to each question."""
    from keras_mmfusion.explain import explain as explain_answer

    for number, result in enumerate(results, start=1):
        path = out.with_stem(f"{out.stem}-{number}") if len(results) > 1 else out
        sample = {"image": image, "question": result["question"]}
        answer = result["answers"][0]["answer"]
        explanation = explain_answer(model, sample, answer, "occlusion", "token")
        explanation.plot(path)
        result["figure"] = str(path)
