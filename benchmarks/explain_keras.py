"""This library's side of `benchmarks/explain.py captum`."""

import functools

import keras
import numpy as np
from explain_sizes import (
    BATCH_SIZE,
    CELLS,
    CHANNELS,
    CLASSES,
    DIM,
    IMAGE_SIZE,
    METHODS,
    NOISE,
    PERMUTATIONS,
    SETTINGS,
    SHAPLEY_CELLS,
    STEPS,
    TARGET,
    make_baselines,
    make_inputs,
)
from peer_process import measure_times, serve

from keras_mmfusion import FusionBlock
from keras_mmfusion._provenance import describe_versions
from keras_mmfusion.explain import (
    GradCAM,
    IntegratedGradients,
    Occlusion,
    ShapleyValues,
    SmoothGrad,
    explain,
)
from keras_mmfusion.models import FusionModel

PIXEL_METHODS = ("integrated_gradients", "smooth_grad")


def make_model():
    x = inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    for channels in CHANNELS:
        x = keras.layers.Conv2D(channels, 3, strides=2, activation="relu")(x)
    encoder = keras.Model(inputs, keras.layers.Reshape((-1, CHANNELS[-1]))(x))
    model = FusionModel(
        {"image": encoder},
        FusionBlock(("image", "record"), combine="concat", dim=DIM),
        keras.layers.Dense(CLASSES),
    )
    model({name: x[None] for name, x in make_inputs().items()})  # Builds the model.
    return model


@functools.cache
def load_model(path):
    model = make_model()
    with np.load(path) as weights:
        model.set_weights(list(weights.values()))
    return model


def write_weights(path):
    keras.utils.set_random_seed(0)
    np.savez(path, *make_model().get_weights())


def make_method(name):
    return {
        "integrated_gradients": lambda: IntegratedGradients(STEPS),
        "smooth_grad": lambda: SmoothGrad(STEPS, NOISE),
        "grad_cam": GradCAM,
        "occlusion": lambda: Occlusion(grid=(CELLS, CELLS)),
        # Pairs of a permutation and its reverse.
        "shapley": lambda: ShapleyValues(PERMUTATIONS // 2, grid=(SHAPLEY_CELLS,) * 2),
    }[name]()


def run(method, path):
    """Explains an output; returns the seconds, and the values of the image and of other parts."""
    model, explanations = load_model(path), []
    arguments = {
        "target": TARGET,
        "method": make_method(method),
        "level": "pixel" if method in PIXEL_METHODS else "token",
        "baselines": make_baselines(),
        "batch_size": BATCH_SIZE,
    }

    def call():
        explanations.append(explain(model, make_inputs(), **arguments))

    times = measure_times(call)
    values = [np.ravel(x) for x in explanations[-1].values.values()]
    return {**times, "values": np.concatenate(values).tolist()}


if __name__ == "__main__":
    serve(
        describe_versions(),
        {
            "write_weights": write_weights,
            "list_methods": lambda: list(METHODS),
            "describe_settings": lambda: SETTINGS,
            "explain": run,
        },
    )
