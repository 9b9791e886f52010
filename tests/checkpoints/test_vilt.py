"""Compares ViLT with stored outputs of transformers; see `make_vilt_case.py`."""

import warnings

import keras
import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from checkpoints.stored_cases import read_case
from keras import ops
from PIL import Image

from keras_mmfusion.checkpoints import vilt
from keras_mmfusion.checkpoints.assign_weights import assign_weights
from keras_mmfusion.encoders import AspectRatioImageConverter
from keras_mmfusion.models import QuestionAnsweringModel, ViltQuestionAnswerer
from keras_mmfusion.zoo.reference_checks import COMPUTE

# As in make_vilt_case.py.
PHOTO_SIZES = [(37, 50), (30, 30), (90, 64), (20, 60), (64, 89)]
QUESTIONS = ["w9 w30?", "w7", "w8 w9 w11 w12 w13"]


def build():
    config, weights, case = read_case("vilt")
    model = vilt.build_model(config)
    assign_weights(model, config, vilt, weights)
    return model, case


def get_inputs(case, rows=slice(None)):
    names = ("image_sizes", "questions", "question_mask")
    return {"images": case["pixels"][rows], **{name: case[name][rows] for name in names}}


@pytest.fixture(scope="module")
def built():
    return build()


def test_logits_equal_those_of_transformers(built):
    model, case = built
    logits = ops.convert_to_numpy(model(get_inputs(case)))
    np.testing.assert_allclose(logits, case["logits"], rtol=1e-5, atol=1e-5)


def test_padding_does_not_change_logits(built):
    model, case = built
    for row, (height, width) in enumerate(case["image_sizes"]):
        images = case["pixels"][row : row + 1, :height, :width]
        length = case["question_mask"][row].sum()
        questions = case["questions"][row : row + 1, :length]
        logits = ops.convert_to_numpy(model({"images": images, "questions": questions}))
        np.testing.assert_allclose(logits[0], case["logits"][row], rtol=1e-5, atol=1e-5)


def test_loss_and_gradients_equal_those_of_transformers():
    model, case = build()
    model.compile(optimizer=keras.optimizers.SGD(1.0), jit_compile=False)
    before = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    logs = model.train_on_batch(get_inputs(case), case["labels"], return_dict=True)
    np.testing.assert_allclose(logs["loss"], case["loss"], rtol=1e-5)
    after = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    squares = [np.sum((x - y) ** 2.0) for x, y in zip(before, after, strict=True)]
    np.testing.assert_allclose(np.sqrt(np.sum(squares)), case["gradient_norm"], rtol=1e-4)


def test_image_converter_equals_the_image_processor():
    _, _, case = read_case("vilt")
    rng = np.random.default_rng(1)
    photos = [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in PHOTO_SIZES]
    images, sizes = make_converter()(photos)
    np.testing.assert_array_equal(sizes, case["image_sizes"])
    np.testing.assert_allclose(ops.convert_to_numpy(images), case["pixels"], atol=1e-5)


def make_converter():
    return AspectRatioImageConverter(24, multiple=8, scale=2 / 255, offset=-1)


def make_images(folder):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in PHOTO_SIZES[:3]]
    path = folder / "photo.png"
    Image.fromarray(arrays[0]).save(path)
    return [path, *arrays[1:]]


def get_probabilities(answers):
    return {answer.text: answer.probability for answer in answers}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("vilt"), "vilt")
    return QuestionAnsweringModel.from_preset(folder), folder


def test_folder_becomes_a_model_that_answers(loaded):
    model, folder = loaded
    assert isinstance(model, ViltQuestionAnswerer)
    images = make_images(folder)
    assert model.preprocessor.tokenize_questions(["w9 w30?"]) == [[2, 9, 30, 1, 3]]
    answers = model.answer(images, QUESTIONS, top_k=5, details=True)
    for image, question, each in zip(images, QUESTIONS, answers, strict=True):
        assert sorted(each, key=lambda answer: -answer.probability) == each
        assert model.answer(image, question) == each[0].text
    inputs = model.preprocessor({"images": images[1:], "questions": QUESTIONS[1:]})
    probabilities = ops.convert_to_numpy(ops.sigmoid(model(inputs)))
    for row, each in zip(probabilities, answers[1:], strict=True):
        expected = {f"answer {index}": value for index, value in enumerate(row)}
        assert get_probabilities(each) == pytest.approx(expected, abs=1e-5)


def test_question_without_known_words_is_answered_with_a_warning(loaded):
    model, folder = loaded
    # `pytest.warns` would emit other warnings again, such as those of PyTorch.
    with warnings.catch_warnings(record=True, action="always") as caught:
        assert model.answer(make_images(folder)[1], "жёлтый") in model.answers
    message = "1 of 1 questions have no word in the vocabulary"
    assert any(message in str(warning.message) for warning in caught)


