"""The logits of multimodal language models."""

import json

import keras
import keras_hub
import numpy as np
import pytest
from models.language.small_language_models import (
    IMAGE_ID,
    VOCABULARY,
    scale_weights,
    small_gpt2,
    small_llama,
    small_preprocessor,
    to_numpy,
)

from keras_mmfusion.layers import MLPConnector
from keras_mmfusion.layers.fusion import PerceiverResampler
from keras_mmfusion.models import LlamaLanguageModel, MultimodalLM, MultimodalPreprocessor

FUSION = ("prefix", "pixel_shuffle", "resampler", "qformer", "gated_cross_attention")
BACKBONES = {"llama": small_llama, "gpt2": small_gpt2}
TABLE_ID = len(VOCABULARY)
RNG = np.random.default_rng(0)
TEXT = RNG.integers(4, 260, (2, 7))
WORDS = TEXT.tolist()
IMAGES = RNG.normal(size=(2, 2, 4, 4, 3)).astype("float32")
TABLES = RNG.normal(size=(2, 1, 5)).astype("float32")


def make_encoders():
    """Four tokens of an image, and one vector of a table."""
    image = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(6, 2, 2)])
    table = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    return {"image": image, "table": table}


def make_connectors(fusion, dim=16):
    """Small resamplers; the defaults of the other methods."""
    if fusion not in ("resampler", "gated_cross_attention"):
        return None
    return {"image": PerceiverResampler(("image",), dim, num_latents=2)}


def make_model(fusion="prefix", backbone="llama", **settings):
    encoders = make_encoders()
    if fusion == "pixel_shuffle":
        encoders.pop("table")
    return MultimodalLM(
        BACKBONES[backbone](),
        encoders,
        make_connectors(fusion),
        fusion=fusion,
        cross_every=1,
        **settings,
    )


def open_gates(model):
    for block in model.cross_blocks.values():
        block.attention_gate.assign(0.7)
        block.mlp_gate.assign(0.4)
    return model


def count_tokens(model, name):
    if model.fusion == "gated_cross_attention":
        return 1
    if name == "table" and model.fusion not in ("qformer", "resampler"):
        return 1
    counts = {"prefix": 4, "pixel_shuffle": 1, "resampler": 2, "qformer": 32}
    return (
        counts[model.fusion] if name == "image" else {"qformer": 32, "resampler": 64}[model.fusion]
    )


def make_inputs(model, pieces, images=IMAGES[0], tables=TABLES[0]):
    """One sample of texts, "image" and "table"."""
    ids = []
    for piece in pieces:
        id = model.placeholders.get(piece) if isinstance(piece, str) else None
        ids += list(piece) if id is None else [id] * count_tokens(model, piece)
    inputs = {"token_ids": np.array([ids])}
    for name, items in {"image": images, "table": tables}.items():
        if name in pieces:
            inputs[name] = items[np.newaxis, : pieces.count(name)]
    return inputs


