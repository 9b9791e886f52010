"""SigLIP's tokenizer gives the ids that `make_siglip_tokenizer_case.py` stored."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints.checkpoint_assets import CheckpointAssets
from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.checkpoints.sentencepiece_file import read_sentencepiece
from keras_mmfusion.checkpoints.tokenizers import build_siglip_tokenizer
from keras_mmfusion.models import ContrastiveModel

DATA = pathlib.Path(__file__).parent / "data"
CASE = json.loads((DATA / "siglip_tokenizer.json").read_text("utf-8"))
FILES = {"spiece.model": "ids", "tokenizer.json": "tokenizer_ids"}


def write_tokenizer(folder, name="spiece.model"):
    if name == "spiece.model":
        shutil.copy(DATA / "siglip_spiece.model", folder / name)
    else:
        (folder / name).write_text(json.dumps(CASE["tokenizer"]))
    return folder


@pytest.fixture(scope="module", params=FILES)
def tokenizer(request, tmp_path_factory):
    folder = write_tokenizer(tmp_path_factory.mktemp("tokenizer"), request.param)
    return build_siglip_tokenizer(CheckpointAssets(folder)), CASE[FILES[request.param]]


def test_ids_are_those_of_the_source(tokenizer):
    tokenizer, expected = tokenizer
    assert tokenizer(CASE["texts"]) == expected
    assert tokenizer(np.array([["a dog"], ["cats"]])) == [[tokenizer("a dog")], [tokenizer("cats")]]


def test_graphs_give_the_same_ids_and_texts(tokenizer):
    tf = pytest.importorskip("tensorflow")
    tokenizer, expected = tokenizer
    dataset = tf.data.Dataset.from_tensor_slices(CASE["texts"]).batch(50).map(tokenizer)
    assert [row for batch in dataset for row in batch.to_list()] == expected
    ids = tf.ragged.constant(expected)
    texts = tf.function(tokenizer.detokenize)(ids).numpy()
    assert [text.decode() for text in texts] == tokenizer.detokenize(expected)


def test_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer, expected = tokenizer
    tokenizer.save_assets(tmp_path)
    copy = type(tokenizer).from_config(tokenizer.get_config())
    copy.load_assets(tmp_path)
    assert copy(CASE["texts"]) == expected
    assert copy.detokenize([*copy("A dog's"), 1, 1]) == "a dogs"


def test_damaged_and_unsupported_files_raise(tmp_path):
    data = (DATA / "siglip_spiece.model").read_bytes()
    path = tmp_path / "spiece.model"
    for content in (b"", data[:-3], b"no message", b"\x0b" + data):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a file of SentencePiece"):
            read_sentencepiece(path)
    byte_pairs = bytes([0x12, 2, 0x18, 2])  # trainer_spec { model_type: BPE }
    path.write_bytes(data + byte_pairs)
    with pytest.raises(ValueError, match="its model is not a unigram model"):
        read_sentencepiece(path)
    path.unlink()
    for change in ({"normalizer": {"type": "NFC"}}, {"pre_tokenizer": None}):
        (tmp_path / "tokenizer.json").write_text(json.dumps({**CASE["tokenizer"], **change}))
        with pytest.raises(ValueError, match="must contain a Unigram model and the normalizer of"):
            build_siglip_tokenizer(CheckpointAssets(tmp_path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("siglip"), "siglip")


def make_photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, 40, 3), "uint8") for height in (35, 50)]


def test_folder_becomes_a_model_of_raw_images_and_texts(folder, tmp_path):
    model = zoo.embedder(folder)
    text = model.preprocessor({"text": ["A dog!"]})["text"]
    ids = model.preprocessor.tokenizer("a dog")
    length = model.preprocessor.sequence_length
    assert np.asarray(text["token_ids"]).tolist() == [[*ids, *[1] * (length - len(ids))]]
    assert np.all(np.asarray(text["padding_mask"]) == 1)  # Padding is part of the text.

    labels = ["cat", "dog"]
    probabilities = model.classify(make_photos(), labels)
    assert probabilities.shape == (2, 2) and np.all((probabilities > 0) & (probabilities < 1))
    indices, _ = model.retrieve({"text": labels}, {"image": make_photos()}, k=1)
    assert indices.shape == (2, 1)
    model.save_to_preset(tmp_path / "preset")
    copy = ContrastiveModel.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(copy.embed("text", labels), model.embed("text", labels), atol=1e-6)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="slow elsewhere")
def test_model_trains_on_raw_texts(folder):
    model = load_checkpoint(folder)
    images = np.stack([np.resize(photo, (32, 32, 3)) for photo in make_photos()])
    data = {"image": images, "text": np.array(["a dog", "two cats on a beach"])}
    model.compile(run_eagerly=True)
    history = model.fit(data, batch_size=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="A SavedModel is TensorFlow's.")
def test_exported_models_take_token_ids(folder, tmp_path):
    version = load_checkpoint(folder).export(tmp_path)
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    assert set(manifest["signatures"]) == {"serving_default", "embed_tokens"}


def test_tokenizer_of_siglip2_gives_a_model_without_preprocessor(folder, tmp_path):
    copy = tmp_path / "siglip2"
    shutil.copytree(folder, copy)
    (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "GemmaTokenizer"}')
    with pytest.warns(UserWarning, match="The tokenizer of SigLIP 2, GemmaTokenizer"):
        assert load_checkpoint(copy, load_weights=False).preprocessor is None
