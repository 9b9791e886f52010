"""Builders for TensorFlow Datasets, and batches of its captioning data sets."""

import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from datasets.mosei_files import FILES, small_videos, write_sequence
from datasets.visual_genome_files import image_data, qa, write, write_photos
from photos import photo
from PIL import Image

from keras_mmfusion.datasets import tfds_caption_dataset

tensorflow = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill")  # Required by the testing module of TFDS.
TestCase = tfds.testing.DatasetBuilderTestCase

from keras_mmfusion.datasets.tfds_builders import (  # noqa: E402
    CmuMosei,
    Flickr8k,
    VisualGenomeQA,
)


def write_flickr8k(folder):
    (folder / "images").mkdir()
    tokens = []
    for index, split in enumerate(("train", "train", "dev", "test")):
        name = f"{index}_a.jpg"
        Image.fromarray(photo(20 + index, 30, phase=index)).save(folder / "images" / name)
        tokens += [f"{name}#{number}\tPhoto {index} .\n" for number in range(5)]
        with open(folder / f"Flickr_8k.{split}Images.txt", "a") as file:
            file.write(f"{name}\n")
    (folder / "Flickr8k.token.txt").write_text("".join(tokens))


def write_visual_genome(folder):
    write_photos(folder)
    questions = [
        {"id": 1, "qas": [qa(1, 1, "What color is it?", "Red."), qa(2, 1, "Who?", "A man.")]},
        {"id": 2412112, "qas": [qa(3, 2412112, "Where is it?", "On a b\xefg table.")]},
    ]
    write(folder, image_data=list(map(image_data, (1, 2, 2412112))), question_answers=questions)


def write_mosei(folder):
    """Like `mosei_files.write_mosei`, with the dimensions of the published files."""
    for name, entries in small_videos().items():
        dim = {"text": 300, "audio": 74, "video": 35}.get(name)
        if dim is not None:
            entries = {
                video: (times, np.resize(rows, (len(rows), dim)).astype("float32"))
                for video, (times, rows) in entries.items()
            }
        write_sequence(folder / f"{FILES[name]}.csd", name, entries)
    (folder / "cmu_mosei_std_folds.py").write_text(
        "standard_train_fold = ['a_[x', 'of no file']\nstandard_valid_fold = ['b']\n"
    )


class Files:
    """Writes small files before the tests of TFDS, and removes them afterwards."""

    SKIP_TF1_GRAPH_MODE = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        cls.write(tfds.core.Path(cls.EXAMPLE_DIR))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.EXAMPLE_DIR)


class Flickr8kTest(Files, TestCase):
    DATASET_CLASS = Flickr8k
    SPLITS = {"train": 2, "dev": 1, "test": 1}
    write = staticmethod(write_flickr8k)


class VisualGenomeQATest(Files, TestCase):
    DATASET_CLASS = VisualGenomeQA
    SPLITS = {"train": 2}
    write = staticmethod(write_visual_genome)


class CmuMoseiTest(Files, TestCase):
    DATASET_CLASS = CmuMosei
    SPLITS = {"train": 2, "valid": 1}
    write = staticmethod(write_mosei)


del TestCase


def prepare(builder_class, write_files, tmp_path, **beam):
    """Prepares a data set and returns its builder."""
    files = tmp_path / "files"
    if not files.exists():
        files.mkdir()
        write_files(files)
    builder = builder_class(data_dir=tempfile.mkdtemp(dir=tmp_path))
    config = tfds.download.DownloadConfig(
        manual_dir=files, compute_stats=tfds.download.ComputeStatsMode.SKIP, **beam
    )
    builder.download_and_prepare(download_config=config)
    return builder


def test_examples_of_visual_genome(tmp_path):
    builder = prepare(VisualGenomeQA, write_visual_genome, tmp_path)
    examples = {
        example["image/filename"].decode(): example
        for example in builder.as_dataset("train").as_numpy_iterator()
    }
    assert sorted(examples) == ["VG_100K/2370463.jpg", "VG_100K_2/1.jpg"]
    first = examples["VG_100K_2/1.jpg"]
    assert first["questions"]["question"].tolist() == [b"What color is it?", b"Who?"]
    assert first["questions"]["answer"].tolist() == [b"Red.", b"A man."]
    assert np.abs(first["image"].astype(int) - photo(40, 80, phase=1)).mean() < 8


