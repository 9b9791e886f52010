"""Peer of parity.py: image processors and tokenizers of Hugging Face transformers."""

import json
import pathlib

import numpy as np
import transformers
from parity_inputs import PROCESSORS
from peer_process import serve
from transformers.image_utils import load_image
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

CLASSES = {
    "Blip": BlipImageProcessorPil,
    "CLIP": CLIPImageProcessorPil,
    "DeiT": DeiTImageProcessorPil,
    "Siglip": SiglipImageProcessorPil,
    "ViT": ViTImageProcessorPil,
    "Vilt": ViltImageProcessorPil,
}
TOKENIZERS = {
    "bert": transformers.BertTokenizer,
    "clip": transformers.CLIPTokenizer,
    "gpt2": transformers.GPT2Tokenizer,
}


def preprocess(paths, folder):
    """Writes the pixels of every processor, `(images, length, length, 3)`, padded by zeros."""
    for name, (kind, config, length) in PROCESSORS.items():
        processor = CLASSES[kind](**config)
        pixels = np.zeros((len(paths), length, length, 3), "float32")
        for row, path in zip(pixels, paths, strict=True):
            image = processor(load_image(path), return_tensors="np")["pixel_values"][0]
            row[: image.shape[1], : image.shape[2]] = image.transpose(1, 2, 0)
        np.save(pathlib.Path(folder, f"{name}.npy"), pixels)
    return {}


def tokenize(kind, vocabulary, texts, ids):
    """Reads texts from a JSON file and writes their ids to another one."""
    texts = json.loads(pathlib.Path(texts).read_text("utf-8"))
    tokenizer = TOKENIZERS[kind].from_pretrained(vocabulary)
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    pathlib.Path(ids).write_text(json.dumps(rows), "utf-8")
    return {}


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    serve(
        {"transformers": transformers.__version__},
        {"preprocess": preprocess, "tokenize": tokenize},
    )
