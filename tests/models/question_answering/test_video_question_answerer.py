import dataclasses

import keras
import numpy as np
import pytest
from keras import ops
from models.question_answering.colored_shapes import SIZE, draw_shape, make_preprocessor
from PIL import Image

from keras_mmfusion import FusionBlock
from keras_mmfusion.datasets import VideoQuestionAnswers, video_dataset
from keras_mmfusion.datasets.images.decoding import decode_image_tensor
from keras_mmfusion.encoders import TokenEncoder, VideoEncoder
from keras_mmfusion.layers import TemporalTransformer
from keras_mmfusion.models import VideoQuestionAnswerer, load_model
from keras_mmfusion.models.question_answering import evaluate_video_question_answering

NUM_FRAMES = 2
ANSWERS = ["red", "blue"]
QUESTION = "what color is the shape"


def make_videos():
    """A red shape before a blue one, and in reverse; the answer is the first color."""
    red, blue = draw_shape("red", "square"), draw_shape("blue", "square")
    return np.stack([[red, blue], [blue, red]])


def make_model():
    keras.utils.set_random_seed(0)
    preprocessor = make_preprocessor()
    images = keras.Input((*SIZE, 3))
    features = keras.layers.Conv2D(16, 4, 4, activation="relu")(images)
    return VideoQuestionAnswerer(
        VideoEncoder(
            keras.Model(images, features), TemporalTransformer(1, 2, 32), num_frames=NUM_FRAMES
        ),
        TokenEncoder(16, num_heads=2, vocabulary_size=preprocessor.tokenizer.vocabulary_size()),
        ANSWERS,
        FusionBlock(("image", "text"), combine="concat", dim=16),
        preprocessor,
        activation="softmax",
    )


@pytest.fixture(scope="module")
def model():
    """A model that is trained to answer with the color of the first frame."""
    model = make_model()
    # Different from the start, since the positions of frames are initialized to zero.
    positions = np.random.default_rng(0).normal(size=(NUM_FRAMES, 16))
    model.image_encoder.frame_embedding.embeddings.assign(positions)
    batch = model.preprocess_samples(
        {"images": make_videos(), "questions": [QUESTION] * 2}, ANSWERS
    )
    x, y = keras.tree.map_structure(ops.convert_to_numpy, batch)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    for _ in range(25):
        keras.Model.train_on_batch(model, x, y)
    return model


@pytest.fixture
def paths(tmp_path):
    paths = [str(tmp_path / f"{index}.webp") for index in range(2)]
    for path, video in zip(paths, make_videos(), strict=True):
        first, *rest = map(Image.fromarray, video)
        first.save(path, save_all=True, append_images=rest, lossless=True)
    return paths


def test_answers_depend_on_the_order_of_frames_of_videos_of_any_type(model, paths):
    videos = make_videos()
    for source in (videos, list(videos), [list(video) for video in videos], paths):
        assert model.answer(source, [QUESTION] * 2) == ANSWERS
    assert model.answer(paths[1], QUESTION) == "blue"
    assert model.answer(videos[0], [QUESTION, QUESTION], top_k=2) == [["red", "blue"]] * 2
    assert model.answer(paths[1], QUESTION, choices=["red"]) == "red"


def test_each_video_is_converted_before_the_next_is_read(model, monkeypatch):
    events, convert = [], model.preprocessor.convert_image

    def read():
        for video in make_videos():
            events.append("read")
            yield video

    def record(image):
        if isinstance(image, list):
            events.append("convert")
        return convert(image)

    monkeypatch.setattr(model.preprocessor, "convert_image", record)
    assert model.answer(read(), [QUESTION] * 2) == ANSWERS
    assert events == ["read", "convert"] * 2


def test_fit_accepts_a_data_set_of_video_files(paths):
    model = make_model()
    columns = {"questions": [QUESTION] * 2, "targets": np.eye(2, dtype="float32")}
    data = video_dataset(paths, columns, NUM_FRAMES, SIZE).map(
        lambda batch: (
            {"images": batch["images"], "questions": batch["questions"]},
            batch["targets"],
        )
    )
    before = ops.convert_to_numpy(model.image_encoder.frame_embedding.embeddings)
    model.compile(run_eagerly=True)
    model.fit(data, verbose=0)
    after = ops.convert_to_numpy(model.image_encoder.frame_embedding.embeddings)
    assert np.isfinite(after).all() and (after != before).all()


def test_saved_model_and_preset_give_the_same_answers(model, tmp_path):
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    for loaded in (
        load_model(tmp_path / "model.keras"),
        VideoQuestionAnswerer.from_preset(tmp_path / "preset"),
    ):
        assert loaded.num_frames == NUM_FRAMES
        assert loaded.answer(make_videos(), [QUESTION] * 2) == ANSWERS


def test_evaluation_reads_video_files(model, paths):
    data = VideoQuestionAnswers(paths, [QUESTION] * 2, [["red"], ["red"]], [1, 2])
    assert evaluate_video_question_answering(model, data).metrics["accuracy"] == 0.5
    # The correct answer is the only choice that the model knows.
    data = dataclasses.replace(data, choices=[[], ["Red", "pink"]])
    result = evaluate_video_question_answering(model, data)
    assert result.metrics["accuracy"] == 1.0
    assert result.protocol["questions_answered_by_a_choice"] == 1


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="SavedModel export")
def test_export_answers_questions_about_frames(model, tmp_path, monkeypatch):
    import tensorflow as tf

    # Tracing the decoders of all formats takes most of the time of an export.
    png = decode_image_tensor._FORMATS[1:2]
    monkeypatch.setattr(decode_image_tensor, "_FORMATS", png)
    serving = tf.saved_model.load(model.export(tmp_path, top_k=2)).signatures
    questions, videos = tf.constant([QUESTION] * 2), make_videos()
    outputs = serving["answer_frames"](frames=tf.constant(videos), questions=questions)
    expected = model.answer(videos, [QUESTION] * 2, top_k=2, details=True)
    texts = [[answer.text.encode() for answer in each] for each in expected]
    assert outputs["answers"].numpy().tolist() == texts
    np.testing.assert_allclose(
        outputs["probabilities"], [[each.probability for each in row] for row in expected], 1e-4
    )
    files = [[tf.io.encode_png(frame).numpy() for frame in video] for video in videos]
    files[1][0] = b"no image"
    outputs = serving["serving_default"](image_bytes=tf.constant(files), questions=questions)
    assert outputs["answers"].numpy().tolist() == [texts[0], [b"", b""]]
    assert outputs["error_codes"].numpy().tolist() == [0, 2]


def test_invalid_arguments_are_reported(model, tmp_path):
    with pytest.raises(ValueError, match="`image_encoder` must be a `VideoEncoder`"):
        VideoQuestionAnswerer(keras.layers.Conv2D(8, 4), TokenEncoder(8, vocabulary_size=9), ["a"])
    with pytest.raises(ValueError, match="There is no video file or folder"):
        model.answer(tmp_path / "no.mp4", QUESTION)
    with pytest.raises(ValueError, match=r"`images\[1\]`: .*contains no frames"):
        model.answer([make_videos()[0], []], [QUESTION] * 2)
