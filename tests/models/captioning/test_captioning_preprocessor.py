import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras_hub.layers import ImageConverter

from keras_mmfusion.encoders import ImageEncoder
from keras_mmfusion.models import CaptioningPreprocessor, WordTokenizer
from keras_mmfusion.models.captioning.training.feature_cache import (
    CAPTIONS_FILE,
    FEATURES_FILE,
    FeatureSequence,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3), "uint8")


@pytest.fixture
def preprocessor():
    return CaptioningPreprocessor(
        WordTokenizer.from_captions(["a dog runs on the grass"], min_count=1),
        ImageConverter(
            image_size=(6, 5), scale=1 / 128, offset=-127 / 128, crop_to_aspect_ratio=False
        ),
        sequence_length=4,
    )


def test_short_caption_has_an_end_token(preprocessor):
    x, y, sample_weight = preprocessor({"images": IMAGES[:1], "captions": ["a dog"]})
    a, dog = preprocessor.tokenizer("a dog")
    assert x["captions"].tolist() == [[1, a, dog, 2]]
    assert y.tolist() == [[a, dog, 2, 0]]
    assert sample_weight.tolist() == [[1, 1, 1, 0]]
    assert (x["captions"].dtype, y.dtype, sample_weight.dtype) == ("int32", "int32", "float32")


@pytest.mark.parametrize(
    ("caption", "inputs", "weight"),
    [
        ("a dog runs", "[START] a dog runs", 4),
        ("a dog runs on", "[START] a dog runs", 4),
        ("a dog runs on the grass", "[START] a dog runs", 4),
        ("", "[START] [PAD] [PAD] [PAD]", 0),
        ("...", "[START] [PAD] [PAD] [PAD]", 0),
        ("zebra", "[START] [UNK] [END] [PAD]", 2),
    ],
)
def test_captions_are_padded_or_truncated(preprocessor, caption, inputs, weight):
    x, y, sample_weight = preprocessor({"images": IMAGES[0], "captions": caption})
    tokens = [preprocessor.tokenizer.id_to_token(int(id)) for id in x["captions"]]
    assert " ".join(tokens) == inputs
    assert sample_weight.sum() == weight
    assert ((y != 0) == (sample_weight == 1)).all()
    ended = len(preprocessor.tokenizer(caption)) in range(1, 4)
    assert (2 in y) == ended


def test_several_captions_per_image(preprocessor):
    captions = [["a dog", "runs", ""], ["the grass", "", ""]]
    x, y, sample_weight = preprocessor({"images": IMAGES, "captions": captions})
    assert x["captions"].shape == y.shape == sample_weight.shape == (2, 3, 4)
    single = preprocessor({"images": IMAGES[1], "captions": "the grass"})
    np.testing.assert_array_equal(y[1, 0], single[1])
    assert sample_weight.sum(axis=-1).tolist() == [[3, 2, 0], [3, 0, 0]]


def test_images_are_resized_and_scaled(preprocessor):
    images = np.stack([np.zeros((9, 7, 3), "uint8"), np.full((9, 7, 3), 255, "uint8")])
    x, _, _ = preprocessor({"images": images, "captions": ["a", "a"]})
    found = keras.ops.convert_to_numpy(x["images"])
    assert found.shape == (2, 6, 5, 3)
    np.testing.assert_allclose(found[0], -127 / 128, rtol=1e-6)
    np.testing.assert_allclose(found[1], 1, rtol=1e-6)


def test_uint8_images_are_not_rounded(preprocessor):
    as_bytes = preprocessor.generate_preprocess(IMAGES)
    as_floats = preprocessor.generate_preprocess(IMAGES.astype("float32"))
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (as_bytes, as_floats)))


def test_generate_preprocess_accepts_images_of_different_sizes(preprocessor):
    found = preprocessor.generate_preprocess([IMAGES[0], IMAGES[1, :5]])
    assert found.shape == (2, 6, 5, 3)
    alone = preprocessor.generate_preprocess(IMAGES[1, :5])
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (found[1], alone)), atol=1e-6)


def test_generate_postprocess(preprocessor):
    a, dog = preprocessor.tokenizer("a dog")
    assert preprocessor.generate_postprocess(np.array([[a, dog, 2, dog]])) == ["a dog"]


