"""Records of training runs: which changes of data and settings are detected."""

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
def started(pairs, tmp_path):
    """The folder of a run whose first stage has started."""
    work = tmp_path / "work"
    CaptionerRun(RECIPE, encoder(), pairs, pairs.take(1), work).record()
    (work / "cross_entropy").mkdir()
    return work


def changed_run(pairs, work, dev=None, image_encoder=None, **settings):
    recipe = dataclasses.replace(RECIPE, **settings)
    return CaptionerRun(recipe, image_encoder or encoder(), pairs, dev or pairs.take(1), work)


def test_unchanged_run_passes_the_check(pairs, started):
    changed_run(pairs, started).check()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.001}, "learning_rate: 0.0008 -> 0.001"),
        ({"seed": 3}, "seed: 0 -> 3"),
        ({"views": 5}, "views: 3 -> 5"),
        ({"dim": 12}, "dim: 384 -> 12"),
        ({"dtype": "mixed_bfloat16"}, "dtype: float32 -> mixed_bfloat16"),
        ({"epochs": 3}, "epochs: 2 -> 3"),  # The learning rate schedule depends on the epochs.
        ({"fine_tune_blocks": 2}, "fine_tune_blocks: 4 -> 2"),
    ],
)
def test_changed_settings_raise_errors(pairs, started, settings, message):
    with pytest.raises(ValueError) as error:
        changed_run(pairs, started, **settings).check()
    assert message in str(error.value)
    assert "--restart" in str(error.value) and "--work" in str(error.value)


def test_record_contains_all_settings(pairs, started):
    metadata = read_record(started)["metadata"]
    assert {field.name for field in dataclasses.fields(CaptionerRecipe)} < metadata.keys()


def test_changed_data_and_encoders_raise_errors(pairs, started):
    other = CaptionPairs(pairs.images, [["red", "the red square"], ["blue"]])
    with pytest.raises(ValueError, match=r"captions of train: 3 \(sha256 \w+\) -> 3 \(sha256 \w+"):
        changed_run(other, started, dev=pairs.take(1)).check()
    with pytest.raises(ValueError, match=r"images of dev: 1 \(sha256 \w+\) -> 2 "):
        changed_run(pairs, started, dev=pairs).check()
    twice = encoder()
    twice.set_weights([2 * weight for weight in twice.get_weights()])
    with pytest.raises(ValueError, match=r"encoder: sha256 \w+ -> sha256"):
        changed_run(pairs, started, image_encoder=twice).check()
    Image.new("RGB", (8, 8), "pink").save(pairs.images[0])
    with pytest.raises(ValueError, match="images of train: .*; images of dev: "):
        changed_run(pairs, started).check()


def test_changed_code_version_raises_an_error(pairs, started):
    record = read_record(started)
    write_record(started, {**record["metadata"], "keras_mmfusion": "0.0.1"})
    with pytest.raises(ValueError, match="keras_mmfusion: 0.0.1 -> "):
        changed_run(pairs, started).check()


def test_settings_of_later_stages_may_change(pairs, started):
    later = {"fine_tune_epochs": 2, "self_critical_epochs": 3, "samples": 4}
    changed_run(pairs, started, **later).check()
    (started / "self_critical").mkdir()  # Started without a second stage.
    with pytest.raises(ValueError, match="fine_tune_epochs: 0 -> 2; .*samples: 5 -> 4"):
        changed_run(pairs, started, **later).check()


def test_all_settings_may_change_before_the_first_stage(pairs, started):
    (started / "cross_entropy").rmdir()
    changed_run(pairs, started, seed=5).check()


def test_run_without_record_raises_an_error(pairs, started):
    (started / RECORD).unlink()
    with pytest.raises(ValueError, match="training run without a fingerprint.json.*--restart"):
        changed_run(pairs, started).check()


def test_discard_removes_only_stages_and_record(pairs, started):
    (started / "features").mkdir()
    (started / "mine.txt").write_text("notes")
    run = changed_run(pairs, started, seed=5)
    run.discard()
    run.check()
    assert sorted(path.name for path in started.iterdir()) == ["features", "mine.txt"]


def test_has_written_checks_the_preset(pairs, started, tmp_path):
    out = tmp_path / "preset"
    out.mkdir()
    (out / "task.json").write_text("{}")
    run = changed_run(pairs, started)
    assert not run.has_written(out)
    run.record(out)
    assert changed_run(pairs, started).has_written(out)
    assert not changed_run(pairs, started, fine_tune_epochs=1).has_written(out)
    assert not run.has_written(tmp_path / "another")
    (out / "task.json").write_text("{ }")
    assert not run.has_written(out)


def test_feature_maps_of_other_inputs_raise_errors(pairs, tmp_path):
    def write(pairs=pairs, model=None, **settings):
        return write_feature_cache(model or encoder(), pairs, tmp_path / "maps", (8, 8), **settings)

    path = write() / FEATURES_FILE
    written = path.stat().st_mtime_ns
    write(seed=4)  # Without augmented views, the seed has no effect.
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
    with pytest.raises(ValueError, match="contains feature maps of other inputs: images"):
        write()
    (tmp_path / "maps" / RECORD).unlink()
    with pytest.raises(ValueError, match="feature maps without a fingerprint.json"):
        write()
    path.unlink()  # As after an interruption: the maps are written last.
    assert (np.load(write() / FEATURES_FILE) != before).any()
