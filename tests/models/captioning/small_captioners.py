"""Small captioners for tests, and images that they can learn to distinguish."""

import keras
import numpy as np
from keras_hub.layers import ImageConverter
from PIL import Image

from keras_mmfusion import (
    CrossModalAttention,
    ImageCaptioningModel,
    TextDecoder,
    TransformerCaptioner,
)
from keras_mmfusion.models import CaptioningPreprocessor, WordTokenizer

COLORS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (30, 30, 240)}
CAPTIONS = [f"a {color} square on the wall" for color in COLORS]
SIZE = (32, 32)


def color_image(color, shade=0):
    """Creates an image of one color, uint8 `(40, 36, 3)`."""
    values = np.array(COLORS[color]) + shade
    return np.broadcast_to(values.clip(0, 255), (40, 36, 3)).astype("uint8")


def color_images(count=3):
    return [color_image(list(COLORS)[i % 3], shade=5 * i) for i in range(count)]


def write_images(folder, count=12):
    """Writes images to files; returns paths and lists of captions."""
    paths, captions = [], []
    for index, image in enumerate(color_images(count)):
        paths.append(str(folder / f"{index}.png"))
        Image.fromarray(image).save(paths[-1])
        color = list(COLORS)[index % 3]
        captions.append([f"a {color} square on the wall", f"the wall is {color}"])
    return paths, captions


def small_preprocessor(sequence_length=8):
    tokenizer = WordTokenizer.from_captions([*CAPTIONS, "the wall is red"], min_count=1)
    converter = ImageConverter(image_size=SIZE, scale=1 / 128, offset=-127 / 128)
    return CaptioningPreprocessor(tokenizer, converter, sequence_length)


def small_encoder(dtype=None):
    """Creates an encoder of images to a feature map of 2 by 2 cells."""
    images = keras.Input((*SIZE, 3), name="images")
    features = keras.layers.Conv2D(8, 16, 16, dtype=dtype, name="patches")(images)
    return keras.Model(images, features, name="small_encoder")


def small_captioner(cls=TransformerCaptioner, dtype=None, dropout=0.0, seed=0, **parts):
    """Creates a captioner with large random weights, so that captions are distinct."""
    keras.utils.set_random_seed(seed)
    preprocessor = parts.pop("preprocessor", small_preprocessor())
    parts.setdefault("image_encoder", small_encoder(dtype))
    parts.setdefault(
        "text_decoder",
        TextDecoder(
            small_preprocessor().tokenizer.vocabulary_size(),
            dim=8,
            num_layers=2,
            num_heads=2,
            sequence_length=8,
            dropout=dropout,
            cross_attention=issubclass(cls, TransformerCaptioner),
            dtype=dtype,
        ),
    )
    if cls is ImageCaptioningModel:
        parts.setdefault("cross_modal_attention", CrossModalAttention(2, 4, dtype=dtype))
    model = cls(**parts, preprocessor=preprocessor)
    enlarge(model)
    return model


def enlarge(model, seed=0):
    """Sets large weights, so that captions differ between images and there are no near ties."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        scale = 1.0 if "embedding" in weight.path else 0.7
        weight.assign(rng.normal(scale=scale, size=weight.shape))
