import csv

import h5py
import keras
import numpy as np
import pytest
from small_captioners import SIZE, small_captioner, small_encoder, write_images

from keras_mmfusion.datasets import CaptionPairs
from keras_mmfusion.losses import SelfCriticalLoss
from keras_mmfusion.models import Captioner
from keras_mmfusion.models.captioning.training.captioner_training import (
    BEST,
    CHECKPOINT,
    CaptionerTraining,
)
from keras_mmfusion.models.captioning.training.feature_cache import (
    FeatureSequence,
    write_feature_cache,
)
from keras_mmfusion.models.captioning.training.score_cached_features import score_features
from keras_mmfusion.models.captioning.training.self_critical import SelfCriticalSequence

# XLA compilation would dominate the test time.
FAST = {"jit_compile": False}
EPOCHS = 3


class Killed(Exception):
    """Simulates the end of a process."""


def upper_encoder():
    """Creates an encoder of the output of `small_encoder`, like the upper part of a split."""
    features = keras.Input((2, 2, 8))
    return keras.Model(features, keras.layers.Conv2D(8, 1, name="head")(features))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    keras.utils.set_random_seed(0)
    pairs = CaptionPairs(*write_images(folder))
    return write_feature_cache(small_encoder(), pairs, folder / "features", SIZE, views=2)


def make_training(cache, folder, evaluate=None, average=None, **settings):
    model = small_captioner(image_encoder=upper_encoder(), dropout=0.3)
    model.image_encoder.trainable = False
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 20)
    averaging = {} if average is None else {"use_ema": True, "ema_momentum": average}
    model.compile(keras.optimizers.AdamW(schedule, clipnorm=1.0, **averaging), **FAST)
    sequence = FeatureSequence(cache, model.preprocessor, batch_size=4)
    evaluate = evaluate or (lambda: {"cider": score(model)})
    return CaptionerTraining(model, sequence, folder, evaluate, **settings)


def score(model):
    """Computes a number that depends on the weights."""
    return float(np.abs(np.array(model.text_decoder.get_weights()[0])).mean())


