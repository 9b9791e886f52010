"""Writes `data/clip.npz` and `data/siglip.npz`: outputs of transformers with random weights.

Run `python tests/checkpoints/make_contrastive_cases.py` where transformers and PyTorch are
installed.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import transformers

DATA = pathlib.Path(__file__).parent / "data"
END = 49  # The end token has the largest id.
TEXT = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 9,
    "bos_token_id": 48,
    "eos_token_id": END,
    "pad_token_id": 1,
}
VISION = {
    "hidden_size": 12,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 32,
    "patch_size": 16,
}
# SigLIP compares the tokens of both encoders, so their sizes are equal.
SIGLIP_VISION = {**VISION, "hidden_size": 16, "num_attention_heads": 4}
CASES = {
    "clip": (
        transformers.CLIPModel,
        transformers.CLIPConfig,
        {"text_config": TEXT, "vision_config": VISION, "projection_dim": 8},
    ),
    "siglip": (
        transformers.SiglipModel,
        transformers.SiglipConfig,
        {"text_config": TEXT, "vision_config": SIGLIP_VISION},
    ),
}


def set_random_weights(model):
    """Sets widely spread weights that float16 represents exactly."""
    rng = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        values = rng.normal(scale=0.4, size=tuple(parameter.shape))
        if "norm" in name.lower() and name.endswith("weight"):
            values += 1
        if "logit" in name:
            values = np.full(parameter.shape, 1.5 if "scale" in name else -0.75)
        parameter.data = torch.tensor(values.astype("float16").astype("float32"))
    return model.eval()


def make_inputs():
    rng = np.random.default_rng(1)
    images = rng.normal(size=(4, 3, 32, 32)).astype("float16").astype("float32")
    ids = rng.integers(2, 48, (4, 9))
    for row, length in enumerate((9, 7, 4, 2)):
        ids[row, length - 1 :] = END  # Padding has the same id.
    return images, ids


def make_case(name):
    model_class, config_class, config = CASES[name]
    model = set_random_weights(model_class(config_class(**config)))
    images, ids = make_inputs()
    masks = {}
    if name == "clip":
        masks["attention_mask"] = torch.tensor(np.cumsum(ids == END, axis=1) <= 1)
    outputs = model(torch.tensor(ids), torch.tensor(images), return_loss=True, **masks)
    outputs.loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    weights = {f"weight:{key}": value.numpy() for key, value in model.state_dict().items()}
    return {
        **{key: value.astype("float16") for key, value in weights.items()},
        "config": json.dumps({**config, "model_type": name}),
        "images": images.transpose(0, 2, 3, 1).astype("float16"),
        "ids": ids.astype("int32"),
        "image_tokens": outputs.vision_model_output.last_hidden_state.detach().numpy(),
        "text_tokens": outputs.text_model_output.last_hidden_state.detach().numpy(),
        "image_vectors": outputs.image_embeds.detach().numpy(),
        "text_vectors": outputs.text_embeds.detach().numpy(),
        "logits": outputs.logits_per_image.detach().numpy(),
        "loss": np.float32(outputs.loss.item()),
        "gradient_norm": np.float32(sum((g**2).sum() for g in gradients).sqrt().item()),
    }


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    folder.mkdir(exist_ok=True)
    for name in CASES:
        np.savez_compressed(folder / f"{name}.npz", **make_case(name))
