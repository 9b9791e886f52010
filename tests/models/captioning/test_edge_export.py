"""The exported encoder and decoder step on ONNX Runtime and LiteRT, compared with the model."""

import json

import numpy as np
import pytest
from small_captioners import color_images, enlarge, small_captioner

from keras_mmfusion import ImageCaptioningModel
from keras_mmfusion.models import export_edge_captioner

tf = pytest.importorskip("tensorflow")


def onnx_network(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda **inputs: dict(zip(names, session.run(names, inputs), strict=True))


def litert_network(path):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    runner = interpreter.get_signature_runner()
    return lambda **inputs: {name: value.copy() for name, value in runner(**inputs).items()}


FORMATS = {"onnx": ("tf2onnx", onnx_network), "litert": ("tensorflow", litert_network)}


def caption(folder, network, suffix, image):
    """Runs a greedy search as on a device; returns the caption and the image tokens."""
    metadata = json.loads((folder / "captioner.json").read_text("utf-8"))
    encoder = network(folder / f"image_encoder.{suffix}")
    step = network(folder / f"decoder_step.{suffix}")
    image_tokens = encoder(images=image[np.newaxis])["image_tokens"]
    cache = np.zeros(metadata["cache_shape"], "float32")
    tokens = np.zeros((1, cache.shape[3]), "int32")
    tokens[0, 0] = metadata["start"]
    words = []
    for index in range(tokens.shape[1]):
        outputs = step(
            image_tokens=image_tokens, tokens=tokens, index=np.array([index], "int32"), cache=cache
        )
        cache, logits = outputs["new_cache"], outputs["logits"][0]
        logits[metadata["suppressed_token_ids"]] = -np.inf
        if index < 1:  # Captions are not empty.
            logits[metadata["end"]] = -np.inf
        token = int(np.argmax(logits))
        if token == metadata["end"]:
            break
        words.append(metadata["words"][token])
        if index + 1 < tokens.shape[1]:
            tokens[0, index + 1] = token
    return " ".join(words), image_tokens


@pytest.mark.parametrize("edge_format", FORMATS)
@pytest.mark.filterwarnings("ignore")  # The converters emit warnings.
def test_exported_captions_equal_generate(tmp_path, edge_format):
    package, network = FORMATS[edge_format]
    pytest.importorskip(package)
    model = small_captioner()
    folder = export_edge_captioner(model, tmp_path / "edge", edge_format)
    images = model.preprocessor.generate_preprocess(color_images(4)).numpy()
    suffix = {"onnx": "onnx", "litert": "tflite"}[edge_format]
    expected = model.generate(color_images(4), beams=1)
    assert len(set(expected)) > 1
    for image, text in zip(images, expected, strict=True):
        found, image_tokens = caption(folder, network, suffix, image)
        assert found == text
        np.testing.assert_allclose(image_tokens, model.encode(image[np.newaxis]), atol=1e-4)


def test_invalid_edge_export_arguments_raise_errors(tmp_path):
    model = small_captioner(ImageCaptioningModel)
    enlarge(model)
    with pytest.raises(ValueError, match="`edge_format` must be one of 'litert', 'onnx'"):
        export_edge_captioner(model, tmp_path / "edge", "tflite")
    with pytest.raises(ValueError, match="`folder` must not exist"):
        export_edge_captioner(model, tmp_path)
    model.preprocessor = None
    with pytest.raises(ValueError, match="must have a preprocessor"):
        export_edge_captioner(model, tmp_path / "edge")
    assert list(tmp_path.iterdir()) == []
