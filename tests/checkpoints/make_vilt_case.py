"""Writes `data/vilt.npz`: outputs of transformers' ViLT model with small random weights.

Run `python tests/checkpoints/make_vilt_case.py` where transformers and PyTorch are installed.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import transformers
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

DATA = pathlib.Path(__file__).parent / "data"
CONFIG = {
    "vocab_size": 40,
    "max_position_embeddings": 8,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "image_size": 24,
    "patch_size": 8,
    "id2label": {str(index): f"answer {index}" for index in range(5)},
}
TEXT_TYPES = "text_embeddings.token_type_embeddings"
SHORTEST_EDGE = 24
# Photos whose grids of patches have different sizes: (3, 4), (3, 3), (4, 3), (1, 4), (3, 4).
PHOTO_SIZES = [(37, 50), (30, 30), (90, 64), (20, 60), (64, 89)]


def set_random_weights(model, seed=0):
    """Sets widely spread weights that float16 represents exactly."""
    rng = np.random.default_rng(seed)
    for name, parameter in model.named_parameters():
        values = rng.normal(scale=0.4, size=tuple(parameter.shape))
        if "norm" in name.lower() and name.endswith("weight"):
            values += 1
        parameter.data = torch.tensor(values.astype("float16").astype("float32"))
    return model.eval()


def make_photos():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in PHOTO_SIZES]


def make_questions(rng, rows):
    ids = rng.integers(4, 40, (rows, 6))
    mask = np.arange(6) < 6 - np.arange(rows)[:, None] % 4  # The number of words differs.
    return np.where(mask, ids, 0), mask


def make_case():
    config = transformers.ViltConfig(**CONFIG)
    model = set_random_weights(transformers.ViltForQuestionAnswering(config))
    processor = ViltImageProcessorPil(size={"shortest_edge": SHORTEST_EDGE}, size_divisor=8)
    inputs = processor(make_photos(), return_tensors="pt")
    rows = len(PHOTO_SIZES)
    rng = np.random.default_rng(2)
    ids, mask = make_questions(rng, rows)
    labels = rng.random((rows, len(CONFIG["id2label"]))).astype("float32")
    arguments = {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask).long(),
        "labels": torch.tensor(labels),
        **inputs,
    }
    output = model(**arguments)
    output.loss.backward()
    # Our model stores the sum of positions and text types, so it has no such gradient.
    gradients = [p.grad for name, p in model.named_parameters() if TEXT_TYPES not in name]
    sizes = inputs["pixel_mask"].numpy()
    sizes = np.stack([sizes.any(axis=2).sum(axis=1), sizes.any(axis=1).sum(axis=1)], axis=1)
    return {
        **{f"weight:{k}": v.numpy().astype("float16") for k, v in model.state_dict().items()},
        "config": json.dumps({**CONFIG, "architectures": ["ViltForQuestionAnswering"]}),
        "pixels": inputs["pixel_values"].numpy().transpose(0, 2, 3, 1),
        "image_sizes": sizes.astype("int32"),
        "questions": ids.astype("int32"),
        "question_mask": mask,
        "labels": labels,
        "logits": output.logits.detach().numpy(),
        "loss": np.float32(output.loss.item()),
        "gradient_norm": np.float32(sum((g**2).sum() for g in gradients).sqrt().item()),
    }


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    np.savez_compressed(folder / "vilt.npz", **make_case())
