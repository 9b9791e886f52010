"""Questions, images and answers as a tf.data pipeline."""

import numpy as np

from keras_mmfusion.datasets.images.image_rows import image_rows


def question_dataset(
    data,
    classes=None,
    batch_size=32,
    image_size=(224, 224),
    answers_per_question=10,
    shuffle=True,
    seed=0,
    cache=False,
):
    """Decodes images in parallel and batches them with their questions and answers.

    All images are stretched to `image_size`. Questions stay text.

    Args:
        data: `QuestionAnswers`.
        classes: list of strings, the answers that a model chooses from; see
            `QuestionAnswers.frequent_answers`. `None` for answers as text.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`.
        answers_per_question: int. Without `classes`: further answers are left out, missing ones
            are empty strings.
        shuffle: bool. Visit all questions in a new random order each epoch.
        seed: int. Seeds the order.
        cache: bool. Keep the resized images in memory after the first epoch, each once for all of
            its questions that stand together.

    Returns:
        A `tf.data.Dataset`. Without `classes`, of dicts: `"images"`, uint8 `(batch, height,
        width, 3)`, `"questions"`, strings `(batch,)`, and `"answers"`, strings `(batch,
        answers_per_question)`. With `classes`, of tuples for `fit`: a dict of `"images"` and
        `"questions"`, and float32 `(batch, classes)`, how right each answer is by the consensus
        of `metrics.answer_accuracies`; a row of zeros where none of them was given.

    Raises:
        ValueError: if there are `classes` and no question has one for an answer.
    """
    import tensorflow as tf

    columns = {"questions": data.questions}
    if classes is None:
        empty = [""] * answers_per_question
        columns["answers"] = [[*people, *empty][:answers_per_question] for people in data.answers]
    else:
        columns["places"], columns["scores"] = _scores(data, classes)
    batches = image_rows(data.images, columns, batch_size, image_size, shuffle, seed, cache)
    if classes is not None:
        batches = batches.map(lambda batch: _inputs_and_targets(batch, len(classes)))
    return batches.prefetch(tf.data.AUTOTUNE)


def _scores(data, classes):
    """Places of the answers among the classes, -1 for none, and their scores: two arrays."""
    scores = data.answer_scores(classes)
    width = max(map(len, scores))
    if not width:
        raise ValueError("`classes` has no answer that was given to a question of `data`.")
    places = np.full((len(data), width), -1, "int32")
    values = np.zeros((len(data), width), "float32")
    for row, each in enumerate(scores):
        places[row, : len(each)] = list(each)
        values[row, : len(each)] = list(each.values())
    return places, values


def _inputs_and_targets(batch, classes):
    import tensorflow as tf

    # Dense only here: all of VQA's scores for 3,000 classes are gigabytes.
    chosen = tf.one_hot(batch["places"], classes)
    inputs = {"images": batch["images"], "questions": batch["questions"]}
    return inputs, tf.einsum("bac,ba->bc", chosen, batch["scores"])
