"""`QuestionAnswerer`: learning, answers, choices, targets, encoders of other kinds, saving."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops
from models.question_answering.colored_shapes import (
    ANSWERS,
    QUESTIONS,
    SIZE,
    draw_shape,
    make_data,
    make_preprocessor,
    make_question_answerer,
)

from keras_mmfusion import FusionBlock
from keras_mmfusion.encoders import TextEncoder
from keras_mmfusion.models import QuestionAnswerer, QuestionAnsweringModel
from keras_mmfusion.models.question_answering.answer_targets import score_targets

IMAGE = draw_shape("red", "square")


def score(model, images, questions, answers):
    return np.mean([a == b for a, b in zip(model.answer(images, questions), answers, strict=True)])


def train_on_one_batch(model, images, questions, answers, steps):
    """Trains on one batch. Returns the losses.

    TensorFlow would trace a step for longer than it runs all steps, and JAX would compile each
    operation of an eager step.
    """
    batch = model.preprocess_samples({"images": images, "questions": questions}, answers)
    x, y = keras.tree.map_structure(ops.convert_to_numpy, batch)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=keras.config.backend() != "jax")
    return [keras.Model.train_on_batch(model, x, y)[0] for _ in range(steps)]


@pytest.fixture(scope="module")
def trained():
    model = make_question_answerer(activation="softmax")
    images, questions, answers = make_data()
    if keras.config.backend() != "tensorflow":  # KerasHub's pipeline of raw data needs it.
        train_on_one_batch(model, images, questions, answers, 40)
        assert score(model, images, questions, answers) == 1.0
        return model
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    # One epoch of repeated data: the start of an epoch takes longer than all of its steps.
    data = {"images": np.concatenate([images] * 40), "questions": questions * 40}
    model.fit(data, answers * 40, batch_size=len(questions), verbose=0)
    assert score(model, images, questions, answers) == 1.0
    return model


def test_model_learns_answers_for_images_it_has_not_seen(trained):
    images, questions, answers = make_data(shades=(6,))
    assert trained.answer(images, questions) == answers


def test_questions_alone_do_not_suffice():
    images, questions, answers = make_data()
    model = make_question_answerer(activation="softmax")
    # The most frequent answer is right for 2, 3, 4 and 3 of the 6 images.
    train_on_one_batch(model, np.zeros_like(images), questions, answers, 40)
    assert score(model, np.zeros_like(images), questions, answers) <= 0.5


def test_answers_are_ordered_by_probability_and_restricted_to_choices(trained):
    answers = trained.answer(IMAGE, QUESTIONS[0], top_k=3, details=True)
    assert answers[0].text == "red" and answers[0].probability > 0.5
    assert np.diff([answer.probability for answer in answers]).max() <= 0
    assert trained.answer(IMAGE, QUESTIONS[0], choices=["blue", "green"]) in ("blue", "green")
    each = [["blue"], ["bar", "square"], ["yes", "no"], ["no"]]
    assert trained.answer(IMAGE, QUESTIONS, choices=each) == ["blue", "square", "yes", "no"]
    chosen = trained.answer(IMAGE, QUESTIONS[0], 2, True, choices=["Red!", "blue"])
    assert [answer.text for answer in chosen] == ["red", "blue"]
    assert sum(answer.probability for answer in chosen) == pytest.approx(1.0)


def test_answers_do_not_depend_on_the_other_questions(trained):
    together = trained.answer([IMAGE, IMAGE], [QUESTIONS[0], "red"], 2, True)
    for question, expected in zip([QUESTIONS[0], "red"], together, strict=True):
        for answer, other in zip(trained.answer(IMAGE, question, 2, True), expected, strict=True):
            assert answer.text == other.text
            assert answer.probability == pytest.approx(other.probability, rel=1e-4)


def test_consecutive_questions_share_the_conversion_of_an_image(trained, monkeypatch):
    images, questions, answers = make_data()
    convert, converted = trained.preprocessor.convert_image, []

    def count(image):
        converted.append(image)
        return convert(image)

    monkeypatch.setattr(trained.preprocessor, "convert_image", count)
    assert trained.answer(images, questions) == answers
    assert len(converted) == len(images) / len(QUESTIONS)
    np.testing.assert_array_equal(converted, images[:: len(QUESTIONS)])


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["purple"], "purple"),
        ([], "at least one"),
        ("red", "list of strings"),
        ([["red"]] * 3, "each of 4 questions"),
    ],
)
def test_invalid_choices_raise(trained, choices, message):
    with pytest.raises(ValueError, match=message):
        trained.answer(IMAGE, QUESTIONS, choices=choices)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "no word in the vocabulary"),
        ("?!", "no word in the vocabulary"),
        ("какого цвета фигура", "no word in the vocabulary"),
        ("red " * 10_000, "more than 6 tokens"),
    ],
)
def test_unusual_questions_are_answered_with_a_warning(trained, question, message):
    with warnings.catch_warnings(record=True, action="always") as caught:
        assert trained.answer(IMAGE, question) in ANSWERS
    messages = [str(w.message) for w in caught if w.category is UserWarning]
    assert len(messages) == 1
    assert messages[0].startswith("1 of 1 questions ") and message in messages[0]


def test_targets_of_several_people_are_their_agreement():
    model = make_question_answerer(answers=["yes", "no", "red"])
    people = [["yes"] * 8 + ["no"] * 2, ["Red."] + ["blue"] * 9]
    x, y = model.preprocess_samples(
        {"images": np.stack([IMAGE] * 2), "questions": QUESTIONS[:2], "answers": people}
    )
    np.testing.assert_allclose(y, [[1, 2 / 3, 0], [0, 0, 1 / 3]], rtol=1e-6)
    assert "answers" not in x


def test_unknown_answers_are_counted():
    with pytest.warns(UserWarning, match="1 of 2 questions have no answer .*'purple'"):
        _, targets = score_targets(None, ["red", "purple"], ANSWERS)
    assert targets.sum(axis=1).tolist() == [1.0, 0.0]
    model = make_question_answerer()
    data = {"images": np.stack([IMAGE] * 2), "questions": QUESTIONS[:2]}
    with pytest.raises(ValueError, match="None of the questions has an answer"):
        model.fit(data, ["pink", "purple"], verbose=0)


def test_datasets_of_raw_strings_give_the_same_batches_as_arrays():
    tf = pytest.importorskip("tensorflow")
    images, questions, answers = make_data()
    data = {"images": images[:3], "questions": questions[:3]}
    model = make_question_answerer()
    dataset = tf.data.Dataset.from_tensor_slices((data, answers[:3])).batch(3)
    x, y = next(iter(dataset.map(model.preprocess_samples)))
    expected_x, expected_y = model.preprocess_samples(data, answers[:3])
    np.testing.assert_array_equal(y, expected_y)
    for name in ("images", "questions", "question_mask"):
        np.testing.assert_allclose(x[name], ops.convert_to_numpy(expected_x[name]), rtol=1e-6)


def test_masked_words_and_image_tokens_do_not_change_logits():
    model = make_question_answerer("mult")
    ids = np.array([[1, 5, 6, 2, 7, 7]])
    mask = np.array([[True] * 4 + [False] * 2])
    images = np.ones((1, *SIZE, 3), "float32")
    expected = model({"images": images, "questions": ids[:, :4]})
    masked = model({"images": images, "questions": ids, "question_mask": mask})
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (masked, expected)), atol=1e-5)
    tokens = ops.convert_to_numpy(model.encode_images(images))
    inputs = {"image_tokens": tokens, "questions": ids[:, :4]}
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (model(inputs), expected)), atol=1e-5)


def test_dropout_of_image_tokens_is_active_only_in_training():
    model = make_question_answerer(image_dropout=0.5)
    images, questions, _ = make_data()
    ids, mask = make_preprocessor().pack_questions(questions[:1])
    tokens = model.encode_images(images[:1].astype("float32"))
    inputs = {"image_tokens": tokens, "questions": ids, "question_mask": mask}

    def compute(training):
        return ops.convert_to_numpy(model(inputs, training=training))

    # The model has no other dropout.
    assert np.abs(compute(training=True) - compute(training=True)).max() > 1e-3
    np.testing.assert_array_equal(compute(training=False), compute(training=False))
    assert QuestionAnswerer.from_config(model.get_config()).image_dropout == 0.5


def test_other_encoders_and_fusions():
    import keras_hub

    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
    vocabulary = make_preprocessor().tokenizer.vocabulary_size()
    modalities = ("image", "text")
    for text_encoder, fusion in (
        (
            keras_hub.models.BertBackbone(vocabulary, **sizes, max_sequence_length=8),
            FusionBlock(modalities, "late", num_outputs=len(ANSWERS), dim=8),
        ),
        (
            TextEncoder(vocabulary, **sizes, max_sequence_length=8),
            FusionBlock(modalities, combine="union", dim=8, output="tokens"),
        ),
        (keras.layers.Embedding(vocabulary, 8), None),
    ):
        model = make_question_answerer(text_encoder=text_encoder, fusion=fusion)
        logits = ops.convert_to_numpy(
            model({"images": np.ones((1, *SIZE, 3)), "questions": np.array([[1, 4, 2]])})
        )
        assert logits.shape == (1, len(ANSWERS)) and np.isfinite(logits).all()
    clip = keras_hub.models.CLIPVisionEncoder(4, 8, 1, 2, 16, image_shape=(*SIZE, 3))
    model = make_question_answerer(image_encoder=clip)
    assert model.built
    with pytest.raises(ValueError, match="'image' and 'text'"):
        make_question_answerer(fusion=FusionBlock(("image", "audio")))


@pytest.mark.parametrize("file", ["preset", "model.keras"])
def test_saved_models_give_the_same_answers(trained, tmp_path, file):
    path = tmp_path / file
    if file == "preset":
        trained.save_to_preset(path)
        loaded = QuestionAnsweringModel.from_preset(path)
    else:
        trained.save(path)
        loaded = keras.saving.load_model(path)
    assert isinstance(loaded, QuestionAnswerer)
    images, questions, answers = make_data()
    assert loaded.answer(images[:8], questions[:8]) == answers[:8]
    expected = trained.answer(IMAGE, QUESTIONS[0], 2, True)
    assert loaded.answer(IMAGE, QUESTIONS[0], 2, True)[0].probability == pytest.approx(
        expected[0].probability, rel=1e-5
    )


def test_low_rank_adaptation_and_mixed_precision():
    model = make_question_answerer("mult", dtype="mixed_bfloat16")
    model.enable_lora(2)
    images, questions, answers = make_data()
    losses = train_on_one_batch(model, images[:8], questions[:8], answers[:8], 2)
    assert losses[1] < losses[0]
    assert model.fusion.compute_dtype == "bfloat16"


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="SavedModel export")
def test_export_answers_questions_about_image_files(trained, tmp_path):
    import io

    import tensorflow as tf
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(IMAGE).save(file, "PNG")
    path = trained.export(tmp_path, top_k=2)
    serve = tf.saved_model.load(path).signatures["serving_default"]
    outputs = serve(
        image_bytes=tf.constant([file.getvalue(), b"no image"]),
        questions=tf.constant(QUESTIONS[:2]),
    )
    expected = trained.answer(IMAGE, QUESTIONS[0], 2, True)
    assert outputs["answers"].numpy()[0].tolist() == [answer.text.encode() for answer in expected]
    np.testing.assert_allclose(
        outputs["probabilities"].numpy()[0], [each.probability for each in expected], rtol=1e-4
    )
    assert outputs["error_codes"].numpy().tolist() == [0, 2]
