"""What an answer depends on: regions of the image and words of the question."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.models.question_answering.answer_choices import AnswerChoices
from keras_mmfusion.models.question_answering.input_encoding import encode_questions
from keras_mmfusion.models.question_answering.question_answerer import QuestionAnswerer
from keras_mmfusion.models.question_answering.question_answering_model import Answer
from keras_mmfusion.models.question_answering.question_pairs import pair_questions

BATCH_SIZE = 64
VECTOR_GRID = (8, 8)  # Regions of the image of an encoder that returns a vector.


@dataclasses.dataclass(frozen=True)
class AnswerExplanation:
    """The effect of each region and word on the logit of an answer.

    Args:
        question: string.
        answer: `Answer`.
        image_map: float array `(rows, columns)`: how much the logit of the answer falls without the
            image token of a cell or, for an image encoder that returns a vector, without the
            pixels of the cell.
        words: list of strings, the tokens of the question.
        word_effects: float array `(words,)`, the same for the words.
    """

    question: str
    answer: Answer
    image_map: np.ndarray
    words: list
    word_effects: np.ndarray


def explain_answer(model, image, question, answer=None):
    """Computes which regions and words an answer depends on, by leaving each out.

    ```
    effect(t) = logit(answer | all) - logit(answer | all but t)
    ```

    An image token is masked in the fusion, a word in the text encoder and in the fusion. If the
    image encoder returns a vector, each cell of an 8 by 8 grid of the image is replaced by the
    median color of the image instead. This suits any encoder and any rule of fusion.

    Args:
        model: `QuestionAnswerer` with a preprocessor.
        image, question: one image and one question, see `QuestionAnsweringModel.answer`.
        answer: string, one of `model.answers`. Defaults to the model's answer.

    Returns:
        `AnswerExplanation`.

    Raises:
        ValueError: if `model` is not a `QuestionAnswerer`, or `answer` is not one of the model's
            answers.
    """
    if not isinstance(model, QuestionAnswerer):
        raise ValueError(
            f"`model` must be a `QuestionAnswerer`. A {type(model).__name__} cannot be explained."
        )
    chosen = model.answer(image, question, details=True)
    if answer is not None:
        [index] = AnswerChoices(model.answers, [answer]).get_classes(0)
        every = model.answer(image, question, len(model.answers), details=True)
        every = every if isinstance(every, list) else [every]
        chosen = next(each for each in every if each.text == model.answers[index])
    index = model.answers.index(chosen.text)
    pairs, _ = pair_questions(image, question, drops_alpha(model.preprocessor))
    pixels = model.preprocessor.convert_image(next(pairs)[0])[np.newaxis]
    tokens = _encode(model, pixels)
    [ids] = model.preprocessor.tokenize_questions([question])
    ids = np.array([ids], "int32")
    is_vector = tokens.ndim == 2
    grid = VECTOR_GRID if is_vector else find_grid(model.image_encoder, tokens.shape[1])
    regions, words = grid[0] * grid[1] if is_vector else tokens.shape[1], ids.shape[1]
    # All of the input; then without each region; then without each word.
    word_masks = np.ones((1 + regions + words, words), "bool")
    word_masks[1 + regions :][np.diag_indices(words)] = False
    if is_vector:
        image_masks = None
        hidden = _encode(model, hide_cells(pixels[0], grid))
        tokens = np.concatenate([tokens, hidden, np.repeat(tokens, words, axis=0)])
    else:
        image_masks = np.ones((len(word_masks), regions), "bool")
        image_masks[1 : 1 + regions][np.diag_indices(regions)] = False
    logits = _compute_logits(model, tokens, ids, image_masks, word_masks)[:, index]
    effects = logits[0] - logits[1:]
    tokenizer = model.preprocessor.tokenizer
    return AnswerExplanation(
        question,
        chosen,
        _arrange(effects[:regions], grid),
        [tokenizer.id_to_token(int(i)) for i in ids[0, 1:-1]],
        effects[regions:][1:-1],
    )


def _encode(model, pixels):
    return ops.convert_to_numpy(model.encode_images(ops.convert_to_tensor(pixels)))


def hide_cells(image, grid):
    """Replaces each cell of a grid by the median color.

    Args:
        image: array `(height, width, channels)`.
        grid: tuple of the numbers of rows and columns.

    Returns:
        Array `(rows * columns, height, width, channels)`.
    """
    rows, columns = (
        np.linspace(0, size, count + 1).astype(int)
        for size, count in zip(image.shape, grid, strict=False)
    )
    median = np.median(image, axis=(0, 1))
    images = np.repeat(image[np.newaxis], grid[0] * grid[1], axis=0)
    for cell, hidden in enumerate(images):
        row, column = divmod(cell, grid[1])
        region = slice(*rows[row : row + 2]), slice(*columns[column : column + 2])
        hidden[region] = median
    return images


def _compute_logits(model, tokens, ids, image_masks, word_masks):
    """Computes the logits of a question for each row of masks, in batches.

    `tokens` has one row for all, or one for each if there are no `image_masks`.
    """
    logits = []
    for start in range(0, len(word_masks), BATCH_SIZE):
        batch = slice(start, start + BATCH_SIZE)
        words = ops.convert_to_tensor(word_masks[batch])
        count = len(word_masks[batch])
        rows = ops.convert_to_tensor(np.repeat(ids, count, axis=0))
        text_tokens = encode_questions(model.text_encoder, rows, words, training=False)
        masks = {"text": None if len(text_tokens.shape) == 2 else words, "image": None}
        if image_masks is None:
            image_tokens = tokens[batch]
        else:
            image_tokens = np.repeat(tokens, count, axis=0)
            masks["image"] = ops.convert_to_tensor(image_masks[batch])
        inputs = {"image": ops.convert_to_tensor(image_tokens), "text": text_tokens}
        logits.append(ops.convert_to_numpy(ops.cast(model.fuse(inputs, masks), "float32")))
    return np.concatenate(logits)


def find_grid(encoder, count):
    """Finds the rows and columns of the tokens of an image encoder; a row if they are unknown."""
    grid = getattr(encoder, "grid", None)
    if grid is not None:
        return tuple(grid)
    shape = getattr(encoder, "output_shape", None)
    if isinstance(shape, tuple) and len(shape) == 4:
        is_first = keras.config.image_data_format() == "channels_first"
        return shape[2:] if is_first else shape[1:3]
    side = int(count**0.5)
    return (side, side) if side * side in (count, count - 1) else (1, count)


def _arrange(effects, grid):
    """Arranges the effects of the last tokens on a grid; class tokens come first."""
    return effects[len(effects) - grid[0] * grid[1] :].reshape(grid)
