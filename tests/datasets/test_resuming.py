"""An interrupted epoch is resumed with the same batches."""

import keras
import numpy as np
import pytest

from keras_mmfusion.datasets import (
    CaptionSequence,
    ImageColumn,
    QuestionAnswers,
    SentimentSequences,
    TextColumn,
    caption_dataset,
    multimodal_dataset,
    question_dataset,
    read_multimodal_table,
    sequence_dataset,
    tfds_caption_dataset,
)

tensorflow = pytest.importorskip("tensorflow")
SMALL = {"batch_size": 3, "image_size": (8, 8)}


def questions(pairs, **options):
    texts = [captions[0] for captions in pairs.captions]
    data = QuestionAnswers(pairs.images, texts, [["a"]] * 10, list(range(10)))
    return question_dataset(data, **SMALL, **options)


def table(pairs, **options):
    path = pairs.images[0].replace("0.jpg", "t.csv")
    with open(path, "w") as file:
        file.write("photo,text\n" + "".join(f"{i}.jpg,text {i}\n" for i in range(10)))
    columns = {"photo": ImageColumn(image_size=(8, 8)), "text": TextColumn()}
    return multimodal_dataset(read_multimodal_table(path, columns), batch_size=3, **options)


def sequences(pairs, **options):
    sizes = [2, 2, 9, 10, 3, 2, 8, 9, 9, 4]
    data = SentimentSequences(
        tokens={"text": [np.full((size, 3), i, "float32") for i, size in enumerate(sizes)]},
        masks={"text": [np.ones(size, "bool") for size in sizes]},
        labels=np.arange(10, dtype="float32") / 10,
        segment_ids=np.arange(10).astype(str),
        video_ids=np.arange(10).astype(str),
        texts=np.full(10, ""),
    )
    return sequence_dataset(data, batch_size=2, num_buckets=2, **options)


def tfds_captions(pairs, **options):
    rows = tensorflow.data.Dataset.range(10).map(
        lambda i: {
            "image": tensorflow.fill((8, 8, 3), tensorflow.cast(i, "uint8")),
            "captions": tensorflow.strings.as_string([i]),
        }
    )
    return tfds_caption_dataset(rows, **SMALL, **options)


PIPELINES = {
    "captions": lambda pairs, **options: caption_dataset(pairs, **SMALL, **options),
    "augmented": lambda pairs, **options: caption_dataset(pairs, **SMALL, augment=True, **options),
    "questions": questions,
    "table": table,
    "sequences": sequences,
    "tfds": tfds_captions,
}


def assert_equal(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("name", PIPELINES)
def test_epoch_is_resumed_from_a_checkpoint_of_the_iterator(pairs, tmp_path, name):
    def dataset(seed):
        return PIPELINES[name](pairs, seed=seed)

    expected = list(dataset(seed=4).as_numpy_iterator())
    assert len(expected) >= 4
    interrupted = iter(dataset(seed=4))
    next(interrupted), next(interrupted)
    path = tensorflow.train.Checkpoint(iterator=interrupted).save(tmp_path / "iterator")
    next(interrupted)  # Batches after the checkpoint are repeated.
    resumed = iter(dataset(seed=4))
    tensorflow.train.Checkpoint(iterator=resumed).restore(path)
    rest = [keras.tree.map_structure(lambda x: x.numpy(), batch) for batch in resumed]
    assert_equal(rest, expected[2:])


@pytest.mark.parametrize("augment", [False, True])
def test_epoch_of_caption_sequence_is_resumed(pairs, augment):
    def sequence():
        return CaptionSequence(pairs, **SMALL, seed=4, epoch=3, augment=augment)

    expected = list(sequence())
    assert_equal(list(sequence().iterate_batches(start=2)), expected[2:])
    assert len(expected) == 4
