"""Writes the expected outputs of tiny `GitForCausalLM` models of transformers.

Run `python tests/checkpoints/make_git_case.py` with torch and transformers.
"""

import json
import pathlib

import numpy as np
import torch
from transformers import GitConfig, GitForCausalLM

DATA = pathlib.Path(__file__).parent / "data"
IMAGES, TOKENS, LENGTH = 50, 6, 10
VOCABULARY, START, PAD = 40, 38, 0


def make_model(frames, end):
    vision = {
        "hidden_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "image_size": 16,
        "patch_size": 8,
        "hidden_act": "quick_gelu",
    }
    config = GitConfig(
        vision_config=vision,
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
        num_image_with_embedding=frames,
        bos_token_id=START,
        eos_token_id=end,
        pad_token_id=PAD,
    )
    model = GitForCausalLM(config).eval()
    model.generation_config.bos_token_id = START
    model.generation_config.eos_token_id = end
    model.generation_config.pad_token_id = PAD
    return model


def spread_weights(model, seed=0):
    """Sets wide random weights that float16 represents exactly."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            values = torch.randn(weight.shape, generator=generator)
            if weight.ndim == 1:
                is_scale = name.endswith("weight")
                values = values * 0.2 + (1.0 if is_scale else 0.0)
            else:
                values = values * (1.2 if "embedding" in name else 0.4)
            weight.copy_(values.half().float())


def generate(model, pixels, prompt, beams):
    outputs = model.generate(
        pixel_values=pixels,
        input_ids=torch.tensor([[START, *prompt]]).repeat(len(pixels), 1),
        num_beams=beams,
        do_sample=False,
        max_length=LENGTH + 1,
        min_new_tokens=1,
        length_penalty=1.0,
    )
    ids = np.full((len(pixels), LENGTH), PAD, "uint8")
    ids[:, : outputs.shape[1] - 1] = outputs[:, 1:].numpy()
    ends = ids == model.config.eos_token_id
    return np.where(ends.cumsum(1) - ends > 0, PAD, ids).astype("uint8")


def answer(model, pixels, tokens, beams):
    """Generates one by one, with prompts of 0 to 3 tokens."""
    rows = [
        generate(model, pixels[row : row + 1], tokens[row, : row % 4].tolist(), beams)
        for row in range(IMAGES)
    ]
    return np.concatenate(rows)


def main(name, end, frames=None):
    model = make_model(frames, end)
    spread_weights(model)
    random = np.random.RandomState(0)
    shape = (IMAGES, 16, 16, 3) if frames is None else (IMAGES, frames, 16, 16, 3)
    images = random.normal(size=shape).astype("float32")
    tokens = random.randint(1, VOCABULARY, (IMAGES, TOKENS))
    pixels = torch.tensor(np.moveaxis(images, -1, -3).copy())
    ids = torch.cat([torch.full((IMAGES, 1), START), torch.tensor(tokens)], 1)
    labels = ids.clone()
    outputs = model(pixel_values=pixels, input_ids=ids, labels=labels)
    outputs.loss.backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters() if p.grad is not None))
    results = {
        "logits": outputs.logits[:4, -ids.shape[1] :].detach().numpy(),
        "loss": outputs.loss.item(),
        "gradient_norm": norm.item(),
        "greedy": generate(model, pixels, (), 1),
        "beams": generate(model, pixels, (), 4),
        "prompted": generate(model, pixels, (5, 9, 30), 4),
        "greedy_answers": answer(model, pixels, tokens, 1),
        "answers": answer(model, pixels, tokens, 4),
    }
    weights = {
        f"weight:{key}": value.numpy().astype("float16")
        for key, value in model.state_dict().items()
        if not key.endswith("position_ids")
    }
    DATA.mkdir(exist_ok=True)
    np.savez_compressed(DATA / f"{name}.npz", **results, **weights)
    config = json.dumps(model.config.to_diff_dict(), indent=1)
    (DATA / f"{name}.json").write_text(config + "\n", "utf-8")


if __name__ == "__main__":
    main("git", end=17)
    main("git_video", end=14, frames=2)
