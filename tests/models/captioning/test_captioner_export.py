import json

import numpy as np
import pytest
from saved_models import call, png
from small_captioners import CAPTIONS, color_image, color_images, enlarge, small_captioner

from keras_mmfusion import ImageCaptioningModel, TransformerCaptioner
from keras_mmfusion.datasets.images.decoding.decode_image_tensor import (
    DAMAGED,
    EMPTY,
    NOT_AN_IMAGE,
    OK,
)
from keras_mmfusion.models.captioning.decoding.decoding_arguments import check_search_width
from keras_mmfusion.models.captioning.export.captioner_export import ROWS

tf = pytest.importorskip("tensorflow")


FILES = [png(image) for image in color_images(9)]


@pytest.fixture(scope="module")
def model():
    return small_captioner()


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    return model.export(tmp_path_factory.mktemp("captioner"), beams=3, manifest={"preset": "small"})


@pytest.fixture(scope="module")
def signatures(version):
    # Loaded by TensorFlow, without classes of the library.
    loaded = tf.saved_model.load(version)
    yield loaded.signatures
    del loaded


def strings(values):
    return np.vectorize(bytes.decode, otypes=[object])(values).tolist()


def test_exported_captions_equal_generate(model, signatures):
    found = call(signatures["serving_default"], image_bytes=FILES)
    expected = model.generate(FILES, beams=3, details=True)
    assert strings(found["captions"]) == [each.text for each in expected]
    assert len(set(strings(found["captions"]))) > 1
    np.testing.assert_allclose(found["scores"], [each.score for each in expected], rtol=1e-4)
    tokenizer = model.preprocessor.tokenizer
    assert tokenizer.detokenize(found["token_ids"]) == strings(found["captions"])
    assert not found["error_codes"].any()


def test_exported_caption_pixels(model, signatures):
    images = np.stack(color_images(3)).astype("float32")
    found = call(signatures["caption_pixels"], images=images)
    assert strings(found["captions"]) == model.generate(images, beams=3)
    assert set(found) == {"captions", "scores", "token_ids"}


def test_exported_hypotheses(model, signatures):
    found = call(signatures["hypotheses"], image_bytes=FILES[:2])
    assert strings(found["captions"]) == model.generate(FILES[:2], beams=3, hypotheses=3)
    assert found["scores"].shape == (2, 3)
    assert found["token_ids"].shape == (2, 3, 8)


def test_exported_features(model, signatures):
    found = call(signatures["features"], image_bytes=FILES[:2])
    images = model.preprocessor.generate_preprocess(
        [color_image("red", 0), color_image("green", 5)]
    )
    np.testing.assert_allclose(found["features"], model.encode(images), atol=1e-5)


def test_exported_attention_and_log_probabilities(model, signatures):
    found = call(signatures["attention"], image_bytes=FILES[:3])
    expected = model.generate(FILES[:3], beams=3, details=True)
    assert strings(found["captions"]) == [each.text for each in expected]
    for row, each in enumerate(expected):
        count = len(each.tokens)
        np.testing.assert_allclose(
            found["token_log_probs"][row, :count], each.token_log_probs, atol=1e-4
        )
        np.testing.assert_allclose(
            found["attention"][row, :count], each.attention.reshape(count, -1), atol=1e-5
        )
        assert not found["attention"][row, count:].any()


def test_exported_caption_score(model, signatures):
    best = model.generate(FILES[:3], beams=3, details=True)
    texts = [each.text for each in best]
    found = call(signatures["score"], image_bytes=FILES[:3], captions=texts)
    for row, each in enumerate(best):
        np.testing.assert_allclose(
            found["token_log_probs"][row, : len(each.tokens)], each.token_log_probs, atol=1e-4
        )
    np.testing.assert_allclose(
        found["log_probability"], found["token_log_probs"].sum(axis=-1), rtol=1e-5
    )
    others = call(signatures["score"], image_bytes=FILES[:3], captions=[CAPTIONS[0]] * 3)
    assert (others["log_probability"] != found["log_probability"]).any()


@pytest.mark.parametrize("count", [0, 1, ROWS, 1000])
def test_exported_batches_of_any_size(signatures, count):
    alone = call(signatures["serving_default"], image_bytes=FILES)
    files = [FILES[i % len(FILES)] for i in range(count)]
    found = call(signatures["serving_default"], image_bytes=np.array(files, dtype=object))
    for name in ("captions", "token_ids"):
        expected = [alone[name][i % len(FILES)] for i in range(count)]
        np.testing.assert_array_equal(found[name], np.reshape(expected, found[name].shape))


@pytest.mark.parametrize("value", [[1.0], [[b"two axes"]], b"none"])
def test_invalid_signature_inputs_raise_errors(signatures, value):
    with pytest.raises((TypeError, tf.errors.InvalidArgumentError)):
        call(signatures["serving_default"], image_bytes=value)


@pytest.mark.parametrize("name", ["serving_default", "hypotheses", "attention", "features"])
def test_invalid_files_do_not_affect_other_rows(signatures, name):
    alone = call(signatures[name], image_bytes=[FILES[0], FILES[1]])
    bad = [b"", b"no image", FILES[0][:60]]
    found = call(signatures[name], image_bytes=[FILES[0], *bad, FILES[1]])
    assert found["error_codes"].tolist() == [OK, EMPTY, NOT_AN_IMAGE, DAMAGED, OK]
    for key, values in found.items():
        if key == "error_codes":
            continue
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values[[0, 4]], alone[key], atol=1e-5)
        else:
            np.testing.assert_array_equal(values[[0, 4]], alone[key])
        assert not values[1:4].any()  # Empty strings or zeros; the padding token id is 0.


