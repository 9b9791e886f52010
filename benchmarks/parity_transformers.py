"""Peer of parity.py: models of Hugging Face transformers with random weights, and their outputs."""

import contextlib
import copy
import pathlib
import time

import numpy as np
import torch
import transformers
from parity_assets import write_assets
from parity_cases import CASES
from parity_samples import (
    BEAMS,
    LENGTHS,
    LOGIT_ROWS,
    PROMPT_ROWS,
    get_prompt,
    make_captions,
    make_image_sizes,
    make_images,
    make_questions,
    make_scores,
    make_texts,
    pad_questions,
    strip_padding,
)
from peer_process import serve

# Of matrices, divided by the root of the number of their inputs.
GAIN = 1.6
EMBEDDING_GAIN = {"tiny": 1.0, "full": 2.0}
LOGIT_SCALE = {"tiny": 2.66, "full": 4.6}  # Initial and published logarithm of CLIP and SigLIP.
SCALE_JITTER, BIAS_JITTER = 0.2, 0.1
# Their output is not normalized: if the patches were as wide as other embeddings, the attention of
# a decoder would be so sharp that rounding changes every logit, also in transformers.
NOT_NORMALIZED = ("beit",)
# Of the output of the end token, so that some texts end early.
END_GAIN = {"tiny": 1.5, "full": 2.5}
# Our models store the sum of positions and the only token type of a text.
TEXT_TYPES = tuple(
    f"{name}.token_type_embeddings.weight"
    for name in ("text_embeddings", "bert.embeddings", "roberta.embeddings")
)


def run(architecture, size, folder, rows, batch):
    """Writes a checkpoint to `folder`, its inputs' outputs to `expected.npz`.

    Args:
        architecture: string. The name of a case.
        size: string. `"tiny"` or `"full"`.
        folder: string.
        rows: int. The number of inputs.
        batch: int. The number of inputs of a forward pass.

    Returns:
        A dict of what was measured.
    """
    begin = time.perf_counter()
    if size == "tiny":
        torch.set_num_threads(1)
    case, folder = CASES[architecture], pathlib.Path(folder)
    config = getattr(transformers, case.config)(**case.sizes[size])
    model = getattr(transformers, case.model)(config)
    set_random_weights(model, case, size)
    model.tie_weights()
    model.eval()
    model.save_pretrained(folder)
    write_assets(case, size, folder)
    arguments = (model, case, size, rows, batch)
    with torch.no_grad():
        numbers = NUMBERS[case.kind](*arguments)
        texts = TEXTS[case.kind](*arguments) if case.kind in TEXTS else {}
    loss = LOSSES[case.kind](model, case, size) if case.kind in LOSSES else {}
    model.zero_grad()
    with torch.no_grad():
        exact = NUMBERS[case.kind](model.double(), *arguments[1:])
    outputs = {**numbers, **texts, **loss}
    outputs |= {f"{name}_float64": values for name, values in exact.items()}
    np.savez(folder / "expected.npz", **outputs)
    report = {
        "parameters": model.num_parameters(),
        "seconds": time.perf_counter() - begin,
        "rounding": {name: float(abs(numbers[name] - exact[name]).max()) for name in exact},
    }
    if texts:
        for search in ("greedy", "beams"):
            report[f"distinct_{search}"] = len({tuple(row) for row in outputs[search].tolist()})
        end = case.get_special_tokens(size)[1]
        report["ended_early"] = float(np.mean((outputs["beams"][:, :-1] == end).any(axis=1)))
    return report


