"""Peer of `explain.py captum`: the same explanations with Captum.

It explains a plain PyTorch model with the weights of the Keras model, or, with `--keras`, the Keras
model itself on PyTorch.
"""

import functools
import itertools
import os
import sys

import captum
import numpy as np
import torch
from captum.attr import (
    FeatureAblation,
    IntegratedGradients,
    LayerGradCam,
    NoiseTunnel,
    Saliency,
    ShapleyValueSampling,
)
from explain_sizes import (
    BATCH_SIZE,
    CELLS,
    CHANNELS,
    CLASSES,
    DIM,
    NOISE,
    PERMUTATIONS,
    RECORD_SIZE,
    SHAPLEY_CELLS,
    STEPS,
    TARGET,
    make_baselines,
    make_inputs,
)
from peer_process import measure_times, serve
from torch import nn


class Classifier(nn.Module):
    """The model of `explain_keras.py` in plain PyTorch, for images with the channels last."""

    def __init__(self):
        super().__init__()
        sizes = (3, *CHANNELS)
        layers = [
            (nn.Conv2d(one, other, 3, stride=2), nn.ReLU())
            for one, other in itertools.pairwise(sizes)
        ]
        self.convolutions = nn.Sequential(*itertools.chain(*layers))
        self.fusion = nn.Linear(2 * DIM, DIM)
        self.image = nn.Linear(sizes[-1], DIM)
        self.image_norm = nn.LayerNorm(DIM)
        self.record = nn.Linear(RECORD_SIZE, DIM)
        self.record_norm = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, image, record):
        tokens = self.convolutions(image.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        image = self.image_norm(self.image(tokens)).mean(dim=1)
        record = self.record_norm(self.record(record))
        return self.head(self.fusion(torch.cat([image, record], dim=1)))


class KerasClassifier(nn.Module):
    """The Keras model as a function of two tensors."""

    def __init__(self, path):
        super().__init__()
        import explain_keras

        self.model = explain_keras.load_model(path)

    def forward(self, image, record):
        return self.model({"image": image, "record": record}, training=False)


@functools.cache
def load_model(path):
    if "--keras" in sys.argv:
        return KerasClassifier(path)
    model = Classifier().eval()
    with np.load(path) as weights:
        arrays = list(weights.values())
    for parameter, array in zip(model.parameters(), arrays, strict=True):
        axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
        parameter.data = torch.from_numpy(array.transpose(axes).copy())
    return model


def make_batch(arrays):
    return tuple(torch.from_numpy(x)[None] for x in arrays.values())


def make_cells(image, record, rows):
    """Returns the masks of the parts: the cells of a grid of the image, and the whole record."""
    index = torch.arange(image.shape[1]) // (image.shape[1] // rows)
    cells = (index[:, None] * rows + index)[None, :, :, None]
    return cells.expand(image.shape), torch.full_like(record, rows**2, dtype=torch.long)


def read_cells(values, rows):
    """Returns the value of each part from values that are the same in all of its numbers."""
    size = values[0].shape[1] // rows
    return [*values[0][0, ::size, ::size, 0].flatten().tolist(), float(values[1][0, 0])]


def explain(method, path):
    model = load_model(path)
    inputs, baselines = make_batch(make_inputs()), make_batch(make_baselines())
    if method == "integrated_gradients":
        values, _ = IntegratedGradients(model).attribute(
            inputs,
            baselines,
            target=TARGET,
            n_steps=STEPS,
            method="gausslegendre",
            internal_batch_size=BATCH_SIZE,
            return_convergence_delta=True,
        )
        return values[0].sum(dim=-1).flatten().tolist()
    if method == "smooth_grad":
        values = NoiseTunnel(Saliency(model)).attribute(
            inputs,
            nt_samples=STEPS,
            stdevs=tuple(NOISE * float(x.max() - x.min()) for x in inputs),
            target=TARGET,
            abs=False,
        )
        return values[0].norm(dim=-1).flatten().tolist()
    if method == "grad_cam":
        values = LayerGradCam(model, model.convolutions[-1]).attribute(
            inputs, target=TARGET, relu_attributions=True
        )
        return values.flatten().tolist()
    rows = CELLS if method == "occlusion" else SHAPLEY_CELLS
    arguments = {
        "baselines": baselines,
        "target": TARGET,
        "feature_mask": make_cells(*inputs, rows),
        "perturbations_per_eval": BATCH_SIZE,
    }
    if method == "occlusion":
        return read_cells(FeatureAblation(model).attribute(inputs, **arguments), rows)
    torch.manual_seed(0)
    sampling = ShapleyValueSampling(model)
    return read_cells(sampling.attribute(inputs, n_samples=PERMUTATIONS, **arguments), rows)


def run(method, path):
    """Explains an output; returns the seconds and a flat list of values."""
    values = []
    times = measure_times(lambda: values.append(explain(method, path)))
    return {**times, "values": values[-1]}


if __name__ == "__main__":
    torch.set_num_threads(os.cpu_count())
    serve({"torch": torch.__version__, "captum": captum.__version__}, {"explain": run})