@pytest.mark.parametrize("fusion, backbone", [("prefix", "gpt2"), *((f, "llama") for f in FUSION)])
def test_logits_of_text_equal_those_of_the_language_model(fusion, backbone):
    model = make_model(fusion, backbone)
    mask = np.ones_like(TEXT)
    expected = model.backbone.token_embedding(
        model.backbone({"token_ids": TEXT, "padding_mask": mask}), reverse=True
    )
    np.testing.assert_allclose(
        to_numpy(model({"token_ids": TEXT})), to_numpy(expected), atol=1e-5, rtol=1e-5
    )
    if fusion == "prefix":
        model.enable_lora(2)
        adapted = to_numpy(model({"token_ids": TEXT}))
        np.testing.assert_allclose(adapted, to_numpy(expected), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fusion", FUSION)
def test_items_affect_only_the_logits_after_them(fusion):
    model = open_gates(make_model(fusion))
    pieces = [WORDS[0][:3], "image", WORDS[0][3:]]
    before = 3
    logits = to_numpy(model(make_inputs(model, pieces)))
    other = to_numpy(model(make_inputs(model, pieces, images=-IMAGES[0])))
    np.testing.assert_allclose(other[:, :before], logits[:, :before], atol=1e-5)
    assert (np.abs(other - logits)[0, before:].max(axis=-1) > 1e-3).all()


@pytest.mark.parametrize(
    "fusion, backbone", [("prefix", "gpt2"), ("prefix", "llama"), ("gated_cross_attention", "gpt2")]
)
def test_samples_do_not_depend_on_padding_or_other_samples(fusion, backbone):
    """Two images and a table in one sample, an image in another, and text; padded anywhere."""
    model = open_gates(make_model(fusion, backbone))
    samples = [
        make_inputs(model, ["image", WORDS[0][:4], "table", "image", WORDS[0][4:]]),
        make_inputs(model, [WORDS[1][:2], "image", WORDS[1][2:]], images=IMAGES[1]),
        make_inputs(model, [WORDS[1]]),
    ]
    length = max(sample["token_ids"].shape[1] for sample in samples) + 2
    positions = [
        np.arange(length - 2),
        length - np.arange(samples[1]["token_ids"].shape[1])[::-1] - 1,
        np.array([0, 2, 3, 5, 8, 9, length - 1]),
    ]
    batch = {
        "token_ids": np.full((3, length), IMAGE_ID),
        "padding_mask": np.zeros((3, length), bool),
        "image": np.full((3, 3, 4, 4, 3), np.nan, "float32"),
        "image_mask": np.array([[True, False, True], [False, True, False], [False] * 3]),
        "table": np.full((3, 1, 5), np.nan, "float32"),
        "table_mask": np.array([[True], [False], [False]]),
    }
    batch["image"][0, ::2], batch["image"][1, 1] = IMAGES[0], IMAGES[1, 0]
    batch["table"][0] = TABLES[0]
    for row, (sample, position) in enumerate(zip(samples, positions, strict=True)):
        batch["token_ids"][row, position] = sample["token_ids"][0]
        batch["padding_mask"][row, position] = True
    logits = to_numpy(model(batch))
    for row, (sample, position) in enumerate(zip(samples, positions, strict=True)):
        expected = to_numpy(model(sample))[0]
        np.testing.assert_allclose(logits[row, position], expected, atol=2e-5, rtol=1e-4)


def test_tokens_of_an_item_may_be_masked():
    """Tokens without an encoder, such as the nodes of graphs of different sizes."""
    model = MultimodalLM(
        small_llama(), connectors={"graph": MLPConnector(16)}, item_shapes={"graph": (None, 4)}
    )
    nodes = RNG.normal(size=(1, 2, 3, 4)).astype("float32")
    ids = np.concatenate([[5], np.full(4, model.placeholders["graph"]), [6, 7]])[np.newaxis]
    mask = np.array([[[True, True, True], [False, True, False]]])
    nodes[~mask] = np.nan
    logits = to_numpy(model({"token_ids": ids, "graph": nodes, "graph_mask": mask}))
    compact = nodes[mask].reshape(1, 1, 4, 4)
    expected = to_numpy(model({"token_ids": ids, "graph": compact}))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_placeholders_without_an_item_are_finite():
    model = make_model()
    ids = np.array([[5, model.placeholders["image"], 6]])
    missing = {"image": np.full((1, 1, 4, 4, 3), np.nan, "float32"), "image_mask": [[False]]}
    expected = to_numpy(model({"token_ids": ids}))
    assert np.isfinite(expected).all()
    missing["image_mask"] = np.array(missing["image_mask"])
    np.testing.assert_allclose(to_numpy(model({"token_ids": ids, **missing})), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["MistralBackbone", "QwenBackbone", "Qwen3Backbone"])
def test_other_language_models_are_supported(name):
    settings = {"num_query_heads": 4, "hidden_dim": 16, "intermediate_dim": 24}
    settings |= {"num_key_value_heads": 2, "num_layers": 2, "vocabulary_size": 300}
    if name == "Qwen3Backbone":
        settings["head_dim"] = 8
    backbone = scale_weights(getattr(keras_hub.models, name)(**settings))
    model = MultimodalLM(backbone, make_encoders())
    inputs = {"token_ids": TEXT, "padding_mask": np.ones_like(TEXT)}
    expected = backbone.token_embedding(backbone(inputs), reverse=True)
    np.testing.assert_allclose(to_numpy(model(inputs)), to_numpy(expected), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fusion", ["prefix", "gated_cross_attention"])
def test_saved_models_have_the_same_logits(fusion, tmp_path):
    preprocessor = MultimodalPreprocessor(
        small_preprocessor(), {"image": 1 if fusion != "prefix" else 4, "table": 1}
    )
    model = open_gates(make_model(fusion, preprocessor=preprocessor))
    assert model.placeholders == {"image": IMAGE_ID, "table": TABLE_ID}
    inputs = make_inputs(model, [WORDS[0], "image", "table", WORDS[1]])
    expected = to_numpy(model(inputs))
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    loaded = [
        keras.saving.load_model(tmp_path / "model.keras"),
        MultimodalLM.from_preset(tmp_path / "preset"),
    ]
    for each in loaded:
        np.testing.assert_allclose(to_numpy(each(inputs)), expected, atol=1e-5)
        assert (each.fusion, each.item_shapes) == (model.fusion, model.item_shapes)
        sample = each.preprocessor.encode_text("hi<table>", {"table": [TABLES[0, 0]]})
        assert sample.token_ids[-1] == TABLE_ID
    config = json.loads((tmp_path / "preset" / "preprocessor.json").read_text())
    assert config["class_name"] == "MultimodalPreprocessor"


def test_lora_trains_adapters_and_connectors(eager_fit, tmp_path):
    model = make_model(preprocessor=None)
    model.encoders["image"].trainable = False
    model.enable_lora(2)
    names = {weight.path.split("/")[-1] for weight in model.backbone.trainable_weights}
    assert names == {"lora_kernel_a", "lora_kernel_b"}
    model.compile(keras.optimizers.SGD(1.0))
    frozen = [to_numpy(weight) for weight in model.non_trainable_weights]
    before = {weight.path: to_numpy(weight) for weight in model.trainable_weights}
    inputs = make_inputs(model, ["image", "table", WORDS[0]])
    targets = np.roll(inputs["token_ids"], -1, axis=1) % 200
    model.fit(inputs, targets, epochs=2, verbose=0)
    for weight in model.trainable_weights:
        assert np.any(to_numpy(weight) != before[weight.path]), weight.path
    for old, weight in zip(frozen, model.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), old)
    expected = to_numpy(model(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(to_numpy(loaded(inputs)), expected, atol=1e-4)


def test_fit_learns_responses_about_tables(eager_fit):
    """The answer depends on the table only."""
    preprocessor = MultimodalPreprocessor(small_preprocessor(), {"table": 1})
    model = MultimodalLM(
        small_llama(1),
        {"table": keras.layers.Dense(8)},
        preprocessor=preprocessor,
        item_shapes={"table": (2,)},
    )
    values = [[[1.0, 0.0]], [[0.0, 1.0]]]
    data = {"prompts": ["<table>?"] * 2, "responses": ["yes", "no"], "table": values}
    model.compile(keras.optimizers.Adam(0.02))
    history = model.fit(data, validation_data=data, epochs=6, verbose=0).history
    assert history["val_loss"][-1] < 0.5 * history["val_loss"][0]
    scores = model.evaluate(data, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-4)


def test_fit_compiles_a_step_of_preprocessed_batches():
    model = make_model()
    inputs = make_inputs(model, ["image", "table", WORDS[0]])
    targets = np.roll(inputs["token_ids"], -1, axis=1) % 200
    model.compile(keras.optimizers.SGD(0.01))
    history = model.fit(inputs, targets, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]


def test_dtype_policies():
    model = make_model(backbone="llama")
    inputs = make_inputs(model, [WORDS[0], "image", "table", WORDS[1]])
    expected = to_numpy(model(inputs))
    backbone = small_llama(dtype="mixed_bfloat16")
    other = MultimodalLM(backbone, make_encoders())
    other.set_weights(model.get_weights())
    assert keras.backend.standardize_dtype(other(inputs).dtype) in ("bfloat16", "float32")
    assert np.corrcoef(to_numpy(other(inputs)).ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"token_ids": TEXT, "audio": IMAGES}, "`inputs` must have 'token_ids'.*Received.*'audio'"),
        ({"image": IMAGES}, "`inputs` must have 'token_ids'"),
    ],
)
def test_unknown_inputs_raise(inputs, message):
    with pytest.raises(ValueError, match=message):
        make_model()(inputs)


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match="`language_model` must be a causal language model"):
        MultimodalLM(keras.layers.Dense(2), make_encoders())
    bloom = keras_hub.models.BloomBackbone(20, 1, 2, 8, 12)
    with pytest.raises(ValueError, match="`language_model` must be a causal language model"):
        MultimodalLM(bloom, make_encoders())
    with pytest.raises(ValueError, match="`fusion` must be one of 'prefix'"):
        MultimodalLM(small_llama(), make_encoders(), fusion="concat")
    with pytest.raises(ValueError, match="must have a modality"):
        MultimodalLM(small_llama())
    with pytest.raises(ValueError, match="`placeholders`.*must have an id for each modality"):
        MultimodalLM(small_llama(), make_encoders(), placeholders={"image": 5})
    with pytest.raises(ValueError, match="first call of the model needs every modality"):
        encoders = {"table": keras.layers.Dense(3)}
        MultimodalLM(LlamaLanguageModel(small_llama()), encoders)({"token_ids": TEXT})
    with pytest.raises(ValueError, match="`item_shapes` has 'audio'"):
        MultimodalLM(small_llama(), make_encoders(), item_shapes={"audio": (3,)})
