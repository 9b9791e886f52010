import json

import keras
import numpy as np
import pytest
from models.retrieval.small_embedders import (
    COLORS,
    RUN_EAGERLY,
    SENTENCES,
    make_images,
    preprocess_pairs,
    small_embedder,
    small_encoders,
    small_preprocessor,
)
from PIL import Image

from keras_mmfusion.layers import SharedSpaceProjector
from keras_mmfusion.losses import (
    DeepCCALoss,
    HardTripletLoss,
    InfoNCELoss,
    RankingLoss,
    SigLIPLoss,
    VICRegLoss,
)
from keras_mmfusion.models import ContrastiveModel

LOSSES = [InfoNCELoss, VICRegLoss, DeepCCALoss]


class Pairs(keras.utils.PyDataset):
    """All pairs as one batch, raw or prepared."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self.batch,)


def trained(loss=None, steps=60, eagerly=RUN_EAGERLY, **options):
    model = small_embedder(loss, preprocessor=False, **options)
    model.compile(keras.optimizers.Adam(0.005), run_eagerly=eagerly)
    model.fit(preprocess_pairs(), batch_size=len(COLORS), epochs=steps, verbose=0)
    return model


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_training_reduces_each_loss(loss):
    model = small_embedder(loss(), preprocessor=False)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=RUN_EAGERLY)
    history = model.fit(preprocess_pairs(), batch_size=len(COLORS), epochs=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]


def test_trained_model_retrieves_matching_pairs():
    model = trained(eagerly=False)
    scores = model.evaluate(preprocess_pairs(), batch_size=len(COLORS), verbose=0, return_dict=True)
    assert scores["image_to_text_recall_at_1"] == 1
    assert scores["text_to_image_recall_at_1"] == 1
    data = preprocess_pairs()
    indices, cosines = model.retrieve({"text": data["text"]}, {"image": data["image"]}, k=3)
    assert indices.shape == cosines.shape == (len(COLORS), 3)
    np.testing.assert_array_equal(indices[:, 0], np.arange(len(COLORS)))
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_temperature_is_trained_and_saved(tmp_path):
    model = trained(SigLIPLoss(), steps=3)
    scale = [float(value) for value in model.logit_scale.get_weights()]
    assert scale != pytest.approx([-np.log(0.1), -10.0])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [float(value) for value in loaded.logit_scale.get_weights()] == pytest.approx(scale)
    assert loaded.pair_loss.logit_scale is loaded.logit_scale


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="On JAX, XLA compiles every step"
)
def test_each_machine_decides_anew_on_xla():
    model = small_embedder(preprocessor=False)
    model.compile("sgd")
    assert model.get_compile_config()["jit_compile"] == "auto"
    model.compile("sgd", jit_compile=True)
    assert model.jit_compile and model.get_compile_config()["jit_compile"] is True


def test_loss_matches_pair_loss_of_embeddings():
    model = small_embedder(RankingLoss(), preprocessor=False)
    found = model.predict(preprocess_pairs(), batch_size=len(COLORS), verbose=0)
    expected = float(RankingLoss()(found["image"], found["text"]))
    scores = model.evaluate(preprocess_pairs(), batch_size=len(COLORS), verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)


def test_loss_of_three_modalities_sums_three_pairs():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    data = {name: rng.normal(size=(4, 5)).astype("float32") for name in ("a", "b", "c")}
    encoders = {name: keras.layers.Dense(6, name=name) for name in data}
    model = ContrastiveModel(encoders, HardTripletLoss())
    model.compile(run_eagerly=RUN_EAGERLY)
    found = model.predict(data, verbose=0)
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    expected = sum(float(HardTripletLoss()(found[x], found[y])) for x, y in pairs)
    scores = model.evaluate(data, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)
    assert "c_to_a_recall_at_5" in scores


def test_encoded_tokens_replace_a_modality():
    model, data = small_embedder(preprocessor=False), preprocess_pairs()
    tokens = keras.ops.convert_to_numpy(model.text_encoder(data["text"]))
    given = {"image": data["image"], "text_tokens": tokens}
    given["text_mask"] = data["text"]["padding_mask"] > 0
    expected, found = model(data), model(given)
    for name in ("image", "text"):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (found[name], expected[name])))


def test_embeddings_do_not_depend_on_padding_and_batch():
    model, data = trained(steps=2), preprocess_pairs()
    text = {name: value.copy() for name, value in data["text"].items()}
    text["token_ids"][text["padding_mask"] == 0] = 7
    expected = model.embed("text", data["text"])
    np.testing.assert_allclose(model.embed("text", text, batch_size=4), expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)


def test_embed_of_one_input_returns_one_row():
    model, image = small_embedder(), make_images()[0]
    expected = model.embed("image", [image])
    for one in (image, Image.fromarray(image), np.array([image])):
        np.testing.assert_array_equal(model.embed("image", one), expected)
    assert expected.shape == (1, 8)
    found = model.embed("text", SENTENCES[0])
    np.testing.assert_array_equal(found, model.embed("text", SENTENCES[:1]))


def test_preprocessor_accepts_raw_data():
    model, images = small_embedder(), np.stack(make_images())
    expected = small_embedder(preprocessor=False).predict(preprocess_pairs(), verbose=0)
    raw = {"image": images, "text": np.array(SENTENCES)}
    found = model.predict(raw, verbose=0)
    for name in ("image", "text"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
    model.fit(raw, batch_size=3, verbose=0)
    history = model.fit(Pairs(raw), validation_data=Pairs(raw), shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()
    assert model.embed("text", SENTENCES[:1]).shape == (1, 8)
    # Images of different sizes, and strings alone.
    indices, _ = model.retrieve({"text": SENTENCES}, {"image": [*images, images[0][:9]]}, k=20)
    assert indices.shape == (len(SENTENCES), len(images) + 1)


@pytest.mark.parametrize("build", [small_embedder, lambda: trained(steps=1)])
def test_keras_file_keeps_weights_and_outputs(tmp_path, build):
    model = build()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    check_equal(loaded, model)


def test_preset_keeps_weights_and_outputs(tmp_path):
    model = small_embedder(InfoNCELoss(temperature=0.2))
    model.fit({"image": np.stack(make_images()), "text": np.array(SENTENCES)}, verbose=0)
    model.save_to_preset(tmp_path / "preset")
    loaded = ContrastiveModel.from_preset(tmp_path / "preset")
    check_equal(loaded, model)
    assert loaded.preprocessor.sequence_length == 6
    assert json.loads(json.dumps(loaded.get_config())) == json.loads(json.dumps(model.get_config()))
    found = loaded.embed("text", SENTENCES)
    np.testing.assert_allclose(found, model.embed("text", SENTENCES), atol=1e-6)


def check_equal(loaded, model):
    assert len(loaded.weights) == len(model.weights)
    for pair in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, pair))
    data = preprocess_pairs()
    for name, value in loaded(data).items():
        np.testing.assert_allclose(
            *(keras.ops.convert_to_numpy(each) for each in (value, model(data)[name])), atol=1e-6
        )


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_training_is_finite(dtype):
    if (keras.config.backend(), dtype) == ("jax", "mixed_float16"):
        pytest.skip("JAX's attention has no float16 on a CPU")
    model = small_embedder(preprocessor=False, dtype=dtype)
    assert model.compute_dtype in dtype
    history = model.fit(preprocess_pairs(), batch_size=6, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def encoders():
    return {"image": keras.layers.Dense(4), "text": keras.layers.Dense(4)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContrastiveModel({"image": keras.layers.Dense(4)}), "at least two modalities"),
        (lambda: ContrastiveModel([keras.layers.Dense(4)] * 2), "`encoders` must be a dict"),
        (
            lambda: ContrastiveModel(encoders(), projectors={"smell": SharedSpaceProjector(8)}),
            "`projectors` has 'smell', which is not a modality",
        ),
    ],
)
def test_invalid_arguments_are_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m({"image": preprocess_pairs()["image"]}), "`inputs` lacks 'text'"),
        (lambda m: m.embed("smell", [1]), "`modality` must be one of 'image', 'text'"),
        (lambda m: m.embed("text", ["a", None]), r"`inputs\[1\]` must be a string. Received: None"),
        (lambda m: m.embed("text", np.array(["a", np.nan], object)), r"`inputs\[1\]`.*nan"),
        (lambda m: m.embed("text", ["a"] * 33 + [None]), r"`inputs\[33\]`"),
        (lambda m: m.embed("image", [*make_images(), b""]), r"`inputs\[6\]`: The image of 0 bytes"),
        (lambda m: m.retrieve({"text": ["a", None]}, {"text": ["a"]}), r"`inputs\[1\]`"),
        (lambda m: m.fit({"image": make_images()[:2], "text": ["a", None]}), r"`text\[1\]`"),
        (lambda m: m.preprocessor({"text": ["a", float("nan")]}), r"`text\[1\]`.*nan"),
        (lambda m: m.embed("text", []), "`inputs` must not be empty"),
        (lambda m: m.embed("text", ["a"], batch_size=0), "`batch_size` must be a positive integer"),
        (lambda m: m.retrieve({"text": ["a"]}, {"image": make_images()}, k=0), "`k` must be"),
        (lambda m: m.retrieve(["a"], {"image": make_images()}), "`queries` must be a dict of one"),
    ],
)
def test_invalid_calls_are_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(small_embedder())


def test_preprocessor_accepts_images_without_texts():
    x = small_preprocessor()({"image": np.stack(make_images())})
    assert set(x) == {"image"}
    assert set(small_encoders()) == {"image", "text"}
