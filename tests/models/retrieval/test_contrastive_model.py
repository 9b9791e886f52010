import json

import keras
import numpy as np
import pytest
from models.retrieval.small_embedders import (
    COLORS,
    EAGERLY,
    SENTENCES,
    pictures,
    prepared,
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


def trained(loss=None, steps=60, eagerly=EAGERLY, **options):
    model = small_embedder(loss, preprocessor=False, **options)
    model.compile(keras.optimizers.Adam(0.005), run_eagerly=eagerly)
    model.fit(prepared(), batch_size=len(COLORS), epochs=steps, verbose=0)
    return model


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_losses_of_each_kind_train(loss):
    model = small_embedder(loss(), preprocessor=False)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=EAGERLY)
    history = model.fit(prepared(), batch_size=len(COLORS), epochs=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]


def test_pairs_find_each_other_after_training():
    model = trained(eagerly=False)
    scores = model.evaluate(prepared(), batch_size=len(COLORS), verbose=0, return_dict=True)
    assert scores["image_to_text_recall_at_1"] == 1
    assert scores["text_to_image_recall_at_1"] == 1
    data = prepared()
    places, cosines = model.retrieve({"text": data["text"]}, {"image": data["image"]}, k=3)
    assert places.shape == cosines.shape == (len(COLORS), 3)
    np.testing.assert_array_equal(places[:, 0], np.arange(len(COLORS)))
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_the_temperature_is_trained_and_saved(tmp_path):
    model = trained(SigLIPLoss(), steps=3)
    scale = [float(value) for value in model.logit_scale.get_weights()]
    assert scale != pytest.approx([-np.log(0.1), -10.0])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [float(value) for value in loaded.logit_scale.get_weights()] == pytest.approx(scale)
    assert loaded.pair_loss.logit_scale is loaded.logit_scale


def test_the_loss_is_that_of_the_embeddings():
    model = small_embedder(RankingLoss(), preprocessor=False)
    found = model.predict(prepared(), batch_size=len(COLORS), verbose=0)
    expected = float(RankingLoss()(found["image"], found["text"]))
    scores = model.evaluate(prepared(), batch_size=len(COLORS), verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)


def test_three_modalities_are_three_pairs():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    data = {name: rng.normal(size=(4, 5)).astype("float32") for name in ("a", "b", "c")}
    encoders = {name: keras.layers.Dense(6, name=name) for name in data}
    model = ContrastiveModel(encoders, HardTripletLoss())
    model.compile(run_eagerly=EAGERLY)
    found = model.predict(data, verbose=0)
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    expected = sum(float(HardTripletLoss()(found[x], found[y])) for x, y in pairs)
    scores = model.evaluate(data, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)
    assert "c_to_a_recall_at_5" in scores


def test_encoded_tokens_in_place_of_a_modality():
    model, data = small_embedder(preprocessor=False), prepared()
    tokens = keras.ops.convert_to_numpy(model.text_encoder(data["text"]))
    given = {"image": data["image"], "text_tokens": tokens}
    given["text_mask"] = data["text"]["padding_mask"] > 0
    expected, found = model(data), model(given)
    for name in ("image", "text"):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (found[name], expected[name])))


def test_padding_and_batch_change_no_embedding():
    model, data = trained(steps=2), prepared()
    text = {name: value.copy() for name, value in data["text"].items()}
    text["token_ids"][text["padding_mask"] == 0] = 7
    expected = model.embed("text", data["text"])
    np.testing.assert_allclose(model.embed("text", text, batch_size=4), expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)


def test_one_input_is_one_row():
    model, image = small_embedder(), pictures()[0]
    expected = model.embed("image", [image])
    for one in (image, Image.fromarray(image), np.array([image])):
        np.testing.assert_array_equal(model.embed("image", one), expected)
    assert expected.shape == (1, 8)
    found = model.embed("text", SENTENCES[0])
    np.testing.assert_array_equal(found, model.embed("text", SENTENCES[:1]))


def test_raw_data_with_a_preprocessor():
    model, images = small_embedder(), np.stack(pictures())
    expected = small_embedder(preprocessor=False).predict(prepared(), verbose=0)
    raw = {"image": images, "text": np.array(SENTENCES)}
    found = model.predict(raw, verbose=0)
    for name in ("image", "text"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
    model.fit(raw, batch_size=3, verbose=0)
    history = model.fit(Pairs(raw), validation_data=Pairs(raw), shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()
    assert model.embed("text", SENTENCES[:1]).shape == (1, 8)
    # Images of different sizes, and strings alone.
    places, _ = model.retrieve({"text": SENTENCES}, {"image": [*images, images[0][:9]]}, k=20)
    assert places.shape == (len(SENTENCES), len(images) + 1)


@pytest.mark.parametrize("build", [small_embedder, lambda: trained(steps=1)])
def test_keras_file(tmp_path, build):
    model = build()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    check_equal(loaded, model)


def test_preset_folder(tmp_path):
    model = small_embedder(InfoNCELoss(temperature=0.2))
    model.fit({"image": np.stack(pictures()), "text": np.array(SENTENCES)}, verbose=0)
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
    data = prepared()
    for name, value in loaded(data).items():
        np.testing.assert_allclose(
            *(keras.ops.convert_to_numpy(each) for each in (value, model(data)[name])), atol=1e-6
        )


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_trains(dtype):
    if (keras.config.backend(), dtype) == ("jax", "mixed_float16"):
        pytest.skip("JAX's attention has no float16 on a CPU")
    model = small_embedder(preprocessor=False, dtype=dtype)
    assert model.compute_dtype in dtype
    history = model.fit(prepared(), batch_size=6, epochs=2, verbose=0).history
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
            "`projectors` has 'smell', which is not one of the modalities",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m({"image": prepared()["image"]}), "`inputs` lacks 'text'"),
        (lambda m: m.embed("smell", [1]), "`modality` must be one of 'image', 'text'"),
        (lambda m: m.embed("text", ["a", None]), r"`inputs\[1\]` must be a string. Received: None"),
        (lambda m: m.embed("text", np.array(["a", np.nan], object)), r"`inputs\[1\]`.*nan"),
        (lambda m: m.embed("text", ["a"] * 33 + [None]), r"`inputs\[33\]`"),
        (lambda m: m.embed("image", [*pictures(), b""]), r"`inputs\[6\]`: The image of 0 bytes"),
        (lambda m: m.retrieve({"text": ["a", None]}, {"text": ["a"]}), r"`inputs\[1\]`"),
        (lambda m: m.fit({"image": pictures()[:2], "text": ["a", None]}), r"`text\[1\]`"),
        (lambda m: m.preprocessor({"text": ["a", float("nan")]}), r"`text\[1\]`.*nan"),
        (lambda m: m.embed("text", []), "`inputs` must have something to embed"),
        (lambda m: m.embed("text", ["a"], batch_size=0), "`batch_size` must be an integer >= 1"),
        (lambda m: m.retrieve({"text": ["a"]}, {"image": pictures()}, k=0), "`k` must be"),
        (lambda m: m.retrieve(["a"], {"image": pictures()}), "`queries` must be a dict of one"),
    ],
)
def test_bad_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(small_embedder())


def test_the_preprocessor_is_optional_for_the_pictures_alone():
    x = small_preprocessor()({"image": np.stack(pictures())})
    assert set(x) == {"image"}
    assert set(small_encoders()) == {"image", "text"}