def set_random_weights(model, case, size):
    """Sets widely spread random weights."""
    encoder = case.sizes[size].get("encoder", {}).get("model_type")
    end, vocabulary_size = case.get_special_tokens(size)[1], case.get_vocabulary_size(size)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            values = torch.randn(weight.shape, generator=generator)
            if "logit_" in name:
                values.fill_(LOGIT_SCALE[size] if name.endswith("scale") else -10.0)
            elif weight.ndim == 1:
                is_scale = name.endswith("weight")
                values = 1 + SCALE_JITTER * values if is_scale else BIAS_JITTER * values
            elif weight.ndim == 4 and encoder in NOT_NORMALIZED:
                values *= GAIN / weight[0].numel() ** 0.5
            elif weight.shape[0] == vocabulary_size or "embedding" in name.lower():
                values *= EMBEDDING_GAIN[size] / weight.shape[-1] ** 0.5
            else:
                # GPT-2 stores (inputs, outputs).
                is_transposed = ".c_" in name or ".q_attn" in name
                inputs = weight.shape[0] if is_transposed else weight[0].numel()
                values *= GAIN / inputs**0.5
            if weight.ndim == 2 and weight.shape[0] == vocabulary_size:
                values[end] *= END_GAIN[size]
            weight.copy_(values)


def to_pixels(images, model):
    return torch.tensor(np.moveaxis(images, -1, -3).copy(), dtype=model.dtype)


@contextlib.contextmanager
def encode_once(model):
    """Makes the image encoder keep its outputs, as several searches have the same images."""
    encoder = model.encoder if hasattr(model, "encoder") else getattr(model, "vision_model", None)
    if encoder is None:  # GIT repeats the images for each beam.
        yield
        return
    forward, kept = encoder.forward, {}

    def encode(pixel_values, **options):
        key = (pixel_values.data_ptr(), len(pixel_values))
        if key not in kept:
            kept[key] = forward(pixel_values, **options)
        return copy.copy(kept[key])

    encoder.forward = encode
    yield
    del encoder.forward


def run_captioner(model, case, size, rows, batch):
    images = to_pixels(make_images(case, size, rows)[:LOGIT_ROWS], model)
    ids, mask = make_captions(case, size)
    return {"logits": compute_logits(model, case, images, ids, mask) * mask[..., None]}


def caption(model, case, size, rows, batch):
    images = to_pixels(make_images(case, size, rows), model)
    outputs = {}
    with encode_once(model):
        for search, beams, prompt in (
            ("greedy", 1, ()),
            ("beams", BEAMS, ()),
            ("prompted", BEAMS, get_prompt(size)),
        ):
            count = min(rows, PROMPT_ROWS[size]) if prompt else rows
            parts = [
                generate(model, case, size, beams, prompt, pixel_values=images[start:][:batch])
                for start in range(0, count, batch)
            ]
            outputs[search] = np.concatenate(parts)[:count]
    return outputs


def compute_logits(model, case, pixels, ids, mask):
    tokens, mask = torch.tensor(ids).long(), torch.tensor(mask).long()
    if case.model == "VisionEncoderDecoderModel":
        return model(pixels, decoder_input_ids=tokens, decoder_attention_mask=mask).logits.numpy()
    if case.model == "GitForCausalLM":
        outputs = model(input_ids=tokens, attention_mask=mask, pixel_values=pixels)
        return outputs.logits[:, -ids.shape[1] :].numpy()
    return model(pixels, tokens, mask).logits.numpy()


def make_prompt(case, prompt, rows, size):
    """Returns the arguments of `generate` that force the first tokens."""
    start, end, _, _ = case.get_special_tokens(size)
    if case.model == "VisionEncoderDecoderModel":
        ids = {"decoder_input_ids": [start, *prompt]}
    elif case.model == "GitForCausalLM":
        ids = {"input_ids": [start, *prompt]}
    else:
        # `generate` replaces the first id and removes the last one.
        ids = {"input_ids": [start, *prompt, end]}
    return {key: torch.tensor([value]).repeat(rows, 1) for key, value in ids.items()}