def test_graph_contains_only_tensorflow_operations(version):
    from tensorflow.core.protobuf import saved_model_pb2

    graph = saved_model_pb2.SavedModel.FromString(
        (version / "saved_model.pb").read_bytes()
    ).meta_graphs[0]
    operations = {
        node.op for function in graph.graph_def.library.function for node in function.node_def
    }
    assert "DecodeImage" in operations
    assert not operations & {"PyFunc", "EagerPyFunc", "PyFuncStateless", "XlaLaunch"}
    calls_xla = [
        function.signature.name
        for function in graph.graph_def.library.function
        if function.attr["_XlaMustCompile"].b
    ]
    assert not calls_xla


def test_export_manifest(version):
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    assert manifest["preset"] == "small"
    assert manifest["model"] == "TransformerCaptioner"
    assert manifest["decoding"]["beams"] == 3
    assert manifest["signatures"]["serving_default"]["outputs"]["token_ids"] == {
        "dtype": "int32",
        "shape": [None, 8],
    }


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_export_in_half_precision(dtype, tmp_path):
    model = small_captioner(dtype=dtype)
    loaded = tf.saved_model.load(model.export(tmp_path, beams=2))
    found = call(loaded.signatures["serving_default"], image_bytes=FILES)
    expected = model.generate(FILES, beams=2, details=True)
    # Different rounding may reorder near ties, but preserves their likelihood.
    np.testing.assert_allclose(
        found["scores"], [each.score for each in expected], atol=0.05, rtol=0.05
    )
    same = [a == b.text for a, b in zip(strings(found["captions"]), expected, strict=True)]
    assert np.mean(same) >= 0.6


def test_export_of_image_captioning_model(tmp_path):
    model = small_captioner(ImageCaptioningModel)
    enlarge(model)
    loaded = tf.saved_model.load(model.export(tmp_path, beams=1, max_length=6))
    found = call(loaded.signatures["serving_default"], image_bytes=FILES[:3])
    assert strings(found["captions"]) == model.generate(FILES[:3], beams=1, max_length=6)
    assert found["token_ids"].shape == (3, 6)


def test_search_width_is_limited_by_memory():
    check_search_width(181, vocabulary_size=3000, images=32)
    with pytest.raises(
        ValueError, match="`beams` must be at most 181, since the memory .* 32 images"
    ):
        check_search_width(182, vocabulary_size=3000, images=32)


def test_invalid_export_arguments_raise_errors(model, tmp_path):
    with pytest.raises(ValueError, match="`max_length` must be at most 8"):
        model.export(tmp_path, max_length=9)
    for beams in (0, 1025, 2.5, "4", float("nan")):
        with pytest.raises(ValueError, match="`beams` must be an integer from 1 to 1024. Received"):
            model.export(tmp_path, beams=beams)
    with pytest.raises(ValueError, match="`beams` must be at most .*, the size of the vocabulary"):
        model.export(tmp_path, beams=100)
    with pytest.raises(ValueError, match="`length_penalty` must be a number from -2 to 10"):
        model.export(tmp_path, length_penalty=float("nan"))
    other = TransformerCaptioner(model.image_encoder, model.text_decoder, preprocessor=None)
    with pytest.raises(ValueError, match="`export` requires a preprocessor"):
        other.export(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_export_with_int8_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_mmfusion.models.export.int8_weights.SMALLEST", 64)
    model = small_captioner()
    weights = [weight.numpy() for weight in model.weights]
    version = model.export(tmp_path, beams=2, int8_weights=True)
    assert json.loads((version / "manifest.json").read_text("utf-8"))["int8_weights"] is True
    for weight, before in zip(model.weights, weights, strict=True):
        np.testing.assert_array_equal(weight, before)
    loaded = tf.saved_model.load(version)
    found = call(loaded.signatures["serving_default"], image_bytes=FILES)
    features = call(loaded.signatures["features"], image_bytes=FILES)["features"]
    score = call(loaded.signatures["score"], image_bytes=FILES[:1], captions=CAPTIONS[:1])
    stored = [
        tf.train.load_variable(version / "variables" / "variables", name)
        for name, _ in (tf.train.list_variables(version / "variables" / "variables"))
    ]
    large = [np.shape(weight) for weight in weights if np.size(weight) >= 64]
    assert sorted(x.shape for x in stored if getattr(x, "dtype", None) == "int8") == sorted(large)
    assert not [x for x in stored if getattr(x, "dtype", None) == "float32" and x.shape in large]

    # Compare with a model with rounded weights.
    for weight, before in zip(model.weights, weights, strict=True):
        if before.size >= 64:
            longest = int(np.argmax(before.shape))
            rows = np.moveaxis(before, longest, 0)
            scale = np.abs(rows).max(axis=tuple(range(1, rows.ndim)), keepdims=True) / 127
            weight.assign(np.moveaxis(np.round(rows / scale) * scale, 0, longest))
    expected = model.generate(FILES, beams=2, details=True)
    assert strings(found["captions"]) == [each.text for each in expected]
    np.testing.assert_allclose(found["scores"], [each.score for each in expected], rtol=1e-3)
    images = model.preprocessor.generate_preprocess(color_images(9))
    np.testing.assert_allclose(features, model.encode(images), atol=1e-4)
    assert np.isfinite(score["log_probability"]).all()
