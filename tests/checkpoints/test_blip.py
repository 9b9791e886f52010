"""Compares BLIP with stored outputs of transformers; see `make_blip_case.py`."""

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from checkpoints.stored_cases import read_case
from dtype_checks import check_load_dtypes
from keras import ops

from keras_mmfusion.checkpoints import blip
from keras_mmfusion.checkpoints.assign_weights import assign_weights
from keras_mmfusion.models import BlipCaptioner, BlipQuestionAnswerer, Captioner
from keras_mmfusion.models.captioning import DecodingSettings, SpecialTokens

SPECIAL = SpecialTokens(start=58, end=3, pad=0, blocked=(1,))
PROMPT = (7, 21)


def build(name):
    config, weights, case = read_case(name)
    model = blip.build_model(config)
    assign_weights(model, config, blip, weights)
    return model, case


@pytest.fixture(scope="module")
def captioner():
    model, case = build("blip_captioner")
    model.compile(jit_compile=False)  # Compilation takes longer than the tests.
    return model, case


@pytest.fixture(scope="module")
def question_answerer():
    model, case = build("blip_question_answerer")
    model.compile(jit_compile=False)
    return model, case


def test_blip_captioner_computes_the_logits_of_transformers(captioner):
    model, case = captioner
    assert isinstance(model, BlipCaptioner)
    logits = ops.convert_to_numpy(model(case["images"].astype("float32"), case["ids"]))
    mask = case["ids"] != SPECIAL.pad  # The source masks padding.
    np.testing.assert_allclose(logits[mask], case["logits"][mask], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("expected", "beams", "prompt"), [("greedy", 1, ()), ("beams", 4, ()), ("prompted", 4, PROMPT)]
)
def test_blip_captioner_generates_the_ids_of_transformers(captioner, expected, beams, prompt):
    model, case = captioner
    expected = case[expected]
    settings = DecodingSettings(expected.shape[1], beams=beams, length_penalty=1.0, prompt=prompt)
    ids, _ = model.generate_tokens(case["images"].astype("float32"), settings, SPECIAL)
    np.testing.assert_array_equal(ids[:, 0], expected)


@pytest.mark.parametrize(
    ("name", "texts"), [("blip_captioner", "captions"), ("blip_question_answerer", "answers")]
)
def test_blip_has_the_loss_and_gradients_of_transformers(name, texts):
    model, case = build(name)
    model.compile(optimizer=keras.optimizers.SGD(1.0), jit_compile=False)
    before = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    ids = case["ids" if texts == "captions" else "answers"]
    inputs = {"images": case["images"].astype("float32"), texts: ids[:, :-1]}
    if texts == "answers":
        inputs["questions"] = case["questions"]
    targets, weights = ids[:, 1:], (ids[:, 1:] != SPECIAL.pad).astype("float32")
    logs = model.train_on_batch(inputs, targets, weights, return_dict=True)
    np.testing.assert_allclose(logs["loss"], case["loss"], rtol=1e-5)
    after = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    squares = [np.sum((x - y) ** 2.0) for x, y in zip(before, after, strict=True)]
    np.testing.assert_allclose(np.sqrt(np.sum(squares)), case["gradient_norm"], rtol=1e-4)


def test_tied_weights_may_be_stored_twice_if_they_are_equal():
    config, weights, _ = read_case("blip_captioner")
    model = blip.build_model(config)
    copies = {alias: weights[key] for alias, key in blip.TIED.items()}
    assign_weights(model, config, blip, {**weights, **copies})
    copies = {alias: value + 1 for alias, value in copies.items()}
    with pytest.raises(ValueError, match="must have the same values"):
        assign_weights(model, config, blip, {**weights, **copies})


def test_unsupported_text_settings_raise():
    config, _, _ = read_case("blip_captioner")
    config["text_config"]["hidden_act"] = "relu"
    with pytest.raises(ValueError, match="`hidden_act` of BLIP's text model must be 'gelu'"):
        blip.build_model(config)


def test_blip_question_answerer_computes_the_logits_of_transformers(question_answerer):
    model, case = question_answerer
    assert isinstance(model, BlipQuestionAnswerer)
    inputs = {
        "images": case["images"].astype("float32"),
        "questions": case["questions"],
        "answers": case["answers"],
    }
    logits = ops.convert_to_numpy(model(inputs))
    mask = case["answers"] != SPECIAL.pad
    np.testing.assert_allclose(logits[mask], case["logits"][mask], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("expected", "beams"), [("greedy", 1), ("beams", 4)])
def test_blip_question_answerer_generates_the_ids_of_transformers(
    question_answerer, expected, beams
):
    model, case = question_answerer
    expected, images = case[expected], case["images"].astype("float32")
    settings = DecodingSettings(expected.shape[1], beams=beams, length_penalty=1.0)
    for row, question in enumerate(case["questions"]):
        question = question[: 7 - row % 4]  # Questions of different lengths.
        question_tokens = model.encode(images[row : row + 1], question[None])
        ids, _ = model.generate_tokens(question_tokens, settings, SPECIAL)
        np.testing.assert_array_equal(ids[0, 0], expected[row])


IMAGES = list(np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3)).astype("uint8"))


def test_folder_of_a_blip_captioner_becomes_a_model_that_captions(tmp_path):
    write_folder(tmp_path, "blip")
    model = Captioner.from_preset(tmp_path)
    assert isinstance(model, BlipCaptioner)
    assert model.preprocessor.get_special_tokens() == SPECIAL
    captions = model.generate(IMAGES, prompt="W7 w21", beams=3, max_length=8)
    assert all(caption.startswith("w7 w21 ") for caption in captions)


def test_blip_captioner_in_other_dtypes(tmp_path):
    write_folder(tmp_path, "blip")
    check_load_dtypes(tmp_path, IMAGES, np.array([[58, 7, 21, 30]] * len(IMAGES)))


def test_folder_of_a_blip_question_answerer_becomes_a_model_that_answers(tmp_path):
    write_folder(tmp_path, "blip_vqa")
    model = BlipQuestionAnswerer.from_preset(tmp_path)
    assert model.preprocessor.tokenize_questions(["w9 w30?"]) == [[2, 9, 30, 1, 3]]
    answers = model.generate(IMAGES, ["w9", "w9 w30", "w7"])
    assert len(answers) == 3 and all(answer.startswith("w") for answer in answers)


def test_vocabulary_of_another_size_raises(tmp_path):
    write_folder(tmp_path, "blip")
    with (tmp_path / "vocab.txt").open("a") as file:
        file.write("more\n")
    with pytest.raises(ValueError, match="must have the `bos_token_id` of config.json, 58"):
        Captioner.from_preset(tmp_path)
