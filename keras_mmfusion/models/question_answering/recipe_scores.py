"""Scores of a recipe for question answering, next to models that do not see image or question."""

import dataclasses

import keras
import numpy as np

from keras_mmfusion.metrics.visual_question_answering import vqa_accuracy
from keras_mmfusion.models.question_answering.question_answering_recipe import (
    make_encode_function,
    train_question_answering,
)
from keras_mmfusion.models.question_answering.question_evaluation import evaluate_question_answering
from keras_mmfusion.models.question_answering.question_sequence import QuestionSequence

# The part of the questions that a blind model receives as the same for all questions.
BLIND_MODELS = {"question_only": "images", "image_only": "questions"}
TABLE = {
    "accuracy_mean": "Mean of seeds",
    "accuracy_question_only": "Question only",
    "accuracy_image_only": "Image only",
    "accuracy_shuffled_images": "Shuffled images",
}


def score_question_answering_recipe(
    recipe,
    data,
    dev_data,
    create_model,
    seeds=(0, 1, 2),
    batch_size=128,
    image_tokens=None,
    **options,
):
    """Trains a question answerer for each seed, and scores it next to blind models.

    The answers to many questions can be guessed. Three accuracies state how much a model depends on
    images and questions:

    - question only: of a model for which all questions have the same image, in training as well;
    - image only: of a model for which all images have the same question, in training as well;
    - shuffled images: of the model itself, with the images of other questions.

    All models are trained for `recipe.epochs` epochs: `dev_data` selects neither an epoch nor a
    seed.

    Args:
        recipe: `QuestionAnsweringRecipe`.
        data: `QuestionAnswers` of the training split.
        dev_data: `QuestionAnswers` to score the models on.
        create_model: function of a recipe and training data that returns an untrained model, such
            as `create_question_answerer` with an image encoder.
        seeds: sequence of ints. Seeds of the weights and the training.
        batch_size: int. Number of questions answered together.
        image_tokens: dict, image path -> tokens, such as `{}`, if all models are
            `QuestionAnswerer`s with the same frozen image encoder: each image is then encoded once
            for all models, and the tokens, in float16, are added to it. `None` otherwise.
        **options: `metrics` and `wordnet` of `evaluate_question_answering`.

    Returns:
        A tuple of the model of the first seed and an `EvaluationResult`: that of this model on
        `dev_data`, with the metrics `"accuracy_mean"` and `"accuracy_std"` (the standard deviation
        of a sample, if there are several seeds) and the means `"accuracy_question_only"`,
        `"accuracy_image_only"` and `"accuracy_shuffled_images"`. `protocol["runs"]` has the
        accuracies for each seed.

    Example:

    ```python
    train, dev = read_vqa_rad("vqa_rad", "train").split_by_image(0.2)
    model, result = score_question_answering_recipe(recipe, train, dev, create_model)
    ```
    """
    first, runs = None, []
    for seed in seeds:
        seeded = dataclasses.replace(recipe, seed=seed)
        settings = (seeded, batch_size, image_tokens)
        model = create_model(seeded, data)
        train_question_answering(seeded, data, model, image_tokens=image_tokens)
        if first is None:
            result = evaluate_question_answering(model, dev_data, batch_size, **options)
            first, accuracy = (model, result), result.metrics["accuracy"]
        else:
            accuracy = score_model(model, dev_data, *settings)
        shuffled = score_model(model, _shuffle_images(dev_data, seed), *settings)
        run = {"seed": seed, "accuracy": accuracy, "shuffled_images": shuffled}
        for name, part in BLIND_MODELS.items():
            value = getattr(data, part)[0]
            blind = create_model(seeded, data)
            train_data = _repeat(data, part, value)
            train_question_answering(seeded, train_data, blind, image_tokens=image_tokens)
            run[name] = score_model(blind, _repeat(dev_data, part, value), *settings)
        runs.append(run)
    model, result = first
    metrics = {**result.metrics, **_summarize(runs)}
    table = {**result.table, "metrics": {**result.table["metrics"], **TABLE}}
    return model, dataclasses.replace(result, metrics=metrics, table=table).add_protocol(
        recipe=dataclasses.asdict(recipe),
        training={"questions": len(data), "images": len(set(data.images))},
        runs=runs,
    )


def score_model(model, data, recipe, batch_size, image_tokens):
    """Computes the accuracy of a model, from the tokens of the images if there are any."""
    if image_tokens is None:
        return evaluate_question_answering(model, data, batch_size).metrics["accuracy"]
    encode = make_encode_function(recipe, model)
    batches = QuestionSequence(data, model, batch_size, False, 0, encode, image_tokens)
    answers = []
    for index in range(len(batches)):
        logits = keras.ops.convert_to_numpy(keras.Model.predict_on_batch(model, batches[index][0]))
        answers += [model.answers[best] for best in logits.argmax(axis=1)]
    predictions = dict(zip(data.question_ids, answers, strict=True))
    return vqa_accuracy(data.answers_by_id, predictions)[0]


def _repeat(data, part, value):
    """Returns the questions with the same image or the same text."""
    return dataclasses.replace(data, **{part: [value] * len(data)})


def _shuffle_images(data, seed):
    images = np.random.default_rng(seed).permutation(data.images).tolist()
    return dataclasses.replace(data, images=images)


def _summarize(runs):
    """Returns the means of the runs, and the standard deviation of the accuracy."""
    scores = [run["accuracy"] for run in runs]
    metrics = {"accuracy_mean": float(np.mean(scores))}
    if len(runs) > 1:
        metrics["accuracy_std"] = float(np.std(scores, ddof=1))
    for name in (*BLIND_MODELS, "shuffled_images"):
        metrics[f"accuracy_{name}"] = float(np.mean([run[name] for run in runs]))
    return metrics