def test_sample_weight_multiplies_token_weights(preprocessor):
    x = {"images": IMAGES, "captions": [["a", "dog runs"], ["a", ""]]}
    plain = preprocessor(x)[2]
    for_images = preprocessor(x, sample_weight=np.array([2.0, 0.5]))[2]
    np.testing.assert_array_equal(for_images, plain * np.array([2, 0.5])[:, None, None])
    for_captions = preprocessor(x, sample_weight=[[1.0, 0.0], [3.0, 1.0]])[2]
    np.testing.assert_array_equal(for_captions, plain * np.array([[[1], [0]], [[3], [1]]]))


def test_input_is_not_modified(preprocessor):
    x = {"images": IMAGES, "captions": ["a", "dog"], "name": "kept"}
    before = IMAGES.copy()
    preprocessor(x)
    assert x == {"images": IMAGES, "captions": ["a", "dog"], "name": "kept"}
    np.testing.assert_array_equal(IMAGES, before)


@pytest.mark.parametrize("x", [{"images": IMAGES}, {"captions": ["a"]}, IMAGES])
def test_missing_inputs_raise_an_error(preprocessor, x):
    with pytest.raises(ValueError, match="dict with 'images' and 'captions'"):
        preprocessor(x)


def test_given_targets_raise_an_error(preprocessor):
    with pytest.raises(ValueError, match="`y` must be None"):
        preprocessor({"images": IMAGES, "captions": ["a", "dog"]}, np.zeros(2))


@pytest.mark.parametrize("wrong", [None, float("nan")])
def test_non_string_captions_raise_errors(preprocessor, wrong):
    for captions, row in ((["a", wrong], r"captions\[1\]"), ([["a"], [wrong]], r"\[1\]\[0\]")):
        with pytest.raises(ValueError, match=f"{row}` must be a string. Received: (None|nan)"):
            preprocessor({"images": IMAGES, "captions": captions})
        with pytest.raises(ValueError, match=row):
            WordTokenizer.from_captions(captions, min_count=1)


def test_uneven_numbers_of_captions_raise_an_error(preprocessor):
    with pytest.raises(ValueError, match="pad with empty strings"):
        preprocessor({"images": IMAGES, "captions": [["a", "dog"], ["a"]]})


@pytest.mark.parametrize("length", [0, -1, 2.5, None])
def test_invalid_sequence_length_raises_an_error(preprocessor, length):
    with pytest.raises(ValueError, match="`sequence_length` must be a positive integer"):
        CaptioningPreprocessor(preprocessor.tokenizer, preprocessor.image_converter, length)


@pytest.mark.parametrize(
    "captions", ["a dog", ["a dog", "..."], [["a", "a dog runs on"], ["zebra", ""]]]
)
def test_tf_data_equals_eager(preprocessor, captions):
    tensorflow = pytest.importorskip("tensorflow")
    images = IMAGES[0] if isinstance(captions, str) else IMAGES
    x = {"images": images, "captions": captions}
    dataset = tensorflow.data.Dataset.from_tensors(x).map(preprocessor)
    found = next(iter(dataset))
    expected = preprocessor(x)
    assert keras.tree.map_structure(lambda leaf: leaf.shape, dataset.element_spec) == (
        keras.tree.map_structure(lambda leaf: leaf.shape, found)
    )
    np.testing.assert_allclose(
        found[0]["images"].numpy(),
        keras.ops.convert_to_numpy(expected[0]["images"]),
        atol=1e-6,
    )
    np.testing.assert_array_equal(found[0]["captions"].numpy(), expected[0]["captions"])
    np.testing.assert_array_equal(found[1].numpy(), expected[1])
    np.testing.assert_array_equal(found[2].numpy(), expected[2])


def test_tf_data_with_batches_of_unknown_size_and_weights(preprocessor):
    tensorflow = pytest.importorskip("tensorflow")
    x = {"images": np.repeat(IMAGES, 2, 0)[:3], "captions": [["a dog", "runs"]] * 3}
    y = sample_weight = np.array([1, 2, 3], "float32")
    dataset = tensorflow.data.Dataset.from_tensor_slices((x, sample_weight)).batch(2)
    dataset = dataset.map(lambda x, weight: preprocessor(x, sample_weight=weight))
    assert dataset.element_spec[1].shape == (None, 2, 4)
    weights = np.concatenate([batch[2].numpy() for batch in dataset])
    np.testing.assert_array_equal(weights, preprocessor(x, sample_weight=y)[2])