def test_choices_restrict_the_answers(loaded):
    model, folder = loaded
    image = make_images(folder)[1]
    everything = get_probabilities(model.answer(image, "w9", top_k=5, details=True))
    chosen = model.answer(image, "w9", choices=["Answer 3", "answer 1"], details=True)
    best = max(["answer 3", "answer 1"], key=everything.get)
    assert chosen.text == best
    assert chosen.probability == pytest.approx(everything[best], abs=1e-6)
    with pytest.raises(ValueError, match=r"`choices` must be answers.*\['answer 9'\]"):
        model.answer(image, "w9", choices=["answer 1", "answer 9"])
    with pytest.raises(ValueError, match="`top_k`"):
        model.answer(image, "w9", top_k=3, choices=["answer 1"])


def test_preset_and_keras_file_keep_answers(loaded, tmp_path):
    model, folder = loaded
    images = make_images(folder)
    expected = model.answer(images, QUESTIONS, details=True)
    model.save_to_preset(tmp_path / "preset")
    model.save(tmp_path / "model.keras")
    for same in (
        QuestionAnsweringModel.from_preset(tmp_path / "preset"),
        keras.saving.load_model(tmp_path / "model.keras"),
    ):
        for answer, other in zip(
            expected, same.answer(images, QUESTIONS, details=True), strict=True
        ):
            assert answer.text == other.text
            assert answer.probability == pytest.approx(other.probability, abs=1e-6)


def test_mixed_precision_answers_are_close(loaded):
    model, folder = loaded
    half = QuestionAnsweringModel.from_preset(folder, dtype="mixed_bfloat16")
    images = make_images(folder)
    expected = model.answer(images, QUESTIONS, top_k=5, details=True)
    for each, other in zip(
        expected, half.answer(images, QUESTIONS, top_k=5, details=True), strict=True
    ):
        assert get_probabilities(other) == pytest.approx(get_probabilities(each), abs=0.05)


class OneBatch(keras.utils.PyDataset):
    """A data set of one batch."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


@pytest.mark.parametrize("as_sequence", [False, True])
def test_model_fits_raw_images_questions_and_scores(tmp_path, as_sequence):
    if not as_sequence:
        pytest.importorskip("tensorflow")  # KerasHub preprocesses arrays by `tf.data`.
    write_folder(tmp_path, "vilt")
    model = ViltQuestionAnswerer.from_preset(tmp_path)
    # One of both is compiled: the step is the same.
    eager = as_sequence and keras.config.backend() == "tensorflow"
    model.compile(optimizer=keras.optimizers.Adam(1e-2), run_eagerly=eager)
    images = np.random.default_rng(0).integers(0, 256, (4, 30, 40, 3)).astype("uint8")
    data = {"images": images, "questions": np.array(["w9", "w30 w31", "w7", "w8"])}
    scores = np.eye(5, dtype="float32")[[0, 1, 2, 2]]
    if as_sequence:
        history = model.fit(OneBatch((data, scores)), epochs=6, verbose=0).history
    else:
        history = model.fit(data, scores, batch_size=4, epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert set(history) == {"loss", "accuracy"}
    if as_sequence:
        return
    predictions = model.predict(data, batch_size=4, verbose=0)
    assert predictions.shape == (4, 5)
    results = model.evaluate(data, scores, batch_size=4, verbose=0, return_dict=True)
    expected = np.mean(predictions.argmax(axis=1) == scores.argmax(axis=1))
    assert results["accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"architectures": ["ViltForMaskedLM"]}, "Only the architecture ViltForQuestionAnswering"),
        ({"id2label": {"0": "yes", "2": "no"}}, "`id2label`"),
        ({"qkv_bias": False}, "`qkv_bias`"),
    ],
)
def test_unsupported_configurations_raise(entries, message):
    config, _, _ = read_case("vilt")
    with pytest.raises(ValueError, match=message):
        vilt.build_model({**config, **entries})


def test_outputs_are_compared_with_published_ones(loaded):
    model, folder = loaded
    image = make_images(folder)[1]
    assert COMPUTE["answer"](model, image, ("w9",)) == model.answer(image, "w9")
    logits = COMPUTE["first_answer_logits"](model, image, ("w9",))
    expected = get_probabilities(model.answer(image, "w9", top_k=5, details=True))
    for index, logit in enumerate(logits):
        assert 1 / (1 + np.exp(-logit)) == pytest.approx(expected[f"answer {index}"], abs=1e-5)
