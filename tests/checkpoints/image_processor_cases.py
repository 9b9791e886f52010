"""Settings of image processors and images, for the tests and the script that makes their data."""

import numpy as np

# Name -> class of the image processor, its settings. Small sizes keep the stored outputs small.
CASES = {
    "blip": ("Blip", {"size": {"height": 18, "width": 22}}),
    "clip": ("CLIP", {"size": {"shortest_edge": 17}, "crop_size": {"height": 16, "width": 16}}),
    "clip_lanczos": ("CLIP", {"size": {"shortest_edge": 20}, "crop_size": 20, "resample": 1}),
    "deit": ("DeiT", {"size": {"height": 20, "width": 22}, "crop_size": 16}),
    "siglip": ("Siglip", {"size": {"height": 16, "width": 16}}),
    "vit": ("ViT", {"size": {"height": 16, "width": 16}}),
    "vit_plain": ("ViT", {"size": {"height": 9, "width": 14}, "do_normalize": False}),
}
# The same for image processors that split images into tiles.
_TILED = {"size": {"longest_edge": 48}, "max_image_size": {"longest_edge": 16}}
TILED_CASES = {
    "idefics3": ("Idefics3", _TILED),
    "smolvlm": ("SmolVLM", {**_TILED, "size": {"longest_edge": 16}}),
    "smolvlm_whole": ("SmolVLM", {**_TILED, "do_image_splitting": False}),
}


def make_images():
    """Makes smooth images with sharp edges, of several sizes."""
    rng = np.random.default_rng(0)
    images = []
    for height, width in [(64, 47), (31, 90), (12, 12)]:
        rows, columns = np.mgrid[:height, :width]
        waves = np.stack([np.sin(rows / 5), np.cos(columns / 7), np.sin(rows * columns / 99)], -1)
        image = 127 + 90 * waves + rng.normal(0, 20, (height, width, 3))
        image[height // 3 : height // 2, width // 4 : width // 2] = (255, 0, 255)
        images.append(np.clip(image, 0, 255).astype("uint8"))
    return images
