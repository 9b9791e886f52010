"""Image converters equal transformers' image processors (stored outputs)."""

from pathlib import Path

import keras
import numpy as np
import pytest
from image_processor_cases import CASES, TILED_CASES, make_images

from keras_mmfusion.checkpoints.image_processors import build_image_converter

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", CASES)
def test_outputs_equal_the_image_processor(name):
    kind, config = CASES[name]
    converter = build_image_converter({"image_processor_type": f"{kind}ImageProcessor", **config})
    with np.load(DATA / "image_processors.npz") as expected:
        for index, image in enumerate(make_images()):
            output = keras.ops.convert_to_numpy(converter(image))
            np.testing.assert_allclose(output, expected[f"{name}_{index}"], atol=1e-5)


@pytest.mark.parametrize("name", TILED_CASES)
def test_tiles_equal_those_of_the_image_processor(name):
    kind, config = TILED_CASES[name]
    converter = build_image_converter({"image_processor_type": f"{kind}ImageProcessor", **config})
    with np.load(DATA / "image_processors.npz") as expected:
        for index, image in enumerate(make_images()):
            tiles, grid = converter(image)
            pixels = 127.5 * keras.ops.convert_to_numpy(tiles) + 127.5
            np.testing.assert_allclose(pixels, expected[f"{name}_{index}"], atol=1e-3)
            assert grid == tuple(expected[f"{name}_{index}_grid"])


@pytest.mark.parametrize(
    "config",
    [
        # As in openai/clip-vit-base-patch32, and as newer versions write it.
        {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224},
        {"image_processor_type": "CLIPImageProcessorFast", "size": {"shortest_edge": 224}},
        {"image_processor": {"image_processor_type": "CLIPImageProcessorPil"}},
    ],
)
def test_file_variants_give_the_same_converter(config):
    default = build_image_converter({"image_processor_type": "CLIPImageProcessor"}).get_config()
    assert {**build_image_converter(config).get_config(), "name": ""} == {**default, "name": ""}


def test_a_single_number_is_the_size_of_both_edges_for_vit():
    converter = build_image_converter({"feature_extractor_type": "ViTFeatureExtractor", "size": 32})
    assert (converter.image_size, converter.shortest_edge) == ((32, 32), None)
    assert converter.interpolation == "bilinear"
    assert converter.drop_alpha  # As transformers reads files.


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "image processor '' is not supported"),
        ({"image_processor_type": "DonutImageProcessor"}, "'DonutImageProcessor' is not supported"),
        ({"image_processor_type": "ViTImageProcessor", "resample": 0}, "`resample` must be"),
        ({"image_processor_type": "ViTImageProcessor", "do_resize": False}, "do_resize=false"),
        (
            {"image_processor_type": "CLIPImageProcessor", "do_center_crop": False},
            "size .*shortest_edge.* is not supported",
        ),
    ],
)
def test_unsupported_settings_raise(config, message):
    with pytest.raises(ValueError, match=message):
        build_image_converter(config)
