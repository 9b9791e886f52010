"""`tf.data` pipeline of questions, images and answers."""

import numpy as np

from keras_mmfusion.datasets.images.image_rows import batch_image_rows


def question_dataset(
    data,
    classes=None,
    batch_size=32,
    image_size=(224, 224),
    answers_per_question=10,
    shuffle=True,
    seed=0,
    cache=False,
    drop_alpha=False,
    reduce_jpegs=False,
):
    """Decodes images in parallel and batches them with their questions and answers.

    All images are resized to `image_size`. Questions are not tokenized.

    Args:
        data: `QuestionAnswers`.
        classes: list of strings. The classes of an answer classifier; see
            `QuestionAnswers.list_frequent_answers`. `None` for answers as text.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`.
        answers_per_question: int. Without `classes`, additional answers are dropped, and missing
            answers are empty strings.
        shuffle: bool. Whether to visit the questions in a new random order each epoch.
        seed: int. The seed of the order.
        cache: bool. Whether to keep the resized images in memory after the first epoch;
            consecutive questions about the same image share it.
        drop_alpha: bool. Whether to ignore the transparency of images instead of blending them with
            white; `True` for the models of public checkpoints.
        reduce_jpegs: bool. Whether large JPEG files are decoded at a smaller size; see
            `caption_dataset`.

    Returns:
        A `tf.data.Dataset`. Without `classes`, of dicts: `"images"`, uint8 `(batch, height,
        width, 3)`, `"questions"`, strings `(batch,)`, and `"answers"`, strings `(batch,
        answers_per_question)`. With `classes`, of tuples `(inputs, targets)`: a dict with
        `"images"` and `"questions"`, and the accuracy of each class, float32 `(batch, classes)`;
        see `metrics.answer_accuracies`. Targets are zero if no answer is among the classes.

    Raises:
        ValueError: if no class is an answer to a question.
    """
    import tensorflow as tf

    columns = {"questions": data.questions}
    if classes is None:
        empty = [""] * answers_per_question
        columns["answers"] = [[*each, *empty][:answers_per_question] for each in data.answers]
    else:
        columns["indices"], columns["scores"] = _compute_scores(data, classes)
    batches = batch_image_rows(
        data.images, columns, batch_size, image_size, shuffle, seed, cache, drop_alpha, reduce_jpegs
    )
    if classes is not None:
        batches = batches.map(lambda batch: _split_batch(batch, len(classes)))
    return batches.prefetch(tf.data.AUTOTUNE)


def _compute_scores(data, classes):
    """Returns the class indices of the answers, padded with -1, and their scores, two arrays."""
    scores = data.answer_scores(classes)
    width = max(map(len, scores))
    if not width:
        raise ValueError("`classes` must contain an answer to a question in `data`.")
    indices = np.full((len(data), width), -1, "int32")
    values = np.zeros((len(data), width), "float32")
    for row, each in enumerate(scores):
        indices[row, : len(each)] = list(each)
        values[row, : len(each)] = list(each.values())
    return indices, values


def _split_batch(batch, classes):
    import tensorflow as tf

    # Scores are made dense per batch, because those of VQA for 3,000 classes have gigabytes.
    one_hot = tf.one_hot(batch["indices"], classes)
    inputs = {"images": batch["images"], "questions": batch["questions"]}
    return inputs, tf.einsum("bac,ba->bc", one_hot, batch["scores"])
