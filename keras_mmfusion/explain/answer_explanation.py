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


@dataclasses.dataclass(frozen=True)
class AnswerExplanation:
    """The effect of each region and word on the logit of an answer.

    Args:
        question: string.
        answer: `Answer`.
        image_map: float array `(rows, columns)`: how much the logit of the answer falls if the
            fusion does not get the image token of a cell.
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
    effect(t) = logit(answer | all tokens) - logit(answer | all tokens but t)
    ```

    An image token is masked in the fusion, a word in the text encoder and in the fusion. This suits
    any encoder and any rule of fusion.

    Args:
        model: `QuestionAnswerer` with a preprocessor.
        image, question: one image and one question, see `QuestionAnsweringModel.answer`.
        answer: string, one of `model.answers`. Defaults to the model's answer.

    Returns:
        `AnswerExplanation`.

    Raises:
        ValueError: if the image encoder returns a vector, which has no regions, or `answer` is not
            one of the model's answers.
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
    tokens = ops.convert_to_numpy(model.encode_images(ops.convert_to_tensor(pixels)))
    if tokens.ndim != 3:
        raise ValueError(
            "The image encoder returns a vector, so there are no regions to explain. Use an "
            "encoder that returns tokens or a feature map."
        )
    [ids] = model.preprocessor.tokenize_questions([question])
    ids = np.array([ids], "int32")
    image_tokens, words = tokens.shape[1], ids.shape[1]
    # All tokens; then without each image token; then without each word.
    image_masks = np.ones((1 + image_tokens + words, image_tokens), "bool")
    word_masks = np.ones((1 + image_tokens + words, words), "bool")
    image_masks[1 : 1 + image_tokens][np.diag_indices(image_tokens)] = False
    word_masks[1 + image_tokens :][np.diag_indices(words)] = False
    batches = [slice(i, i + BATCH_SIZE) for i in range(0, len(image_masks), BATCH_SIZE)]
    logits = [
        _compute_logits(model, tokens, ids, image_masks[batch], word_masks[batch])
        for batch in batches
    ]
    logits = np.concatenate(logits)[:, index]
    effects = logits[0] - logits[1:]
    tokenizer = model.preprocessor.tokenizer
    return AnswerExplanation(
        question,
        chosen,
        _arrange(effects[:image_tokens], find_grid(model.image_encoder, image_tokens)),
        [tokenizer.id_to_token(int(i)) for i in ids[0, 1:-1]],
        effects[image_tokens:][1:-1],
    )


def _compute_logits(model, tokens, ids, image_masks, word_masks):
    count = len(image_masks)
    ids = ops.convert_to_tensor(np.repeat(ids, count, axis=0))
    word_masks = ops.convert_to_tensor(word_masks)
    text_tokens = encode_questions(model.text_encoder, ids, word_masks, training=False)
    masks = {"image": ops.convert_to_tensor(image_masks), "text": word_masks}
    if len(text_tokens.shape) == 2:
        masks["text"] = None
    tokens = ops.convert_to_tensor(np.repeat(tokens, count, axis=0))
    logits = model.fuse({"image": tokens, "text": text_tokens}, masks, training=False)
    return ops.convert_to_numpy(ops.cast(logits, "float32"))


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
