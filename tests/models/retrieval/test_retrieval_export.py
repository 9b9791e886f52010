import json

import keras
import numpy as np
import pytest
from saved_models import call, png
from small_embedders import SENTENCES, make_images, small_embedder

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import EMPTY, NOT_AN_IMAGE, OK
from keras_mmfusion.models.retrieval.retrieval_export import ROWS

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="A SavedModel is TensorFlow's."
)


FILES = [png(image) for image in make_images()]


@pytest.fixture(scope="module")
def model():
    return small_embedder()


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    return model.export(tmp_path_factory.mktemp("embedder"), manifest={"preset": "small"})


@pytest.fixture(scope="module")
def signatures(version):
    loaded = tf.saved_model.load(version)
    yield loaded.signatures
    del loaded


def test_exported_embeddings_match_embed(model, signatures):
    found = call(signatures["serving_default"], image_bytes=FILES)
    np.testing.assert_allclose(found["embeddings"], model.embed("image", FILES), atol=1e-5)
    assert (found["error_codes"] == OK).all()
    text = model.preprocessor({"text": SENTENCES})["text"]
    found = call(signatures["embed_tokens"], **{name: np.array(x) for name, x in text.items()})
    np.testing.assert_allclose(found["embeddings"], model.embed("text", SENTENCES), atol=1e-5)


def test_invalid_file_gets_zeros_and_an_error_code(signatures):
    files = [FILES[0], b"", b"no image", FILES[1]]
    found = call(signatures["serving_default"], image_bytes=files)
    assert found["error_codes"].tolist() == [OK, EMPTY, NOT_AN_IMAGE, OK]
    np.testing.assert_array_equal(found["embeddings"][1:3], 0)
    alone = call(signatures["serving_default"], image_bytes=FILES[1:2])
    np.testing.assert_allclose(found["embeddings"][3:], alone["embeddings"], atol=1e-6)


@pytest.mark.parametrize("count", [0, ROWS + 1])
def test_exported_model_accepts_any_batch_size(signatures, count):
    found = call(signatures["serving_default"], image_bytes=np.array([FILES[0]] * count, object))
    assert found["embeddings"].shape[0] == found["error_codes"].shape[0] == count


def test_manifest_and_only_standard_operations(version):
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    assert manifest["preset"] == "small"
    assert manifest["model"] == "ContrastiveModel"
    assert set(manifest["signatures"]) == {"serving_default", "embed_tokens"}
    assert (version / "assets.extra" / "tf_serving_warmup_requests").is_file()
    from tensorflow.core.protobuf import saved_model_pb2

    graph = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    graph = graph.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    assert not {node.op for node in nodes} & {"PyFunc", "EagerPyFunc", "XlaLaunch"}
    assert not any("Wordpiece" in node.op for node in nodes)


def test_export_without_preprocessor_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="needs a `RetrievalPreprocessor`"):
        small_embedder(preprocessor=False).export(tmp_path)
