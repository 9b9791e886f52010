"""A run's folder: with which data and settings it goes on, and with which it does not."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.datasets import CaptionPairs
from keras_mmfusion.models.captioning.training.captioner_recipe import CaptionerRecipe
from keras_mmfusion.models.captioning.training.captioner_run import CaptionerRun
from keras_mmfusion.models.captioning.training.feature_cache import (
    FEATURES_FILE,
    write_feature_cache,
)
from keras_mmfusion.models.runs.run_record import RECORD, read_record, write_record

RECIPE = CaptionerRecipe(epochs=2)


def encoder(units=2):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Dense(units)])


@pytest.fixture
def pairs(tmp_path):
    paths = [str(tmp_path / f"{color}.png") for color in ("red", "blue")]
    for path in paths:
        Image.new("RGB", (8, 8), path.split("/")[-1][:-4]).save(path)
    return CaptionPairs(paths, [["red", "a red square"], ["blue"]])


@pytest.fixture
def begun(pairs, tmp_path):
    """A folder with a run whose first stage has begun."""
    work = tmp_path / "work"
    CaptionerRun(RECIPE, encoder(), pairs, pairs.take(1), work).record()
    (work / "cross_entropy").mkdir()
    return work


def changed_run(pairs, work, dev=None, image_encoder=None, **settings):
    recipe = dataclasses.replace(RECIPE, **settings)
    return CaptionerRun(recipe, image_encoder or encoder(), pairs, dev or pairs.take(1), work)


def test_the_same_run_goes_on(pairs, begun):
    changed_run(pairs, begun).check()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.001}, "learning_rate: 0.0008 -> 0.001"),
        ({"seed": 3}, "seed: 0 -> 3"),
        ({"views": 5}, "views: 3 -> 5"),
        ({"dim": 12}, "dim: 384 -> 12"),
        ({"dtype": "mixed_bfloat16"}, "dtype: float32 -> mixed_bfloat16"),
        ({"epochs": 3}, "epochs: 2 -> 3"),  # The learning rate decays over all epochs.
        ({"fine_tune_blocks": 2}, "fine_tune_blocks: 4 -> 2"),
    ],
)
def test_other_settings_are_told(pairs, begun, settings, message):
    with pytest.raises(ValueError) as error:
        changed_run(pairs, begun, **settings).check()
    assert message in str(error.value)
    assert "--restart" in str(error.value) and "--work" in str(error.value)


def test_every_setting_counts(pairs, begun):
    facts = read_record(begun)["facts"]
    assert {field.name for field in dataclasses.fields(CaptionerRecipe)} < facts.keys()


def test_other_captions_images_and_encoders_are_told(pairs, begun):
    other = CaptionPairs(pairs.images, [["red", "the red square"], ["blue"]])
    with pytest.raises(ValueError, match=r"captions of train: 3 \(sha256 \w+\) -> 3 \(sha256 \w+"):
        changed_run(other, begun, dev=pairs.take(1)).check()
    with pytest.raises(ValueError, match=r"images of dev: 1 \(sha256 \w+\) -> 2 "):
        changed_run(pairs, begun, dev=pairs).check()
    twice = encoder()
    twice.set_weights([2 * weight for weight in twice.get_weights()])
    with pytest.raises(ValueError, match=r"encoder: sha256 \w+ -> sha256"):
        changed_run(pairs, begun, image_encoder=twice).check()
    Image.new("RGB", (8, 8), "pink").save(pairs.images[0])
    with pytest.raises(ValueError, match="images of train: .*; images of dev: "):
        changed_run(pairs, begun).check()


def test_another_version_of_the_code_is_told(pairs, begun):
    record = read_record(begun)
    write_record(begun, {**record["facts"], "keras_mmfusion": "0.0.1"})
    with pytest.raises(ValueError, match="keras_mmfusion: 0.0.1 -> "):
        changed_run(pairs, begun).check()


def test_a_stage_that_has_not_begun_may_change(pairs, begun):
    later = {"fine_tune_epochs": 2, "self_critical_epochs": 3, "samples": 4}
    changed_run(pairs, begun, **later).check()
    (begun / "self_critical").mkdir()  # It began without a second stage.
    with pytest.raises(ValueError, match="fine_tune_epochs: 0 -> 2; .*samples: 5 -> 4"):
        changed_run(pairs, begun, **later).check()


def test_nothing_begun_leaves_all_free(pairs, begun):
    (begun / "cross_entropy").rmdir()
    changed_run(pairs, begun, seed=5).check()


def test_a_run_of_an_older_version_is_told(pairs, begun):
    (begun / RECORD).unlink()
    with pytest.raises(ValueError, match="a training run of an older version.*--restart"):
        changed_run(pairs, begun).check()


def test_restarting_discards_the_stages_alone(pairs, begun):
    (begun / "features").mkdir()
    (begun / "mine.txt").write_text("notes")
    run = changed_run(pairs, begun, seed=5)
    run.discard()
    run.check()
    assert sorted(path.name for path in begun.iterdir()) == ["features", "mine.txt"]


def test_a_finished_run_knows_its_preset(pairs, begun, tmp_path):
    out = tmp_path / "preset"
    out.mkdir()
    (out / "task.json").write_text("{}")
    run = changed_run(pairs, begun)
    assert not run.has_written(out)
    run.record(out)
    assert changed_run(pairs, begun).has_written(out)
    assert not changed_run(pairs, begun, fine_tune_epochs=1).has_written(out)
    assert not run.has_written(tmp_path / "another")
    (out / "task.json").write_text("{ }")
    assert not run.has_written(out)


def test_feature_maps_of_something_else_are_not_taken(pairs, tmp_path):
    def write(pairs=pairs, model=None, **settings):
        return write_feature_cache(model or encoder(), pairs, tmp_path / "maps", (8, 8), **settings)

    path = write() / FEATURES_FILE
    written = path.stat().st_mtime_ns
    write(seed=4)  # Without augmented views, nothing is drawn.
    assert path.stat().st_mtime_ns == written
    for change, message in (
        ({"views": 2}, "views: 1 -> 2"),
        ({"pairs": CaptionPairs(pairs.images, [["x"], ["y"]])}, "captions: 3"),
        ({"model": encoder(units=3)}, "encoder: sha256"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            write(**change)
        assert "--features" in str(error.value)
    before = np.load(path)
    Image.new("RGB", (8, 8), "pink").save(pairs.images[0])
    with pytest.raises(ValueError, match="holds feature maps made from something else: images"):
        write()
    (tmp_path / "maps" / RECORD).unlink()
    with pytest.raises(ValueError, match="feature maps of an older version"):
        write()
    path.unlink()  # An interrupted write: the maps come last.
    assert (np.load(write() / FEATURES_FILE) != before).any()
