"""The inputs of parity.py, and how many of them are compared.

Both sides import this module, so it needs neither Keras nor PyTorch.
"""

import numpy as np
from parity_cases import BERT_IDS, PAD

LENGTHS = {"tiny": 10, "full": 16}  # Of generated texts.
BEAMS = 4
LOGIT_ROWS = 4  # Inputs whose logits and loss are compared.
PROMPT_ROWS = {"tiny": 50, "full": 10}  # Inputs whose texts begin with a prompt.
TOKENS = (8, 6, 4, 3)  # Of the captions and texts of these inputs; the rest is padding.
TEXT_LENGTHS = {"blip": 35, "clip": 77, "siglip": 64}  # Of full size.
QUESTION_TOKENS = (5, 7)


def get_prompt(size):
    """Returns the ids of a prompt."""
    return {"tiny": (7, 21), "full": (1037, 3861, 1997)}[size]


def make_images(case, size, rows):
    """Makes random images, float32 `(rows, [frames,] height, width, 3)`: colored squares and noise.

    Squares differ more from image to image than noise does, and so do the texts about them.
    """
    rng = np.random.default_rng(1)
    pixels = case.get_image_size(size)
    shape = (rows,) if case.frames is None else (rows, case.frames)
    index = np.arange(pixels) * 6 // pixels
    squares = rng.normal(scale=1.2, size=(*shape, 6, 6, 3))[..., index, :, :][..., index, :]
    noise = rng.normal(scale=0.3, size=(*shape, pixels, pixels, 3))
    return (squares + noise).astype("float32")


def make_captions(case, size):
    """Makes ids `(LOGIT_ROWS, tokens)`, int32, that begin with the start token, and their mask."""
    rng = np.random.default_rng(2)
    start, end, pad, _ = case.get_special_tokens(size)
    ids = rng.integers(5, min(50, case.get_vocabulary_size(size)), (LOGIT_ROWS, max(TOKENS)))
    ids[:, 0] = start
    mask = np.arange(max(TOKENS)) < np.array(TOKENS)[:, None]
    ids = np.where(mask, ids, pad)
    ids[np.arange(LOGIT_ROWS), np.array(TOKENS) - 1] = end
    return ids.astype("int32"), mask


def make_questions(size, rows):
    """Makes a list of questions, int32 vectors of different lengths."""
    rng = np.random.default_rng(3)
    _, start, end, _ = BERT_IDS[size]
    questions = []
    for row in range(rows):
        words = rng.integers(5, 50, QUESTION_TOKENS[row % len(QUESTION_TOKENS)] - 2)
        questions.append(np.array([start, *words, end], "int32"))
    return questions


def pad_questions(questions):
    """Returns ids `(rows, tokens)`, int32, and their mask."""
    ids = np.full((len(questions), max(map(len, questions))), PAD, "int32")
    for row, question in zip(ids, questions, strict=True):
        row[: len(question)] = question
    return ids, ids != PAD


def make_image_sizes(case, size, rows):
    """Makes the heights and widths, int32 `(rows, 2)`, of images that are padded at the end."""
    rng = np.random.default_rng(5)
    patch = case.sizes[size]["patch_size"]
    count = case.get_image_size(size) // patch
    sizes = rng.integers(count // 2, count, (rows, 2), endpoint=True)
    sizes[0] = count
    return (sizes * patch).astype("int32")


def make_scores(case, size):
    """Makes the scores of all answers, float32 `(LOGIT_ROWS, answers)`."""
    rng = np.random.default_rng(6)
    return rng.random((LOGIT_ROWS, len(case.sizes[size]["id2label"]))).astype("float32")


def make_texts(case, size, rows):
    """Makes texts for an encoder: padded ids `(rows, length)`, int32, and their mask."""
    rng = np.random.default_rng(4)
    length = case.sizes[size]["text_config"].get("max_position_embeddings")
    length = length or TEXT_LENGTHS[case.tokenizer]
    start, end, pad, _ = case.get_special_tokens(size)
    ids = rng.integers(5, 50, (rows, length))
    lengths = rng.integers(3, length, rows)
    ids[:, 0] = start
    mask = np.arange(length) < lengths[:, None]
    ids = np.where(mask, ids, pad)
    ids[np.arange(rows), lengths - 1] = end
    return ids.astype("int32"), mask


def strip_padding(ids, end, pad):
    """Replaces the ids after the first end token by padding."""
    ends = np.cumsum(ids == end, axis=-1)
    return np.where(ends - (ids == end) > 0, pad, ids).astype("int32")
