"""Peer of parity.py: loads a checkpoint with this package, and computes its outputs."""

import functools
import pathlib
import time

import keras
import numpy as np
from keras import ops
from parity_cases import (
    BEAMS,
    CASES,
    LENGTHS,
    LOGIT_ROWS,
    TOKENS,
    get_prompt,
    make_captions,
    make_images,
    make_questions,
    make_texts,
)
from peer_process import serve

from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)

SINGLE_ROWS = 3  # Inputs that are also generated for alone.


def run(architecture, size, folder, rows, batch, with_loss, with_bfloat16, total=None):
    """Compares the outputs of a checkpoint with those in `expected.npz` beside it.

    Args:
        architecture: string. The name of a case.
        size: string. `"tiny"` or `"full"`.
        folder: string.
        rows: int. The number of inputs, at most those of `expected.npz`.
        batch: int. The number of inputs of a forward pass.
        with_loss: bool. Whether to compare the loss and the norm of its gradients.
        with_bfloat16: bool. Whether to generate in bfloat16 as well.
        total: int. The number of inputs of `expected.npz`. Defaults to `rows`.

    Returns:
        A dict of differences and shares.
    """
    case = CASES[architecture]
    with np.load(pathlib.Path(folder) / "expected.npz") as file:
        expected = dict(file)
    begin = time.perf_counter()
    load = functools.partial(load_model, folder)
    compile_options = {"jit_compile": False} if size == "tiny" else {}
    model = load()
    report = {"inputs": rows, "load_seconds": time.perf_counter() - begin}
    begin = time.perf_counter()
    _compile(model, case, compile_options)
    total = total or rows
    report |= KINDS[case.kind](model, case, size, rows, batch, expected, total)
    report["seconds"] = time.perf_counter() - begin
    if with_bfloat16 and "greedy" in expected:
        del model
        model = load(dtype="bfloat16")
        _compile(model, case, compile_options)
        ids = GENERATORS[case.kind](model, case, size, rows, batch, total)
        report["bfloat16_same_greedy"] = compute_share(ids, expected["greedy"][:rows])
    if with_loss:
        report |= compare_loss(load(), case, size, expected)
    return report


def load_model(folder, dtype=None):
    """Loads a checkpoint without its preprocessor: the inputs are pixels and ids."""
    model = load_checkpoint(folder, dtype=dtype)
    model.preprocessor = None
    return model


def _compile(model, case, options):
    if case.kind != "contrastive":
        model.compile(**options)


def to_numpy(x):
    return ops.convert_to_numpy(x)


def compute_difference(found, expected):
    """Returns the largest absolute difference."""
    return float(np.max(np.abs(np.asarray(found, "float64") - expected)))


def compute_share(found, expected):
    """Returns the share of identical rows."""
    return float(np.mean((found == expected).all(axis=-1)))


def generate(model, case, size, beams, tokens, prompt=()):
    """Returns generated ids without the start token."""
    settings = DecodingSettings(LENGTHS[size], beams=beams, length_penalty=1.0, prompt=prompt)
    special = SpecialTokens(*case.tokens(size))
    return model.generate_tokens(tokens, settings, special)[0][:, 0]


def encode(model, images, batch):
    """Encodes images once for several searches: a list of batches of tokens."""
    return [model.encode(images[start : start + batch]) for start in range(0, len(images), batch)]


def caption(model, case, size, rows, batch, total):
    """Generates captions by greedy search."""
    batches = encode(model, make_images(case, size, total)[:rows], batch)
    return np.concatenate([generate(model, case, size, 1, tokens) for tokens in batches])


def compare_captioner(model, case, size, rows, batch, expected, total):
    images = make_images(case, size, total)
    ids, mask = make_captions(case, size)
    logits = to_numpy(model(images[:LOGIT_ROWS], ids))
    single = [
        to_numpy(model(images[row : row + 1], ids[row : row + 1, :count]))[0]
        for row, count in enumerate(TOKENS)
    ]
    report = {
        "logits": compute_difference(logits[mask], expected["logits"][mask]),
        "logit_range": float(np.ptp(expected["logits"][mask])),
        "padding": compute_difference(logits[mask], np.concatenate(single)),
    }
    batches = encode(model, images[:rows], batch)
    for search, beams, prompt in (
        ("greedy", 1, ()),
        ("beams", BEAMS, ()),
        ("prompted", BEAMS, get_prompt(size)),
    ):
        found = np.concatenate(
            [generate(model, case, size, beams, tokens, prompt) for tokens in batches]
        )
        report[f"same_{search}"] = compute_share(found, expected[search][:rows])
        if search == "beams":
            alone = [
                generate(model, case, size, beams, model.encode(images[row : row + 1]))
                for row in range(min(SINGLE_ROWS, rows))
            ]
            report["same_single"] = compute_share(np.concatenate(alone), found[: len(alone)])
    return report