def generate(model, case, size, beams, prompt=(), **inputs):
    """Returns generated ids without the start token, padded to the length."""
    start, end, pad, blocked = case.get_special_tokens(size)
    length = LENGTHS[size]
    if prompt or case.kind == "captioner":
        inputs |= make_prompt(case, prompt, len(inputs["pixel_values"]), size)
    suppressed = [token for token in (start, pad, *blocked) if token != end]
    options = {}
    if not case.model.startswith("Blip"):  # BLIP's `generate` sets them itself.
        options = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    ids = model.generate(
        **inputs,
        num_beams=beams,
        do_sample=False,
        max_length=length + 1,
        min_new_tokens=1,
        length_penalty=1.0,
        suppress_tokens=suppressed or None,
        **options,
    )
    ids = ids[:, 1:].numpy()
    ids = np.pad(ids, ((0, 0), (0, length - ids.shape[1])), constant_values=pad)
    return strip_padding(ids, end, pad)


def compute_gradient_norm(model, loss):
    """Returns the loss, and the norm of its gradients."""
    loss.backward()
    squares = [
        (weight.grad**2).sum()
        for name, weight in model.named_parameters()
        if weight.grad is not None and not name.endswith(TEXT_TYPES)
    ]
    return {"loss": loss.item(), "gradient_norm": sum(squares).sqrt().item()}


def run_captioner_loss(model, case, size):
    pixels = to_pixels(make_images(case, size, LOGIT_ROWS), model)
    ids, mask = make_captions(case, size)
    tokens, mask = torch.tensor(ids).long(), torch.tensor(mask)
    labels = tokens.masked_fill(~mask, -100)
    if case.model == "VisionEncoderDecoderModel":
        loss = model(pixels, labels=labels[:, 1:]).loss
    elif case.model == "GitForCausalLM":
        loss = model(tokens, mask.long(), pixel_values=pixels, labels=labels).loss
    else:
        loss = model(pixels, tokens, mask.long(), labels=labels).loss
    return compute_gradient_norm(model, loss)


def run_question_answerer(model, case, size, rows, batch):
    images = to_pixels(make_images(case, size, rows)[:LOGIT_ROWS], model)
    questions = make_questions(size, LOGIT_ROWS)
    ids, mask = make_captions(case, size)
    logits = []
    hook = model.text_decoder.register_forward_hook(lambda *a: logits.append(a[2].logits))
    for row in range(LOGIT_ROWS):
        tokens = torch.tensor(ids[row : row + 1]).long()
        model(
            input_ids=torch.tensor(questions[row][None]).long(),
            pixel_values=images[row : row + 1],
            decoder_input_ids=tokens,
            decoder_attention_mask=torch.tensor(mask[row : row + 1]).long(),
            labels=tokens,
        )
    hook.remove()
    return {"logits": torch.cat(logits).numpy() * mask[..., None]}


def answer(model, case, size, rows, batch):
    images = to_pixels(make_images(case, size, rows), model)
    questions = make_questions(size, rows)
    outputs = {}
    for search, beams in (("greedy", 1), ("beams", BEAMS)):
        # By length: transformers 5.24 lets the answers attend to the padding of questions.
        answers = [None] * rows
        for length in sorted({len(question) for question in questions}):
            group = [row for row in range(rows) if len(questions[row]) == length]
            for start in range(0, len(group), batch):
                chosen = group[start : start + batch]
                tokens = torch.tensor(np.stack([questions[row] for row in chosen])).long()
                ids = generate(
                    model, case, size, beams, pixel_values=images[chosen], input_ids=tokens
                )
                for row, each in zip(chosen, ids, strict=True):
                    answers[row] = each
        outputs[search] = np.stack(answers)
    return outputs


def run_question_answerer_loss(model, case, size):
    ids, mask = make_captions(case, size)
    tokens, mask = torch.tensor(ids).long(), torch.tensor(mask)
    question = make_questions(size, 1)[0]
    outputs = model(
        input_ids=torch.tensor(question).long().repeat(LOGIT_ROWS, 1),
        pixel_values=to_pixels(make_images(case, size, LOGIT_ROWS), model),
        decoder_input_ids=tokens,
        decoder_attention_mask=mask.long(),
        labels=tokens.masked_fill(~mask, -100),
    )
    return compute_gradient_norm(model, outputs.loss)


