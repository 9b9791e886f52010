"""Peer of parity.py: loads a checkpoint with this package, and computes its outputs."""

import functools
import pathlib
import time

import keras
import numpy as np
from keras import ops
from parity_cases import CASES
from parity_samples import (
    BEAMS,
    LENGTHS,
    LOGIT_ROWS,
    PROMPT_ROWS,
    TOKENS,
    get_prompt,
    make_captions,
    make_image_sizes,
    make_images,
    make_questions,
    make_scores,
    make_texts,
    pad_questions,
)
from peer_process import serve

from keras_mmfusion._provenance import describe_versions
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)
from keras_mmfusion.models.compiled_function import compile_function

SINGLE_ROWS = 3  # Inputs that are also generated for alone.


def run(architecture, size, folder, rows, batch, with_bfloat16, total):
    """Compares the outputs of a checkpoint with those in `expected.npz` beside it.

    Args:
        architecture: string. The name of a case.
        size: string. `"tiny"` or `"full"`.
        folder: string.
        rows: int. The number of inputs, at most those of `expected.npz`.
        batch: int. The number of inputs of a forward pass.
        with_bfloat16: bool. Whether to generate in bfloat16 as well.
        total: int. The number of inputs of `expected.npz`.

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
    report |= KINDS[case.kind](model, case, size, rows, batch, expected, total)
    report["seconds"] = time.perf_counter() - begin
    if with_bfloat16 and "greedy" in expected:
        del model
        model = load(dtype="bfloat16")
        _compile(model, case, compile_options)
        ids = GENERATORS[case.kind](model, case, size, rows, batch, total)
        report["bfloat16"] = count_identical(ids, expected["greedy"][:rows])
    if "loss" in expected:
        del model
        report |= compare_loss(load(), case, size, expected)
    return report


def load_model(folder, dtype=None):
    """Loads a checkpoint without its preprocessor: the inputs are pixels and ids."""
    model = load_checkpoint(folder, dtype=dtype)
    model.preprocessor = None
    return model


def _compile(model, case, options):
    if case.kind in GENERATORS:
        model.compile(**options)


def call(model, function, *inputs):
    """Returns the NumPy output of a function of a model."""
    if keras.config.backend() == "jax":  # Compiling every operation for itself takes longer.
        function = compile_function(model, function)
    return to_numpy(function(*inputs))


def to_numpy(x):
    return ops.convert_to_numpy(x)


def compute_difference(found, expected):
    """Returns the largest absolute difference."""
    return float(np.max(np.abs(np.asarray(found, "float64") - expected)))


def compare_outputs(found, expected, choose=lambda array: array):
    """Compares arrays with those of the source in float32 and in float64.

    Args:
        found: dict, name -> array.
        expected: dict of the source's arrays.
        choose: function that returns the compared part of an array of the source.

    Returns:
        A dict of the range of the values and of the largest differences: NAME_float32, and NAME for
        that from float64.
    """
    report = {}
    for name, values in found.items():
        reference = choose(expected[name])
        report[f"{name}_float32"] = compute_difference(values, reference)
        report[f"{name}_range"] = float(np.ptp(reference))
        report[name] = compute_difference(values, choose(expected[f"{name}_float64"]))
    return report


def count_identical(found, expected):
    """Returns the number of identical rows and of all rows."""
    return {"same": int((found == expected).all(axis=-1).sum()), "of": len(expected)}


def generate(model, case, size, beams, tokens, prompt=()):
    """Returns generated ids without the start token."""
    settings = DecodingSettings(LENGTHS[size], beams=beams, length_penalty=1.0, prompt=prompt)
    special = SpecialTokens(*case.get_special_tokens(size))
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
    logits = call(model, model, images[:LOGIT_ROWS], ids)
    single = [
        call(model, model, images[row : row + 1], ids[row : row + 1, :count])[0]
        for row, count in enumerate(TOKENS)
    ]
    report = compare_outputs({"logits": logits[mask]}, expected, lambda array: array[mask])
    report["padding"] = compute_difference(logits[mask], np.concatenate(single))
    batches = encode(model, images[:rows], batch)
    for search, beams, prompt in (
        ("greedy", 1, ()),
        ("beams", BEAMS, ()),
        ("prompted", BEAMS, get_prompt(size)),
    ):
        count = min(rows, PROMPT_ROWS[size]) if prompt else rows
        parts = [
            generate(model, case, size, beams, tokens, prompt)
            for tokens in batches[: -(-count // batch)]
        ]
        found = np.concatenate(parts)[:count]
        report[search] = count_identical(found, expected[search][:count])
        if search == "beams":
            alone = [
                generate(model, case, size, beams, model.encode(images[row : row + 1]))
                for row in range(min(SINGLE_ROWS, rows))
            ]
            report["single"] = count_identical(np.concatenate(alone), found[: len(alone)])
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
    padded, question_mask = pad_questions(questions[:LOGIT_ROWS])
    inputs = {
        "images": images[:LOGIT_ROWS],
        "questions": padded,
        "question_mask": question_mask,
        "answers": ids,
    }
    logits = call(model, model, inputs)
    single = []
    for row, count in enumerate(TOKENS):
        one = {
            "images": images[row : row + 1],
            "questions": questions[row][None],
            "answers": ids[row : row + 1, :count],
        }
        single.append(call(model, model, one)[0])
    single = np.concatenate(single)
    report = compare_outputs({"logits": single}, expected, lambda array: array[mask])
    report["padding"] = compute_difference(logits[mask], single)
    for search, beams in (("greedy", 1), ("beams", BEAMS)):
        found = answer(model, case, size, rows, batch, total, beams)
        report[search] = count_identical(found, expected[search][:rows])
    alone = answer(model, case, size, min(SINGLE_ROWS, rows), 1, total, BEAMS)
    report["single"] = count_identical(alone, found[: len(alone)])
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
    report = compare_outputs(
        {"logits": to_numpy(logits)}, expected, lambda array: array[:rows, :rows]
    )
    found = {f"{name}_vectors": each for name, each in vectors.items()}
    report |= compare_outputs(found, expected, lambda array: array[:rows])
    single = [
        model.embed("text", {key: value[row : row + 1] for key, value in texts.items()})[0]
        for row in range(LOGIT_ROWS)
    ]
    report["padding"] = compute_difference(np.stack(single), vectors["text"][:LOGIT_ROWS])
    return report


def compare_matcher(model, case, size, rows, batch, expected, total):
    images = make_images(case, size, total)[:rows]
    ids, mask = (each[:rows] for each in make_texts(case, size, total))

    def compute(images, text):
        return model.compute_match_logits(model.image_encoder(images), text)

    def match(chosen, length=None):
        text = {"token_ids": ids[chosen, :length], "padding_mask": mask[chosen, :length]}
        return call(model, compute, images[chosen], text)

    starts = range(0, rows, batch)
    logits = np.concatenate([match(slice(start, start + batch)) for start in starts])
    single = [match(slice(row, row + 1), mask[row].sum())[0] for row in range(LOGIT_ROWS)]
    vectors = [
        model.embed("image", images, batch_size=batch),
        model.embed("text", {"token_ids": ids, "padding_mask": mask}, batch_size=batch),
    ]
    cosines = vectors[0] @ vectors[1].T
    return {
        **compare_outputs({"logits": logits}, expected, lambda array: array[:rows]),
        **compare_outputs({"cosines": cosines}, expected, lambda array: array[:rows, :rows]),
        "padding": compute_difference(np.stack(single), logits[:LOGIT_ROWS]),
    }


def compare_language_model(model, case, size, rows, batch, expected, total):
    ids, mask = make_captions(case, size)
    inputs = {"token_ids": ids, "padding_mask": mask.astype("int32")}
    logits = call(model, model, inputs)
    single = [
        call(model, model, {name: each[row : row + 1, :count] for name, each in inputs.items()})[0]
        for row, count in enumerate(TOKENS)
    ]
    report = compare_outputs({"logits": logits[mask]}, expected, lambda array: array[mask])
    report["padding"] = compute_difference(logits[mask], np.concatenate(single))
    return report


def make_classifier_inputs(case, size, rows, total):
    questions, mask = pad_questions(make_questions(size, total)[:rows])
    return {
        "images": make_images(case, size, total)[:rows],
        "image_sizes": make_image_sizes(case, size, total)[:rows],
        "questions": questions,
        "question_mask": mask,
    }


def compare_classifier(model, case, size, rows, batch, expected, total):
    inputs = make_classifier_inputs(case, size, rows, total)
    logits = np.concatenate(
        [
            call(model, model, {name: each[start : start + batch] for name, each in inputs.items()})
            for start in range(0, rows, batch)
        ]
    )
    single = []
    for row in range(LOGIT_ROWS):
        height, width = inputs["image_sizes"][row]
        one = {
            "images": inputs["images"][row : row + 1, :height, :width],
            "questions": inputs["questions"][row : row + 1, : inputs["question_mask"][row].sum()],
        }
        single.append(call(model, model, one)[0])
    return {
        **compare_outputs({"logits": logits}, expected, lambda array: array[:rows]),
        "padding": compute_difference(np.stack(single), logits[:LOGIT_ROWS]),
    }


def compare_loss(model, case, size, expected):
    """Compares the loss and the norm of its gradients, from one step of SGD with rate 1."""
    images = None if case.processor is None else make_images(case, size, LOGIT_ROWS)
    optimizer = keras.optimizers.SGD(1.0)
    jit_compile = keras.config.backend() == "jax"
    if case.kind == "contrastive":
        ids, mask = make_texts(case, size, LOGIT_ROWS)
        mask = np.ones_like(mask) if case.processor == "Siglip" else mask
        inputs = {
            "image": images,
            "text": {"token_ids": ids, "padding_mask": mask.astype("int32")},
        }
        targets = weights = None
        model.compile(optimizer, jit_compile=jit_compile)
    elif case.kind == "classifier":
        inputs = make_classifier_inputs(case, size, LOGIT_ROWS, LOGIT_ROWS)
        targets, weights = make_scores(case, size), None
        model.compile(optimizer, weighted_metrics=[], jit_compile=jit_compile)
    elif case.kind == "language_model":
        ids, mask = make_captions(case, size)
        inputs = {"token_ids": ids[:, :-1], "padding_mask": mask[:, :-1].astype("int32")}
        targets, weights = ids[:, 1:], mask[:, 1:].astype("float32")
        # The mean of all valid tokens, as in transformers.
        loss = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        )
        model.compile(optimizer, loss, weighted_metrics=None, jit_compile=jit_compile)
    else:
        ids, mask = make_captions(case, size)
        name = {"captioner": "captions", "question_answerer": "answers"}[case.kind]
        inputs = {"images": images, name: ids[:, :-1]}
        if name == "answers":
            inputs["questions"] = np.repeat(make_questions(size, 1)[0][None], LOGIT_ROWS, axis=0)
        targets, weights = ids[:, 1:], mask[:, 1:].astype("float32")
        loss = SmoothedCrossEntropy(case.label_smoothing)
        model.compile(optimizer, loss, weighted_metrics=[], jit_compile=jit_compile)
    before = [to_numpy(weight).copy() for weight in model.trainable_weights]
    logs = model.train_on_batch(inputs, targets, weights, return_dict=True)
    squares = [
        np.sum((old - to_numpy(new)) ** 2)
        for old, new in zip(before, model.trainable_weights, strict=True)
    ]
    norm = expected["gradient_norm"]
    return {
        "loss": compute_difference(logs["loss"], expected["loss"]),
        "gradient_norm": float(abs(np.sqrt(np.sum(squares)) - norm) / norm),
    }


KINDS = {
    "captioner": compare_captioner,
    "classifier": compare_classifier,
    "contrastive": compare_contrastive,
    "language_model": compare_language_model,
    "matcher": compare_matcher,
    "question_answerer": compare_question_answerer,
}
GENERATORS = {"captioner": caption, "question_answerer": answer}

if __name__ == "__main__":
    versions = describe_versions()
    serve({name: versions[name] for name in ("keras", versions["backend"])}, {"run": run})
