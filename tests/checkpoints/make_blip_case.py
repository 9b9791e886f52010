"""Writes `data/blip_*.npz`: outputs of transformers' BLIP models with small random weights.

Run `python tests/checkpoints/make_blip_case.py` where transformers and PyTorch are installed.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import transformers

DATA = pathlib.Path(__file__).parent / "data"
PAD, UNKNOWN, END, START = 0, 1, 3, 58
CONFIG = {
    "text_config": {
        "vocab_size": 60,
        "hidden_size": 16,
        "encoder_hidden_size": 12,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 20,
        "bos_token_id": START,
        "pad_token_id": PAD,
        "sep_token_id": END,
        "label_smoothing": 0.1,
        "attention_probs_dropout_prob": 0.0,
    },
    "vision_config": {
        "hidden_size": 12,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 32,
        "patch_size": 16,
    },
    "image_text_hidden_size": 8,
}
LENGTH = 10  # Of generated captions, without the start token.
PROMPT = (7, 21)


def make_config(**text_config):
    config = {**CONFIG, "text_config": {**CONFIG["text_config"], **text_config}}
    return config, transformers.BlipConfig(**config)


def set_random_weights(model, seed=0):
    """Sets widely spread weights that float16 represents exactly."""
    rng = np.random.default_rng(seed)
    for name, parameter in model.named_parameters():
        scale = 0.5 if "embeddings" in name else 0.3
        if "predictions.transform" in name:
            scale = 0.6  # For varied texts.
        values = rng.normal(scale=scale, size=tuple(parameter.shape))
        if "norm" in name.lower() and name.endswith("weight"):
            values += 1
        if parameter.shape == (60,):
            values[END] += 3  # Some texts end early.
        parameter.data = torch.tensor(values.astype("float16").astype("float32"))
    return model.eval()


def generate(model, beams, prompt=(), **inputs):
    """Generated ids without the start token, padded to `LENGTH`."""
    if prompt:
        rows = len(inputs["pixel_values"])
        # The last id stands for [SEP], which `generate` removes; it also replaces the first.
        inputs["input_ids"] = torch.tensor([[2, *prompt, END]]).repeat(rows, 1)
    ids = model.generate(
        **inputs,
        num_beams=beams,
        do_sample=False,
        max_length=LENGTH + 1,
        min_new_tokens=1,
        length_penalty=1.0,
        suppress_tokens=[PAD, UNKNOWN, START],
    )
    ids = ids[:, 1:].numpy()
    ids = np.pad(ids, ((0, 0), (0, LENGTH - ids.shape[1]))).astype("int32")
    return pad_after_end(ids)


def pad_after_end(ids):
    """Pads texts after [SEP], where transformers repeats it, as the id of padding is 0."""
    ends = np.cumsum(ids == END, axis=-1)
    return np.where((ends > 1) | ((ends == 1) & (ids != END)), PAD, ids).astype("int32")


def describe_weights(model):
    return {
        f"weight:{name}": value.numpy().astype("float16")
        for name, value in model.state_dict().items()
        if "position_ids" not in name and "predictions.decoder" not in name
    }


def make_captioner_case(rows):
    config, source_config = make_config()
    model = transformers.BlipForConditionalGeneration(source_config)
    set_random_weights(model)
    model.tie_weights()
    rng = np.random.default_rng(1)
    images = rng.normal(size=(rows, 3, 32, 32)).astype("float16").astype("float32")
    ids = rng.integers(4, 58, (rows, 6))
    ids[:, 0] = START
    ids[0, 4:] = PAD
    ids[0, 3] = END
    pixels, tokens = torch.tensor(images), torch.tensor(ids)
    mask = (tokens != PAD).long()
    labels = tokens.masked_fill(tokens == PAD, -100)
    with torch.no_grad():
        logits = model(pixels, tokens, mask).logits.numpy()
    loss = model(pixels, tokens, mask, labels=labels).loss
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return {
        **describe_weights(model),
        "config": json.dumps({**config, "architectures": ["BlipForConditionalGeneration"]}),
        "images": images.transpose(0, 2, 3, 1).astype("float16"),
        "ids": ids.astype("int32"),
        "logits": logits,
        "loss": np.float32(loss.item()),
        "gradient_norm": np.float32(sum((g**2).sum() for g in gradients).sqrt().item()),
        "greedy": generate(model, 1, pixel_values=pixels),
        "beams": generate(model, 4, pixel_values=pixels),
        "prompted": generate(model, 4, PROMPT, pixel_values=pixels),
    }


def make_texts(rng, rows, length, start):
    ids = rng.integers(4, 58, (rows, length))
    ids[:, 0], ids[:, -1] = start, END
    ids[0, -3:] = END, PAD, PAD
    return ids, torch.tensor(ids), torch.tensor(ids != PAD).long()


def make_question_case(rows):
    config, source_config = make_config(hidden_size=12, num_hidden_layers=1)
    model = transformers.BlipForQuestionAnswering(source_config)
    set_random_weights(model, 2)
    model.tie_weights()
    rng = np.random.default_rng(3)
    images = rng.normal(size=(rows, 3, 32, 32)).astype("float16").astype("float32")
    pixels = torch.tensor(images)
    # Without padding: transformers 5.24 drops the mask of the cross-attention, so that answers
    # attend to the padding of questions.
    questions = rng.integers(4, 58, (rows, 7))
    question_tokens = torch.tensor(questions)
    answers, answer_tokens, answer_mask = make_texts(rng, rows, 5, START)
    arguments = {
        "input_ids": question_tokens,
        "pixel_values": pixels,
        "decoder_input_ids": answer_tokens,
        "decoder_attention_mask": answer_mask,
        "labels": answer_tokens.masked_fill(answer_mask == 0, -100),
    }
    text_logits = []
    model.text_decoder.register_forward_hook(lambda *a: text_logits.append(a[2].logits.detach()))
    loss = model(**arguments).loss
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    logits = text_logits[0].numpy()

    def answer(beams):
        # One by one, with questions of different lengths.
        results = []
        for row in range(rows):
            ids = question_tokens[row : row + 1, : 7 - row % 4]
            results.append(
                generate(model, beams, pixel_values=pixels[row : row + 1], input_ids=ids)
            )
        return np.concatenate(results)

    return {
        **describe_weights(model),
        "config": json.dumps({**config, "architectures": ["BlipForQuestionAnswering"]}),
        "images": images.transpose(0, 2, 3, 1).astype("float16"),
        "questions": questions.astype("int32"),
        "answers": answers.astype("int32"),
        "logits": logits,
        "loss": np.float32(loss.item()),
        "gradient_norm": np.float32(sum((g**2).sum() for g in gradients).sqrt().item()),
        "greedy": answer(1),
        "beams": answer(4),
    }


def make_matcher_case(rows):
    config, source_config = make_config()
    model = transformers.BlipForImageTextRetrieval(source_config)
    set_random_weights(model, 4)
    rng = np.random.default_rng(5)
    images = rng.normal(size=(rows, 3, 32, 32)).astype("float16").astype("float32")
    pixels = torch.tensor(images)
    ids, tokens, mask = make_texts(rng, rows, 7, 2)
    arguments = {"input_ids": tokens, "pixel_values": pixels, "attention_mask": mask}
    with torch.no_grad():
        logits = model(**arguments).itm_score.numpy()
        cosines = model(**arguments, use_itm_head=False).itm_score.numpy()
    return {
        **describe_weights(model),
        "config": json.dumps({**config, "architectures": ["BlipForImageTextRetrieval"]}),
        "images": images.transpose(0, 2, 3, 1).astype("float16"),
        "ids": ids.astype("int32"),
        "logits": logits,
        "cosines": cosines,
    }


CASES = {
    "blip_captioner": make_captioner_case,
    "blip_question_answerer": make_question_case,
    "blip_matcher": make_matcher_case,
}

if __name__ == "__main__":
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else DATA
    folder.mkdir(exist_ok=True)
    for name, make_case in CASES.items():
        np.savez_compressed(folder / f"{name}.npz", **make_case(rows))