def answer(model, case, size, rows, batch, total, beams=1):
    images, questions = make_images(case, size, total), make_questions(size, rows)
    answers = [None] * rows
    for length in sorted({len(question) for question in questions}):
        group = [row for row in range(rows) if len(questions[row]) == length]
        for start in range(0, len(group), batch):
            chosen = group[start : start + batch]
            tokens = model.encode(images[chosen], np.stack([questions[row] for row in chosen]))
            ids = generate(model, case, size, beams, tokens)
            for row, each in zip(chosen, ids, strict=True):
                answers[row] = each
    return np.stack(answers)


def compare_question_answerer(model, case, size, rows, batch, expected, total):
    images, questions = make_images(case, size, total), make_questions(size, total)
    ids, mask = make_captions(case, size)
    length = max(map(len, questions))
    padded = np.zeros((LOGIT_ROWS, length), "int32")
    for row in range(LOGIT_ROWS):
        padded[row, : len(questions[row])] = questions[row]
    inputs = {
        "images": images[:LOGIT_ROWS],
        "questions": padded,
        "question_mask": padded != 0,
        "answers": ids,
    }
    logits = to_numpy(model(inputs))
    single = []
    for row, count in enumerate(TOKENS):
        one = {
            "images": images[row : row + 1],
            "questions": questions[row][None],
            "answers": ids[row : row + 1, :count],
        }
        single.append(to_numpy(model(one))[0])
    report = {
        "logits": compute_difference(np.concatenate(single), expected["logits"][mask]),
        "logit_range": float(np.ptp(expected["logits"][mask])),
        "padding": compute_difference(logits[mask], np.concatenate(single)),
    }
    for search, beams in (("greedy", 1), ("beams", BEAMS)):
        found = answer(model, case, size, rows, batch, total, beams)
        report[f"same_{search}"] = compute_share(found, expected[search][:rows])
    alone = answer(model, case, size, min(SINGLE_ROWS, rows), 1, total, BEAMS)
    report["same_single"] = compute_share(alone, found[: len(alone)])
    return report


def compare_contrastive(model, case, size, rows, batch, expected, total):
    images = make_images(case, size, total)[:rows]
    ids, mask = (each[:rows] for each in make_texts(case, size, total))
    if case.processor == "Siglip":
        mask = np.ones_like(mask)  # Padding is attended to.
    texts = {"token_ids": ids, "padding_mask": mask.astype("int32")}
    vectors = {
        "image": model.embed("image", images, batch_size=batch),
        "text": model.embed("text", texts, batch_size=batch),
    }
    logits = model.logit_scale(ops.convert_to_tensor(vectors["image"] @ vectors["text"].T))
    report = {
        "logits": compute_difference(to_numpy(logits), expected["logits"][:rows, :rows]),
        "logit_range": float(np.ptp(expected["logits"])),
    }
    for name, found in vectors.items():
        report[f"{name}_vectors"] = compute_difference(found, expected[f"{name}_vectors"][:rows])
    single = [
        model.embed("text", {key: value[row : row + 1] for key, value in texts.items()})[0]
        for row in range(LOGIT_ROWS)
    ]
    report["padding"] = compute_difference(np.stack(single), vectors["text"][:LOGIT_ROWS])
    return report


def compare_loss(model, case, size, expected):
    """Compares the loss and the norm of its gradients, from one step of SGD with rate 1."""
    images = make_images(case, size, LOGIT_ROWS)
    optimizer = keras.optimizers.SGD(1.0)
    if case.kind == "contrastive":
        ids, mask = make_texts(case, size, LOGIT_ROWS)
        mask = np.ones_like(mask) if case.processor == "Siglip" else mask
        inputs = {
            "image": images,
            "text": {"token_ids": ids, "padding_mask": mask.astype("int32")},
        }
        targets = weights = None
        model.compile(optimizer, jit_compile=False)
    else:
        ids, mask = make_captions(case, size)
        name = {"captioner": "captions", "question_answerer": "answers"}[case.kind]
        inputs = {"images": images, name: ids[:, :-1]}
        if name == "answers":
            inputs["questions"] = np.repeat(make_questions(size, 1)[0][None], LOGIT_ROWS, axis=0)
        targets, weights = ids[:, 1:], mask[:, 1:].astype("float32")
        loss = SmoothedCrossEntropy(case.label_smoothing)
        model.compile(optimizer, loss, weighted_metrics=[], jit_compile=False)
    before = [to_numpy(weight).copy() for weight in model.trainable_weights]
    logs = model.train_on_batch(inputs, targets, weights, return_dict=True)
    after = [to_numpy(weight) for weight in model.trainable_weights]
    squares = [np.sum((x - y) ** 2.0) for x, y in zip(before, after, strict=True)]
    norm = expected["gradient_norm"]
    return {
        "loss": compute_difference(logs["loss"], expected["loss"]),
        "gradient_norm": float(abs(np.sqrt(np.sum(squares)) - norm) / norm),
    }


KINDS = {
    "captioner": compare_captioner,
    "question_answerer": compare_question_answerer,
    "contrastive": compare_contrastive,
}
GENERATORS = {"captioner": caption, "question_answerer": answer}

if __name__ == "__main__":
    versions = {"keras": keras.__version__, "backend": keras.config.backend()}
    serve(versions, {"run": run})
