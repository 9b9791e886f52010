"""`GenerativeQuestionAnswerer`: learning, choices, padding, saving, export."""

import keras
import numpy as np
import pytest
from keras import ops
from models.question_answering.colored_shapes import (
    QUESTIONS,
    SIZE,
    draw_shape,
    make_data,
    make_generative_answerer,
)

from keras_mmfusion.models import GenerativeQuestionAnswerer, QuestionAnsweringModel

IMAGE = draw_shape("red", "square")


@pytest.fixture(scope="module")
def trained():
    model = make_generative_answerer()
    images, questions, answers = make_data()
    model.compile(keras.optimizers.Adam(0.005), jit_compile=False)
    data = {"images": images, "questions": questions, "answers": answers}
    batch = keras.tree.map_structure(ops.convert_to_numpy, model.preprocess_samples(data))
    for _ in range(150):
        keras.Model.train_on_batch(model, *batch)
    return model


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="KerasHub's pipeline needs it")
def test_fit_accepts_raw_images_and_strings():
    model = make_generative_answerer()
    model.compile(keras.optimizers.Adam(0.005), jit_compile=False)
    images, questions, answers = make_data()
    data = {"images": images, "questions": questions, "answers": answers}
    history = model.fit(data, batch_size=12, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_model_learns_to_write_answers(trained):
    images, questions, answers = make_data(shades=(4,))
    assert trained.answer(images, questions) == answers


def test_choices_are_ranked_by_their_probability(trained):
    [answer] = {trained.answer(IMAGE, QUESTIONS[0], choices=["blue", "red", "green"])}
    assert answer == "red"
    each = [["blue", "green"], ["bar", "square"], ["yes", "no"], ["no"]]
    answers = trained.answer(IMAGE, QUESTIONS, choices=each)
    assert answers[0] in each[0] and answers[1:] == ["square", "yes", "no"]
    searched = trained.answer(IMAGE, QUESTIONS[0], details=True)
    ranked = trained.answer(IMAGE, QUESTIONS[0], 2, True, choices=["red", "blue"])
    assert ranked[0].probability == pytest.approx(searched.probability, rel=1e-4)
    with pytest.raises(ValueError, match="each of 4 questions"):
        trained.answer(IMAGE, QUESTIONS, choices=[["red"]] * 3)


def test_padding_of_questions_does_not_change_logits(trained):
    ids, mask = trained.preprocessor.pack_questions(["is it red"])
    inputs = {"images": np.ones((1, *SIZE, 3), "float32"), "answers": np.array([[1, 5]])}
    padded = trained({**inputs, "questions": ids, "question_mask": mask})
    alone = trained({**inputs, "questions": ids[:, : mask.sum()]})
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (padded, alone)), rtol=1e-4, atol=1e-5)


def test_presets_keep_answers(trained, tmp_path):
    trained.save_to_preset(tmp_path / "preset")
    loaded = QuestionAnsweringModel.from_preset(tmp_path / "preset")
    assert isinstance(loaded, GenerativeQuestionAnswerer)
    assert loaded.answer(IMAGE, QUESTIONS) == trained.answer(IMAGE, QUESTIONS)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="SavedModel export")
def test_export_answers_questions_about_image_files(trained, tmp_path):
    import io

    import tensorflow as tf
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(IMAGE).save(file, "PNG")
    serve = tf.saved_model.load(trained.export(tmp_path, beams=1)).signatures["serving_default"]
    outputs = serve(
        image_bytes=tf.constant([file.getvalue()] * 4), questions=tf.constant(QUESTIONS)
    )
    answers = [answer.decode() for answer in outputs["answers"].numpy()]
    assert answers == trained.answer(IMAGE, QUESTIONS)