def test_examples_of_cmu_mosei(tmp_path):
    builder = prepare(CmuMosei, write_mosei, tmp_path)
    (silent,) = builder.as_dataset("valid").as_numpy_iterator()
    assert silent["segment_id"] == b"b[0]" and silent["transcript"].decode() == "so naïve größer"
    assert silent["text"].shape == (3, 300) and silent["text_mask"].all()
    assert silent["audio"].shape == (0, 74) and silent["audio_mask"].shape == (0,)
    segments = {
        example["segment_id"]: example
        for example in builder.as_dataset("train").as_numpy_iterator()
    }
    np.testing.assert_allclose(segments[b"a_[x[0]"]["sentiment"], -1.5)
    assert segments[b"a_[x[0]"]["emotions"].tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("builder_class", "write_files"),
    [(VisualGenomeQA, write_visual_genome), (CmuMosei, write_mosei)],
    ids=lambda value: value.__name__,
)
def test_beam_prepares_the_same_examples(tmp_path, builder_class, write_files):
    pytest.importorskip("apache_beam")
    alone = prepare(builder_class, write_files, tmp_path)
    on_beam = prepare(builder_class, write_files, tmp_path, beam_runner="DirectRunner")
    assert list(on_beam.info.splits) == list(alone.info.splits)
    for split in alone.info.splits:
        assert plain_examples(on_beam, split) == plain_examples(alone, split)


def plain_examples(builder, split):
    """Returns the examples of a split as sorted strings."""
    examples = list(builder.as_dataset(split).as_numpy_iterator())
    return sorted(
        repr(tensorflow.nest.map_structure(lambda x: np.asarray(x).tolist(), each))
        for each in examples
    )


def test_flickr8k_is_batched_with_captions(tmp_path):
    builder = prepare(Flickr8k, write_flickr8k, tmp_path)
    dataset = tfds_caption_dataset(
        builder.as_dataset("train"), image_size=(8, 8), captions_per_image=6
    )
    (batch,) = dataset
    assert batch["images"].shape == (2, 8, 8, 3) and batch["images"].dtype == "uint8"
    assert dataset.element_spec["captions"].shape == (None, 6)
    captions = sorted(batch["captions"].numpy().tolist())
    assert captions == [[b"Photo 0 ."] * 5 + [b""], [b"Photo 1 ."] * 5 + [b""]]


def test_coco_captions_of_tfds_are_batched(tmp_path):
    with tfds.testing.mock_data(num_examples=3):
        examples = tfds.load("coco_captions", split="train", data_dir=tmp_path)
        texts = [example["captions"]["text"] for example in examples.as_numpy_iterator()]
        dataset = tfds_caption_dataset(
            examples, 2, (8, 8), captions_per_image=2, shuffle=False, augment=True, cache=True
        )
        batches = list(dataset.as_numpy_iterator())
    assert [batch["images"].shape for batch in batches] == [(2, 8, 8, 3), (1, 8, 8, 3)]
    captions = np.concatenate([batch["captions"] for batch in batches]).tolist()
    assert captions == [[*each, b"", b""][:2] for each in texts]
    with pytest.raises(ValueError, match="'image' and 'captions'"):
        tfds_caption_dataset(examples.map(lambda example: example["image"]))


def test_epochs_are_shuffled_differently_and_reproducibly():
    rows = tensorflow.data.Dataset.range(12).map(
        lambda i: {
            "image": tensorflow.zeros((4, 4, 3), "uint8"),
            "captions": tensorflow.strings.as_string([i]),
        }
    )

    def epochs(seed):
        dataset = tfds_caption_dataset(rows, 5, (4, 4), captions_per_image=1, seed=seed)
        return [[x[0] for b in dataset for x in b["captions"].numpy().tolist()] for _ in range(2)]

    first = epochs(3)
    assert sorted(first[0]) == sorted(first[1]) and first[0] != first[1]
    assert epochs(3) == first != epochs(4)


def test_error_without_tensorflow_datasets_names_the_extra(tmp_path):
    code = (
        "import sys\nsys.modules['tensorflow_datasets'] = None\n"
        "import keras_mmfusion.datasets.tfds_builders as builders\n"
        "try:\n    builders.Flickr8k\nexcept ModuleNotFoundError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "keras-mmfusion[tfds]" in run.stdout
