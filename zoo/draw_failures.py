"""Draws images that a captioner describes wrongly, for the model card.

    python zoo/draw_failures.py captioner_flickr8k_lite0 chelsea.png coffee.png rocket.jpg \
        --out zoo/captioner_flickr8k_lite0/failures.png

The images are free ones from `skimage/data` of scikit-image, as those of Flickr8k must not be
published. The model card credits the photographers.
"""

import argparse
import textwrap

from matplotlib.figure import Figure
from PIL import Image

from keras_mmfusion.zoo import captioner


def draw_failures(preset, photos, out):
    """Writes a figure of images with their captions.

    Args:
        preset: string. See `keras_mmfusion.zoo.captioner`.
        photos: list of paths.
        out: path of the figure.
    """
    captions = captioner(preset).generate(photos)
    figure = Figure(figsize=(4 * len(photos), 4.2), layout="constrained")
    for axes, photo, caption in zip(
        figure.subplots(1, len(photos), squeeze=False)[0], photos, captions, strict=True
    ):
        axes.imshow(Image.open(photo).convert("RGB"))
        axes.set_title(textwrap.fill(caption, 34))
        axes.axis("off")
    figure.savefig(out, dpi=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset")
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    draw_failures(arguments.preset, arguments.photos, arguments.out)
