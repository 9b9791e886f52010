"""CLIP and SigLIP give the outputs of transformers, which `make_contrastive_cases.py` stored."""

import keras
import numpy as np
import pytest
from checkpoints import stored_cases

from keras_mmfusion.checkpoints import clip, siglip
from keras_mmfusion.checkpoints.assign_weights import assign_weights

CONVERTERS = {"clip": clip, "siglip": siglip}
END = 49

# Keras's TensorFlow variables do not accept the `copy` argument of NumPy 2.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def read_case(name):
    config, weights, case = stored_cases.read_case(name)
    case |= {"config": config, "tensors": weights}
    # SigLIP's padding is part of its texts.
    counts = np.cumsum(case["ids"] == END, axis=1)
    mask = counts <= 1 if name == "clip" else np.ones_like(counts)
    case["inputs"] = {
        "image": case["images"].astype("float32"),
        "text": {"token_ids": case["ids"], "padding_mask": mask.astype("int32")},
    }
    return case


def load_model(name, case):
    model = CONVERTERS[name].build_model(case["config"])
    assign_weights(model, case["config"], CONVERTERS[name], case["tensors"])
    return model


@pytest.fixture(scope="module", params=list(CONVERTERS))
def loaded(request):
    case = read_case(request.param)
    return load_model(request.param, case), case


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_tokens_and_vectors_match_the_source(loaded):
    model, case = loaded
    image_tokens = to_numpy(model.image_encoder(case["inputs"]["image"]))
    text_tokens = to_numpy(model.text_encoder(case["inputs"]["text"]))
    real = case["inputs"]["text"]["padding_mask"].astype(bool)
    # CLIP's image encoder normalizes only the class token in the source.
    if case["config"]["model_type"] == "siglip":
        np.testing.assert_allclose(image_tokens, case["image_tokens"], atol=1e-5)

    np.testing.assert_allclose(text_tokens[real], case["text_tokens"][real], atol=1e-5)
    for modality in ("image", "text"):
        vectors = model.embed(modality, case["inputs"][modality])
        np.testing.assert_allclose(vectors, case[f"{modality}_vectors"], atol=1e-5)


def test_logits_match_the_source(loaded):
    model, case = loaded
    vectors = [model.embed(name, case["inputs"][name]) for name in ("image", "text")]
    logits = model.logit_scale(keras.ops.convert_to_tensor(vectors[0] @ vectors[1].T))
    np.testing.assert_allclose(to_numpy(logits), case["logits"], atol=1e-5)


def test_probabilities_match_the_source(loaded):
    model, case = loaded
    labels = model.embed("text", case["inputs"]["text"])
    probabilities = model.classify(case["inputs"]["image"], labels)
    if case["config"]["model_type"] == "clip":
        expected = np.exp(case["logits"]) / np.exp(case["logits"]).sum(axis=1, keepdims=True)
    else:
        expected = 1 / (1 + np.exp(-case["logits"]))
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_batch_equals_single_inputs(loaded):
    model, case = loaded
    for modality in ("image", "text"):
        inputs = case["inputs"][modality]
        single = np.concatenate(
            [
                model.embed(modality, keras.tree.map_structure(lambda x: x[i : i + 1], inputs))  # noqa: B023
                for i in range(len(case["ids"]))
            ]
        )
        np.testing.assert_allclose(single, case[f"{modality}_vectors"], atol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="uses tf.GradientTape")
def test_loss_and_gradient_norm_match_the_source(loaded):
    import tensorflow as tf

    model, case = loaded
    with tf.GradientTape() as tape:
        vectors = model(case["inputs"])
        loss = model.pair_loss(vectors["image"], vectors["text"])
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert all(gradient is not None for gradient in gradients)
    norm = sum(np.sum(np.square(tf.convert_to_tensor(each))) for each in gradients) ** 0.5

    np.testing.assert_allclose(loss, case["loss"], rtol=1e-5)
    np.testing.assert_allclose(norm, case["gradient_norm"], rtol=1e-4)


def test_fit_and_keras_file(loaded, tmp_path):
    name = loaded[1]["config"]["model_type"]
    case = read_case(name)
    model = load_model(name, case)
    history = model.fit(case["inputs"], batch_size=4, epochs=2, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]

    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    for modality in ("image", "text"):
        inputs = case["inputs"][modality]
        np.testing.assert_array_equal(copy.embed(modality, inputs), model.embed(modality, inputs))


@pytest.mark.parametrize("name", CONVERTERS)
def test_missing_weights_raise(name):
    case = read_case(name)
    del case["tensors"]["logit_scale"]
    with pytest.raises(ValueError, match="lacks 1 weight: 'logit_scale'"):
        load_model(name, case)


@pytest.mark.parametrize("name", CONVERTERS)
def test_unsupported_activation_raises(name):
    config = read_case(name)["config"]
    config["vision_config"]["hidden_act"] = "swish"
    with pytest.raises(ValueError, match="`hidden_act` must be one of 'gelu'"):
        CONVERTERS[name].build_model(config)


def test_older_config_dicts_take_precedence():
    config = read_case("clip")["config"]
    config["text_config_dict"] = {"num_hidden_layers": 1}
    config["vision_config_dict"] = None
    model = clip.build_model(config)
    assert (len(model.text_encoder.blocks), len(model.image_encoder.blocks)) == (1, 2)