def read_log(folder):
    with (folder / "log.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k == "cider"} for row in csv.DictReader(file)]


def assert_equal_weights(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.fixture(scope="module")
def uninterrupted(cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    training = make_training(cache, folder)
    assert training.run(EPOCHS)
    return training


@pytest.mark.parametrize("batches", [2, 3, 5])
def test_resumed_run_equals_uninterrupted_run(uninterrupted, cache, tmp_path, batches):
    training = make_training(cache, tmp_path, checkpoint_seconds=0)
    get_batch, count = training.sequence.__getitem__, 0

    class KilledSequence(FeatureSequence):
        def __getitem__(self, index):
            nonlocal count
            count += 1
            if count > batches:
                raise Killed
            return get_batch(index)

    training.sequence.__class__ = KilledSequence
    with pytest.raises(Killed):
        training.run(EPOCHS)
    resumed = make_training(cache, tmp_path)
    assert resumed.run(EPOCHS)
    assert_equal_weights(resumed.model, uninterrupted.model)
    assert read_log(tmp_path) == read_log(uninterrupted.folder)


def test_interrupted_evaluation_is_repeated(uninterrupted, cache, tmp_path):
    def killed():
        raise Killed

    training = make_training(cache, tmp_path, evaluate=killed, checkpoint_seconds=0)
    with pytest.raises(Killed):
        training.run(EPOCHS)
    resumed = make_training(cache, tmp_path)
    assert resumed.run(EPOCHS)
    assert_equal_weights(resumed.model, uninterrupted.model)
    assert read_log(tmp_path) == read_log(uninterrupted.folder)


def test_runs_with_time_limit_equal_uninterrupted_run(uninterrupted, cache, tmp_path):
    slices = 1
    training = make_training(cache, tmp_path)
    while not training.run(EPOCHS, stop_after=0):
        slices += 1
    assert slices > EPOCHS
    assert_equal_weights(training.model, uninterrupted.model)
    assert read_log(tmp_path) == read_log(uninterrupted.folder)


def test_finished_run_is_unchanged(uninterrupted):
    log = read_log(uninterrupted.folder)
    assert uninterrupted.run(EPOCHS)
    assert read_log(uninterrupted.folder) == log


def test_best_epoch_is_saved(cache, tmp_path):
    scores = iter([0.2, 0.9, 0.5])
    training = make_training(
        cache, tmp_path, evaluate=lambda: {"cider": next(scores)}, checkpoint_seconds=1e9
    )
    at_epoch = []
    save = training._save
    training._save = lambda: (save(), at_epoch.append(training.model.get_weights()))
    assert training.run(EPOCHS)
    best = Captioner.from_preset(tmp_path / BEST)
    for one, other in zip(best.get_weights(), at_epoch[1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    with h5py.File(tmp_path / BEST / "task.weights.h5") as file:
        sizes = {}

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                sizes[name] = item.size

        file.visititems(visit)
    assert not [name for name in sizes if "optimizer" in name]
    encoder_size = training.model.image_encoder.count_params()
    assert sum(sizes.values()) == training.model.count_params() - encoder_size


def test_moving_average_is_evaluated_and_saved_but_not_trained(uninterrupted, cache, tmp_path):
    momentum, at_step, seen = 0.7, [], []

    def evaluate():
        seen.append(training.model.get_weights())
        return {"cider": len(seen)}

    training = make_training(cache, tmp_path, evaluate, average=momentum)
    train_on_batch = training.model.train_on_batch

    def train_and_record(*batch, **kwargs):
        logs = train_on_batch(*batch, **kwargs)
        at_step.append(training.model.get_weights())
        return logs

    training.model.train_on_batch = train_and_record
    assert training.run(EPOCHS)
    assert_equal_weights(training.model, uninterrupted.model)

    average = at_step[0]
    for weights in at_step[1:]:
        pairs = zip(average, weights, strict=True)
        average = [momentum * mean + (1 - momentum) * weight for mean, weight in pairs]
    best = Captioner.from_preset(tmp_path / BEST).get_weights()
    for found in (seen[-1], best):
        for one, other in zip(found, average, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_moving_average_is_restored_on_resume(cache, tmp_path):
    def run(folder, **settings):
        training = make_training(cache, folder, average=0.7)
        while not training.run(EPOCHS, **settings):
            training = make_training(cache, folder, average=0.7)
        return Captioner.from_preset(folder / BEST)

    assert_equal_weights(run(tmp_path / "sliced", stop_after=0), run(tmp_path / "whole"))


def test_tensorboard_events(cache, tmp_path):
    Event = pytest.importorskip("tensorboardX.proto.event_pb2").Event
    tensorflow = pytest.importorskip("tensorflow")

    assert make_training(cache, tmp_path, tensorboard=True).run(2)
    found = {}
    for path in sorted(tmp_path.glob("events.out.tfevents.*")):
        for record in tensorflow.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = Event.FromString(record)
            found.update({(v.tag, event.step): v.simple_value for v in event.summary.value})
    expected = [float(row["cider"]) for row in read_log(tmp_path)]
    assert [found["cider", 1], found["cider", 2]] == pytest.approx(expected, abs=1e-6)
    assert {"loss", "accuracy", "seconds"} <= {tag for tag, _ in found}


def test_checkpoints_are_replaced_atomically(cache, tmp_path, monkeypatch):
    training = make_training(cache, tmp_path)
    assert training.run(1)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def broken(path):
        path.write_bytes(before[:100])
        raise Killed

    monkeypatch.setattr(training.model, "save_weights", broken)
    with pytest.raises(Killed):
        training._save()
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_feature_sequence_covers_all_images_and_views(cache):
    model = small_captioner(image_encoder=upper_encoder())
    sequence = FeatureSequence(cache, model.preprocessor, batch_size=5)
    assert len(sequence) == 3
    assert sequence.features.shape == (2, 12, 2, 2, 8)
    seen = np.concatenate([sequence.image_indices(index) for index in range(3)])
    assert sorted(seen) == list(range(12))
    x, y, sample_weight = sequence[2]
    assert x["images"].shape == (2, 2, 2, 8)
    assert x["captions"].shape == y.shape == sample_weight.shape == (2, 5, 8)
    before = sequence.image_indices(0)
    sequence.on_epoch_end()
    assert (sequence.image_indices(0) != before).any()


def test_score_features_on_a_cache(cache):
    model = small_captioner(image_encoder=upper_encoder())
    scores = score_features(model, cache, metrics=("bleu", "cider"))
    assert scores.keys() >= {"bleu_1", "bleu_4", "cider"}
    assert all(0 <= value <= 10 for value in scores.values())


def self_critical(cache, optimizer):
    model = small_captioner(image_encoder=upper_encoder())
    model.image_encoder.trainable = False
    special = model.preprocessor.get_special_tokens()
    model.compile(
        optimizer, SelfCriticalLoss(special.suppressed_token_ids), weighted_metrics=[], **FAST
    )
    sequence = FeatureSequence(cache, model.preprocessor, batch_size=12)
    return model, SelfCriticalSequence(sequence, model, special, samples=5)


def log_probs(model, x, ids):
    logits = np.array(keras.ops.convert_to_numpy(keras.ops.cast(model(x), "float32")), "float64")
    logits[..., list(model.preprocessor.get_special_tokens().suppressed_token_ids)] = -1e9
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return np.take_along_axis(logits, ids[..., None], axis=-1)[..., 0]


def test_self_critical_step_raises_rewarded_log_probability(cache):
    model, sequence = self_critical(cache, keras.optimizers.SGD(0.01))
    x, ids, weights = sequence[0]
    assert ids.shape == weights.shape == (12, 5, 8)
    np.testing.assert_allclose(weights.sum(axis=1)[:, 0], 0, atol=1e-6)
    before = (weights * log_probs(model, x, ids)).sum()
    logs = model.train_on_batch(x, ids, weights, return_dict=True)
    assert logs["loss"] == pytest.approx(-before, abs=1e-4)
    assert (weights * log_probs(model, x, ids)).sum() > before


def test_self_critical_training_raises_the_reward(cache):
    model, sequence = self_critical(cache, keras.optimizers.Adam(0.02))
    rewards = []
    for _ in range(40):
        model.train_on_batch(*sequence[0])
        rewards.append(sequence.mean_reward)
        sequence.on_epoch_end()
    assert np.mean(rewards[-5:]) > 1.5 * np.mean(rewards[:5])
