"""Writes the outputs of transformers' image processors that the tests compare with.

    python tests/checkpoints/make_image_processor_case.py

Requires transformers (written with 5.24.0).
"""

from pathlib import Path

import numpy as np
from image_processor_cases import CASES, TILED_CASES, make_images
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

CLASSES = {
    "Blip": BlipImageProcessorPil,
    "CLIP": CLIPImageProcessorPil,
    "DeiT": DeiTImageProcessorPil,
    "Idefics3": Idefics3ImageProcessorPil,
    "Siglip": SiglipImageProcessorPil,
    "SmolVLM": SmolVLMImageProcessorPil,
    "ViT": ViTImageProcessorPil,
}


def main():
    arrays = {}
    for name, (kind, config) in CASES.items():
        processor = CLASSES[kind](**config)
        for index, image in enumerate(make_images()):
            pixels = processor(image, return_tensors="np")["pixel_values"][0]
            arrays[f"{name}_{index}"] = pixels.transpose(1, 2, 0).astype("float32")
    for name, (kind, config) in TILED_CASES.items():
        processor = CLASSES[kind](**config)
        for index, image in enumerate(make_images()):
            outputs = processor(image, return_tensors="np", return_row_col_info=True)
            pixels = outputs["pixel_values"][0].transpose(0, 2, 3, 1)
            arrays[f"{name}_{index}"] = np.round(127.5 * pixels + 127.5).astype("uint8")
            grid = outputs["rows"][0][0], outputs["cols"][0][0]
            arrays[f"{name}_{index}_grid"] = np.array(grid)
    path = Path(__file__).parent / "data" / "image_processors.npz"
    np.savez_compressed(path, **arrays)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