def test_preset_round_trip(preprocessor, tmp_path):
    preprocessor.save_to_preset(tmp_path)
    vocabulary = tmp_path / "assets" / "tokenizer" / "vocabulary.txt"
    assert vocabulary.read_text().splitlines() == preprocessor.tokenizer.get_vocabulary()
    # The preset folder of a model also contains the config of its encoder.
    encoder = keras.saving.serialize_keras_object(ImageEncoder(weights=None))
    (tmp_path / "config.json").write_text(json.dumps(encoder))
    loaded = CaptioningPreprocessor.from_preset(str(tmp_path))
    x = {"images": IMAGES, "captions": ["a dog", "runs"]}
    found, expected = loaded(x), preprocessor(x)
    keras.tree.map_structure(
        lambda *leaves: np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, leaves)),
        found,
        expected,
    )


def test_config_is_complete(preprocessor):
    config = preprocessor.get_config()
    loaded = CaptioningPreprocessor.from_config(preprocessor.get_config())
    assert loaded.get_config() == config
    assert config["sequence_length"] == 4


WITHOUT_TENSORFLOW = """
import sys
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = classmethod(
    lambda cls, name, *args: None if name.startswith("tensorflow") else find_spec(name, *args)
)
import numpy as np
from keras_hub.layers import ImageConverter
from PIL import Image
from keras_mmfusion.datasets import CaptionPairs, CaptionSequence
from keras_mmfusion.encoders import ImageEncoder
from keras_mmfusion.models import CaptioningPreprocessor, WordTokenizer
from keras_mmfusion.models.captioning.training.feature_cache import (
    CAPTIONS_FILE,
    FEATURES_FILE,
    FeatureSequence,
)

Image.new("RGB", (9, 7), "red").save("red.png")
pairs = CaptionPairs(["red.png"], [["a red image"]])
preprocessor = CaptioningPreprocessor(
    WordTokenizer.from_captions(pairs.captions, min_count=1), ImageConverter(image_size=(6, 6))
)
sequence = CaptionSequence(pairs, image_size=(6, 6), preprocessor=preprocessor, augment=True)
x, y, sample_weight = next(iter(sequence))
assert x["images"].shape == (1, 6, 6, 3), x["images"].shape
assert preprocessor.generate_postprocess(y[0, 0]) == "a red image"
assert "tensorflow" not in sys.modules
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_without_tensorflow(backend, tmp_path):
    pytest.importorskip(backend)
    paths = [path for path in sys.path if path] + [os.getcwd()]
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(paths),
    }
    subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TENSORFLOW],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=300,
    )


@pytest.mark.parametrize("in_graph", [False, True])
def test_captions_without_known_words_raise_errors(in_graph):
    preprocessor = CaptioningPreprocessor(
        WordTokenizer.from_captions(["a dog runs"], min_count=1),
        ImageConverter(image_size=(4, 4)),
        sequence_length=5,
    )

    def prepare(captions):
        x = {"images": np.zeros((len(captions), 8, 8, 3), "uint8"), "captions": captions}
        if not in_graph:
            return preprocessor(x)
        tf = pytest.importorskip("tensorflow")
        return next(iter(tf.data.Dataset.from_tensors(x).map(preprocessor)))

    prepare(["a dog", "有只狗"])  # Some words are known.
    prepare(["", " "])  # Padding of a batch.
    for captions in (["有只狗", "собака бежит"], ["hund läuft", ""]):
        with pytest.raises(Exception, match="None of the `captions` contains a word") as error:
            prepare(captions)
        assert in_graph or error.type is ValueError


def test_feature_cache_with_captions_without_known_words(tmp_path, preprocessor):
    np.save(tmp_path / FEATURES_FILE, np.zeros((1, 2, 1, 4), "float16"))
    captions = tmp_path / CAPTIONS_FILE
    captions.write_text(json.dumps([[["a dog", "有只狗"], ["the grass", ""]]]))
    with pytest.warns(UserWarning, match="1 captions contain no word .* such as .'有只狗'"):
        FeatureSequence(tmp_path, preprocessor)
    captions.write_text(json.dumps([[["有只狗"], ["собака"]]]))
    with pytest.raises(
        ValueError, match="No caption contains a word .*The first are .'有只狗', 'соб"
    ):
        FeatureSequence(tmp_path, preprocessor)
