"""Training on two devices matches training on one; the devices are two CPUs."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

TESTS = Path(__file__).resolve().parents[2]

COMMON = """
import keras
import numpy as np
from models.retrieval.small_embedders import preprocess_pairs, small_embedder
from keras_mmfusion import losses

def weights_after_training(make):
    model = make()
    model.compile(keras.optimizers.SGD(0.01), jit_compile=keras.config.backend() == "jax")
    data = preprocess_pairs()
    order = np.random.default_rng(0).permutation(6)
    data = keras.tree.map_structure(lambda leaf: leaf[order], data)
    data["image"] = data["image"] + np.random.default_rng(1).normal(size=data["image"].shape)
    history = model.fit(data, batch_size=6, epochs=3, shuffle=False, verbose=0).history
    return [keras.ops.convert_to_numpy(w) for w in model.trainable_weights], history

def compare(found, expected):
    for weights in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(*weights, rtol=1e-4, atol=2e-5)
    assert found[1].keys() == expected[1].keys()
    for name, values in expected[1].items():
        np.testing.assert_allclose(found[1][name], values, rtol=1e-4, err_msg=name)

def make(name):
    return lambda: small_embedder(getattr(losses, name)(), preprocessor=False)

NAMES = ["InfoNCELoss", "VICRegLoss"]
"""

TENSORFLOW = (
    COMMON
    + """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
for name in NAMES:
    expected = weights_after_training(make(name))
    with strategy.scope():
        found = weights_after_training(make(name))
    compare(found, expected)
print("the same")
"""
)

JAX = (
    COMMON
    + """
devices = keras.distribution.list_devices("cpu")
assert len(devices) == 2
for name in NAMES:
    keras.distribution.set_distribution(None)
    expected = weights_after_training(make(name))
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    found = weights_after_training(make(name))
    compare(found, expected)
print("the same")
"""
)


@pytest.mark.parametrize(("backend", "code"), [("tensorflow", TENSORFLOW), ("jax", JAX)])
def test_training_on_two_devices_matches_one_device(backend, code):
    pytest.importorskip(backend)
    if backend != keras.config.backend():
        pytest.skip(f"runs where the backend is {backend}")
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0 and "the same" in run.stdout, run.stderr[-3000:]
