import keras
import numpy as np
import pytest
from photos import photo
from PIL import Image
from vqa_files import write_easy_vqa

from keras_mmfusion.datasets import (
    ImageRegions,
    QuestionAnswers,
    question_dataset,
    read_easy_vqa,
    region_dataset,
)
from keras_mmfusion.datasets.images.read_image import read_image, resize_image

tensorflow = pytest.importorskip("tensorflow")


@pytest.fixture
def data(tmp_path):
    """Eleven questions about four images; those about the first are not all consecutive."""
    images = [str(tmp_path / f"{index}.jpg") for index in range(4)]
    for index, path in enumerate(images):
        Image.fromarray(photo(30 + index, 40, phase=index)).save(path, quality=90)
    order = [0, 0, 0, 1, 1, 1, 2, 3, 3, 0, 0]
    return QuestionAnswers(
        images=[images[index] for index in order],
        questions=[f"q{row} i{index}" for row, index in enumerate(order)],
        answers=[["red"] * 2 + ["blue"] * (row % 3) for row in range(11)],
        question_ids=list(range(11)),
    )


def questions(dataset):
    return [text.decode() for batch in dataset for text in batch["questions"].numpy()]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("cache", [False, True])
def test_questions_keep_their_images_and_answers(data, shuffle, cache):
    dataset = question_dataset(
        data,
        image_size=(12, 16),
        batch_size=4,
        answers_per_question=3,
        shuffle=shuffle,
        cache=cache,
    )
    assert dataset.element_spec["images"].shape == (None, 12, 16, 3)
    assert dataset.element_spec["images"].dtype == "uint8"
    images = {path: resize_image(read_image(path), (12, 16)) for path in set(data.images)}
    for _ in range(2):
        batches = list(dataset)
        if not shuffle:
            texts = np.concatenate([batch["questions"] for batch in batches])
            assert [text.decode() for text in texts] == data.questions
        assert [len(batch["questions"]) for batch in batches] == [4, 4, 3]
        for batch in batches:
            columns = [batch[name].numpy() for name in ("images", "questions", "answers")]
            for image, text, answers in zip(*columns, strict=True):
                row = data.questions.index(text.decode())
                assert np.abs(image.astype(int) - images[data.images[row]]).max() <= 2
                texts = [answer.decode() for answer in answers if answer]
                assert texts == data.answers[row][:3]
                assert len(answers) == 3


@pytest.mark.parametrize("cache", [False, True])
def test_epochs_are_shuffled_differently_and_reproducibly(data, cache):
    options = {"image_size": (8, 8), "batch_size": 3, "seed": 5, "cache": cache}
    dataset = question_dataset(data, **options)
    epochs = [questions(dataset) for _ in range(3)]
    assert len(set(map(tuple, epochs))) == 3
    assert all(sorted(epoch) == sorted(data.questions) for epoch in epochs)
    again = question_dataset(data, **options)
    assert [questions(again) for _ in range(3)] == epochs
    assert questions(question_dataset(data, **{**options, "seed": 6})) != epochs[0]


def test_cache_reads_files_once(data):
    dataset = question_dataset(data, image_size=(8, 8), cache=True, shuffle=False)
    before = np.concatenate([batch["images"] for batch in dataset])
    for path in set(data.images):
        with open(path, "wb"):
            pass
    np.testing.assert_array_equal(np.concatenate([batch["images"] for batch in dataset]), before)
    with pytest.raises(tensorflow.errors.OpError, match="0.jpg"):
        list(question_dataset(data.take(2), image_size=(8, 8)))


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("drop_alpha", [False, True])
def test_transparency_is_blended_or_ignored(data, cache, drop_alpha):
    pixels = np.full((4, 4, 4), (7, 8, 9, 0), "uint8")
    Image.fromarray(pixels).save(data.images[0], format="png")
    options = {"image_size": (4, 4), "drop_alpha": drop_alpha, "cache": cache}
    (batch,) = question_dataset(data.take(1), **options)
    expected = [7, 8, 9] if drop_alpha else [255] * 3
    assert batch["images"].numpy()[0, 0, 0].tolist() == expected


def test_targets_are_the_accuracies_of_the_classes(data):
    dataset = question_dataset(data, ["blue", "green", "red"], image_size=(8, 8), shuffle=False)
    ((inputs, scores),) = list(dataset)
    assert sorted(inputs) == ["images", "questions"]
    # Two of two answers; two of three, and one of three; two and two of four.
    np.testing.assert_allclose(
        scores[:3], [[0, 0, 1 / 3], [2 / 9, 0, 4 / 9], [0.5, 0, 0.5]], rtol=1e-6
    )
    assert scores.dtype == "float32"
    with pytest.raises(ValueError, match="must contain an answer to a question"):
        question_dataset(data, ["green"])


def test_region_dataset_pads_and_masks_boxes(data):
    boxes = [np.full((2, 4), 0.5, "float32"), np.full((3, 4), 0.25, "float32")]
    phrases = [["a", "b"], ["c", "d", "e"]]
    regions = ImageRegions([data.images[0], data.images[3]], boxes, phrases)
    dataset = region_dataset(regions, image_size=(8, 8), regions_per_image=3, shuffle=False)
    (batch,) = list(dataset)
    assert batch["captions"].numpy().tolist() == [[b"a", b"b", b""], [b"c", b"d", b"e"]]
    assert batch["boxes_mask"].numpy().tolist() == [[True, True, False], [True] * 3]
    assert batch["boxes"].numpy()[:, 1:, 0].tolist() == [[0.5, 0], [0.25, 0.25]]
    assert batch["images"].shape == (2, 8, 8, 3)
    first = next(iter(region_dataset(regions, image_size=(8, 8), regions_per_image=1)))
    assert first["captions"].shape == (2, 1)
    with pytest.raises(ValueError, match="it differs for .*0.jpg"):
        ImageRegions(regions.images, boxes[::-1], phrases)


def test_model_learns_easy_vqa(tmp_path):
    rows = [
        [question, answer, image]
        for image in range(8)
        for question, answer in (
            ("what color is it?", ("red", "blue")[image % 2]),
            ("what shape is it?", "square"),
        )
    ]
    write_easy_vqa(tmp_path, {"train": rows})
    for image in range(8):
        pixels = np.zeros((16, 16, 3), "uint8")
        pixels[..., 2 * (image % 2)] = 200
        Image.fromarray(pixels).save(tmp_path / "train" / "images" / f"{image}.png")
    train = read_easy_vqa(tmp_path)
    answers = train.list_frequent_answers(3)
    dataset = question_dataset(train, answers, batch_size=8, image_size=(16, 16), cache=True)
    words = keras.layers.TextVectorization(output_sequence_length=5)
    words.adapt(train.questions)
    dataset = dataset.map(lambda x, y: ({**x, "questions": words(x["questions"])}, y))
    keras.utils.set_random_seed(0)
    images = keras.Input((16, 16, 3), dtype="uint8", name="images")
    questions = keras.Input((5,), dtype="int64", name="questions")
    pixels = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    text = keras.layers.Flatten()(keras.layers.Embedding(words.vocabulary_size(), 8)(questions))
    hidden = keras.layers.Dense(16, "relu")(keras.layers.Concatenate()([pixels, text]))
    model = keras.Model(
        {"images": images, "questions": questions}, keras.layers.Dense(len(answers))(hidden)
    )
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    losses = model.fit(dataset, epochs=12, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
