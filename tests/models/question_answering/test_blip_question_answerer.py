import numpy as np
import pytest
from keras import ops
from models.captioning.small_captioners import COLORS, SIZE, color_images
from models.question_answering.small_question_answerers import (
    QUESTIONS,
    TOKENIZER,
    make_preprocessor,
    small_blip,
)

from keras_mmfusion.models import BlipQuestionAnswerer, Captioner


@pytest.fixture(scope="module")
def model():
    return small_blip()


def test_questions_are_packed_with_start_end_and_mask():
    ids, mask = make_preprocessor().pack_questions(["is it red", "what color is it it it it"])
    words = [TOKENIZER.token_to_id(word) for word in ("is", "it", "red")]
    assert ids[0].tolist() == [1, *words, 2, 0]
    assert mask.tolist() == [[True] * 5 + [False], [True] * 6]
    assert ids[1, -1] == 2  # Truncated questions end too.


def test_answers_do_not_depend_on_the_other_questions(model):
    images = color_images()
    answers = model.generate(images, QUESTIONS, beams=3)
    assert answers == [
        model.generate(image, question, beams=3)
        for image, question in zip(images, QUESTIONS, strict=True)
    ]
    assert model.answer(images, QUESTIONS) == model.generate(images, QUESTIONS)
    several = model.generate(images[0], QUESTIONS, beams=3)
    assert several[0] == answers[0] and len(several) == 3


def test_answers_have_the_probabilities_of_their_tokens(model):
    (first, second), *_ = model.answer(color_images(), QUESTIONS, top_k=2, details=True)
    assert first.text == model.generate(color_images()[0], QUESTIONS[0])
    assert first.text != second.text
    images = model.preprocessor.generate_preprocess(np.stack(color_images(1)))
    answers, targets, weights = model.preprocessor.pack_captions([first.text], None)
    question = model.preprocessor.tokenize_questions([QUESTIONS[0]])
    inputs = {"images": images, "questions": np.array(question), "answers": answers}
    log_probs = ops.convert_to_numpy(ops.log_softmax(model(inputs)))[0]
    total = sum(log_probs[i, t] for i, t in enumerate(targets[0]) if weights[0, i])
    assert first.probability == pytest.approx(np.exp(total), rel=1e-3)


@pytest.mark.parametrize(
    "question, message", [("жёлтый", "no word in the vocabulary"), ("is it red " * 9, "truncated")]
)
def test_unusual_questions_are_answered_with_a_warning(model, question, message):
    with pytest.warns(UserWarning, match=f"1 of 1 questions .*{message}"):
        assert isinstance(model.answer(color_images(1)[0], question), str)


def test_different_numbers_of_images_and_questions_raise(model):
    with pytest.raises(ValueError, match="one question for each image"):
        model.generate(color_images(3), QUESTIONS[:2])


def test_preset_keeps_answers(model, tmp_path):
    model.save_to_preset(tmp_path / "preset")
    loaded = Captioner.from_preset(tmp_path / "preset")
    assert isinstance(loaded, BlipQuestionAnswerer)
    assert loaded.generate(color_images(), QUESTIONS) == model.generate(color_images(), QUESTIONS)


def test_padding_of_questions_does_not_change_logits(model):
    preprocessor = make_preprocessor()
    ids, mask = preprocessor.pack_questions(["is it red"])
    images, answers = np.ones((1, *SIZE, 3), "float32"), np.array([[1, 5]])
    padded = model({"images": images, "questions": ids, "question_mask": mask, "answers": answers})
    alone = model({"images": images, "questions": ids[:, :5], "answers": answers})
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (padded, alone)), rtol=1e-4, atol=1e-5)


def test_question_answerer_fits_raw_images_questions_and_answers():
    model = small_blip()
    model.compile(jit_compile=False)  # XLA compilation would dominate the test time.
    data = {
        "images": np.stack(color_images(3)),
        "questions": ["what color is it"] * 3,
        "answers": list(COLORS),
    }
    history = model.fit(data, batch_size=3, epochs=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
