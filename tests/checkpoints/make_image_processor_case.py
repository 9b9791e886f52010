"""Writes the outputs of transformers' image processors that the tests compare with.

    python tests/checkpoints/make_image_processor_case.py

Requires transformers (written with 5.24.0).
"""

from pathlib import Path

import numpy as np
from image_processor_cases import CASES, make_images
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

CLASSES = {
    "Blip": BlipImageProcessorPil,
    "CLIP": CLIPImageProcessorPil,
    "DeiT": DeiTImageProcessorPil,
    "Siglip": SiglipImageProcessorPil,
    "ViT": ViTImageProcessorPil,
}


def main():
    arrays = {}
    for name, (kind, config) in CASES.items():
        processor = CLASSES[kind](**config)
        for index, image in enumerate(make_images()):
            pixels = processor(image, return_tensors="np")["pixel_values"][0]
            arrays[f"{name}_{index}"] = pixels.transpose(1, 2, 0).astype("float32")
    path = Path(__file__).parent / "data" / "image_processors.npz"
    np.savez_compressed(path, **arrays)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
