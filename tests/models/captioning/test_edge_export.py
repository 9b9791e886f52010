"""The encoder and the decoder's step on ONNX Runtime and LiteRT, against the model itself."""

import json

import numpy as np
import pytest
from small_captioners import enlarge, pictures, small_captioner

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
    """Greedy search, as a device would do it; also the image tokens."""
    facts = json.loads((folder / "captioner.json").read_text("utf-8"))
    encoder = network(folder / f"image_encoder.{suffix}")
    step = network(folder / f"decoder_step.{suffix}")
    image_tokens = encoder(images=image[np.newaxis])["image_tokens"]
    cache = np.zeros(facts["cache_shape"], "float32")
    tokens = np.zeros((1, cache.shape[3]), "int32")
    tokens[0, 0] = facts["start"]
    words = []
    for index in range(tokens.shape[1]):
        found = step(
            image_tokens=image_tokens, tokens=tokens, index=np.array([index], "int32"), cache=cache
        )
        cache, logits = found["new_cache"], found["logits"][0]
        logits[facts["never"]] = -np.inf
        if index < 1:  # An empty caption is none.
            logits[facts["end"]] = -np.inf
        token = int(np.argmax(logits))
        if token == facts["end"]:
            break
        words.append(facts["words"][token])
        if index + 1 < tokens.shape[1]:
            tokens[0, index + 1] = token
    return " ".join(words), image_tokens


@pytest.mark.parametrize("edge_format", FORMATS)
@pytest.mark.filterwarnings("ignore")  # Of the converters.
def test_captions_are_those_of_generate(tmp_path, edge_format):
    package, network = FORMATS[edge_format]
    pytest.importorskip(package)
    model = small_captioner()
    folder = export_edge_captioner(model, tmp_path / "edge", edge_format)
    images = model.preprocessor.generate_preprocess(pictures(4)).numpy()
    suffix = {"onnx": "onnx", "litert": "tflite"}[edge_format]
    expected = model.generate(pictures(4), beams=1)
    assert len(set(expected)) > 1
    for image, text in zip(images, expected, strict=True):
        found, image_tokens = caption(folder, network, suffix, image)
        assert found == text
        np.testing.assert_allclose(image_tokens, model.encode(image[np.newaxis]), atol=1e-4)


def test_unfit_arguments(tmp_path):
    model = small_captioner(ImageCaptioningModel)
    enlarge(model)
    with pytest.raises(ValueError, match="`edge_format` must be one of 'litert', 'onnx'"):
        export_edge_captioner(model, tmp_path / "edge", "tflite")
    with pytest.raises(ValueError, match="`folder` must not be there yet"):
        export_edge_captioner(model, tmp_path)
    model.preprocessor = None
    with pytest.raises(ValueError, match="must have a preprocessor"):
        export_edge_captioner(model, tmp_path / "edge")
    assert list(tmp_path.iterdir()) == []
