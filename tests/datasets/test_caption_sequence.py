import keras
import numpy as np
import pytest
from keras_hub.layers import ImageConverter
from PIL import Image

from keras_mmfusion.datasets import CaptionSequence, caption_dataset
from keras_mmfusion.encoders.pillow_image_converter import PillowImageConverter
from keras_mmfusion.models import CaptioningPreprocessor, WordTokenizer


def first_captions(batches):
    return [texts[0] for batch in batches for texts in batch["captions"]]


def test_batch_sizes_and_shapes(pairs):
    sequence = CaptionSequence(pairs, batch_size=4, image_size=(32, 24), captions_per_image=2)
    batches = list(sequence)
    assert len(sequence) == len(batches) == 3
    assert [batch["images"].shape for batch in batches] == [(4, 32, 24, 3)] * 2 + [(2, 32, 24, 3)]
    assert batches[0]["images"].dtype == np.uint8
    assert batches[0]["captions"].shape == (4, 2)
    with pytest.raises(IndexError):
        sequence[3]


@pytest.mark.parametrize("augment", [False, True])
def test_batch_depends_only_on_seed_epoch_and_index(pairs, augment):
    options = {"image_size": (16, 16), "batch_size": 3, "seed": 1, "augment": augment}
    sequence = CaptionSequence(pairs, **options)
    first = list(sequence)
    sequence.on_epoch_end()
    second = list(sequence.iterate_batches(start=2))
    assert first_captions(first) != first_captions(list(sequence))
    resumed = CaptionSequence(pairs, **options, epoch=1, workers=1)
    for batch, index in zip(second, (2, 3), strict=True):
        np.testing.assert_array_equal(batch["images"], resumed[index]["images"])
        np.testing.assert_array_equal(batch["captions"], resumed[index]["captions"])


def test_epoch_visits_each_image_once(pairs):
    captions = first_captions(CaptionSequence(pairs, image_size=(8, 8), batch_size=3))
    assert sorted(captions) == sorted(captions[0] for captions in pairs.captions)


def test_batches_match_the_tf_data_pipeline(pairs):
    pytest.importorskip("tensorflow")
    options = {"image_size": (32, 32), "shuffle": False, "captions_per_image": 2}
    batch = CaptionSequence(pairs, **options)[0]
    expected = next(iter(caption_dataset(pairs, **options)))
    difference = batch["images"].astype(int) - expected["images"].numpy()
    assert np.abs(difference).max() <= 2
    assert expected["captions"].numpy().astype(str).tolist() == batch["captions"].tolist()


def test_cache_reads_files_once(pairs):
    sequence = CaptionSequence(pairs, image_size=(8, 8), shuffle=False, cache=True)
    before = sequence[0]["images"]
    for path in pairs.images:
        with open(path, "wb"):
            pass
    np.testing.assert_array_equal(sequence[0]["images"], before)


def test_error_names_the_invalid_file(pairs):
    with open(pairs.images[3], "wb") as file:
        file.write(b"not an image")
    with pytest.raises(ValueError, match="3.jpg"):
        list(CaptionSequence(pairs, image_size=(8, 8), batch_size=2))


@pytest.fixture
def preprocessor(pairs):
    return CaptioningPreprocessor(
        WordTokenizer.from_captions(pairs.captions, min_count=1),
        ImageConverter(image_size=(8, 8), scale=1 / 128, offset=-127 / 128),
        sequence_length=4,
    )


def test_batches_are_preprocessed(pairs, preprocessor):
    sequence = CaptionSequence(pairs, batch_size=4, image_size=(8, 8), preprocessor=preprocessor)
    x, y, sample_weight = next(iter(sequence))
    arrays = [x["images"], x["captions"], y, sample_weight]
    assert all(isinstance(array, np.ndarray) for array in arrays)
    assert [array.shape for array in arrays] == [(4, 8, 8, 3)] + [(4, 5, 4)] * 3
    assert [array.dtype.name for array in arrays] == ["float32", "int32", "int32", "float32"]
    assert np.abs(x["images"]).max() <= 1


def test_preprocessor_decides_whether_transparency_is_ignored(pairs, preprocessor):
    for path in pairs.images:
        Image.fromarray(np.full((8, 8, 4), (7, 8, 9, 0), "uint8")).save(path, format="png")
    preprocessor.image_converter = PillowImageConverter((8, 8), drop_alpha=True)
    x, _, _ = CaptionSequence(pairs, image_size=None, preprocessor=preprocessor)[0]
    assert x["images"][0, 0, 0].tolist() == [7, 8, 9]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_callback_sets_the_epoch_during_fit(pairs, preprocessor, workers):
    seen = []

    class Recorded(CaptionSequence):
        def __getitem__(self, index):
            seen.append((self.epoch, index))
            return super().__getitem__(index)

    sequence = Recorded(
        pairs, batch_size=4, image_size=(8, 8), preprocessor=preprocessor, workers=workers
    )
    images = keras.Input((8, 8, 3), name="images")
    captions = keras.Input((5, 4), dtype="int32", name="captions")
    pooled = keras.layers.Dense(12)(keras.layers.GlobalAveragePooling2D()(images))
    embedded = keras.layers.Embedding(preprocessor.tokenizer.vocabulary_size(), 12)(captions)
    logits = keras.layers.Dense(preprocessor.tokenizer.vocabulary_size())(
        embedded + keras.layers.Reshape((1, 1, 12))(pooled)
    )
    model = keras.Model({"images": images, "captions": captions}, logits)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    callbacks = [
        keras.callbacks.LambdaCallback(on_train_begin=lambda logs: seen.clear()),
        sequence.epoch_callback(),
    ]
    history = model.fit(
        sequence, shuffle=False, initial_epoch=5, epochs=8, callbacks=callbacks, verbose=0
    )
    # Threads may load the batches of an epoch in any order, but never mix epochs.
    assert [epoch for epoch, _ in seen] == [5] * 3 + [6] * 3 + [7] * 3
    assert sorted(seen) == [(epoch, index) for epoch in (5, 6, 7) for index in range(3)]
    assert np.isfinite(history.history["loss"]).all()