def run_contrastive(model, case, size, rows, batch):
    images = to_pixels(make_images(case, size, rows), model)
    ids, mask = make_texts(case, size, rows)
    arguments = {"attention_mask": torch.tensor(mask).long()} if case.model == "CLIPModel" else {}
    outputs = model(torch.tensor(ids).long(), images, **arguments)
    return {
        "image_vectors": outputs.image_embeds.numpy(),
        "text_vectors": outputs.text_embeds.numpy(),
        "logits": outputs.logits_per_image.numpy(),
    }


def run_contrastive_loss(model, case, size):
    ids, mask = make_texts(case, size, LOGIT_ROWS)
    arguments = {"attention_mask": torch.tensor(mask).long()} if case.model == "CLIPModel" else {}
    images = to_pixels(make_images(case, size, LOGIT_ROWS), model)
    outputs = model(torch.tensor(ids).long(), images, return_loss=True, **arguments)
    return compute_gradient_norm(model, outputs.loss)


def run_matcher(model, case, size, rows, batch):
    images = to_pixels(make_images(case, size, rows), model)
    ids, mask = (torch.tensor(each).long() for each in make_texts(case, size, rows))
    logits, cosines = [], []
    with encode_once(model):
        for start in range(0, rows, batch):
            part = slice(start, start + batch)
            pixels = images[part]
            logits.append(model(ids[part], pixels, attention_mask=mask[part]).itm_score)
            pairs = model(ids, pixels, attention_mask=mask, use_itm_head=False)
            cosines.append(pairs.itm_score)
    return {"logits": torch.cat(logits).numpy(), "cosines": torch.cat(cosines).numpy()}


def classify(model, case, size, rows, **targets):
    """Answers questions about images of different sizes."""
    images = to_pixels(make_images(case, size, rows), model)
    ids, mask = pad_questions(make_questions(size, rows))
    pixel_mask = torch.zeros(rows, *images.shape[-2:], dtype=torch.long)
    for row, (height, width) in enumerate(make_image_sizes(case, size, rows)):
        pixel_mask[row, :height, :width] = 1
    return model(
        torch.tensor(ids).long(),
        torch.tensor(mask).long(),
        pixel_values=images,
        pixel_mask=pixel_mask,
        **targets,
    )


def run_classifier(model, case, size, rows, batch):
    return {"logits": classify(model, case, size, rows).logits.numpy()}


def run_classifier_loss(model, case, size):
    labels = torch.tensor(make_scores(case, size))
    loss = classify(model, case, size, LOGIT_ROWS, labels=labels).loss
    return compute_gradient_norm(model, loss)


def run_language_model(model, case, size, rows, batch):
    ids, mask = make_captions(case, size)
    outputs = model(torch.tensor(ids).long(), attention_mask=torch.tensor(mask).long())
    return {"logits": outputs.logits.numpy() * mask[..., None]}


def run_language_model_loss(model, case, size):
    ids, mask = make_captions(case, size)
    tokens, mask = torch.tensor(ids).long(), torch.tensor(mask)
    labels = tokens.masked_fill(~mask, -100)
    outputs = model(tokens, attention_mask=mask.long(), labels=labels)
    return compute_gradient_norm(model, outputs.loss)


NUMBERS = {
    "captioner": run_captioner,
    "classifier": run_classifier,
    "contrastive": run_contrastive,
    "language_model": run_language_model,
    "matcher": run_matcher,
    "question_answerer": run_question_answerer,
}
TEXTS = {"captioner": caption, "question_answerer": answer}
LOSSES = {
    "captioner": run_captioner_loss,
    "classifier": run_classifier_loss,
    "contrastive": run_contrastive_loss,
    "language_model": run_language_model_loss,
    "question_answerer": run_question_answerer_loss,
}

if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    serve(
        {"torch": torch.__version__, "transformers": transformers.__version__},
        {"run": run},
    )
