"""Gradient methods against Captum, with the same weights in a PyTorch model."""

import numpy as np
import pytest
from keras import ops

torch = pytest.importorskip("torch")
pytest.importorskip("captum")
from captum.attr import IntegratedGradients, LayerGradCam, NoiseTunnel, Saliency  # noqa: E402

from keras_mmfusion.explain.formulas.activation_formulas import compute_grad_cam  # noqa: E402
from keras_mmfusion.explain.formulas.gradient_average import smooth_gradients  # noqa: E402
from keras_mmfusion.explain.formulas.gradient_integral import integrate_gradients  # noqa: E402
from keras_mmfusion.explain.internals.watched_gradients import (  # noqa: E402
    compile_gradients,
    compute_gradients,
)

pytestmark = pytest.mark.peers


class TorchTwin(torch.nn.Module):
    """The model of the fixture `models`, channels first."""

    def __init__(self, kernel, words, output):
        super().__init__()
        as_tensor = torch.nn.Parameter
        self.convolution = torch.nn.Conv2d(3, 4, 3, stride=2)
        self.convolution.weight = as_tensor(torch.tensor(kernel.transpose(3, 2, 0, 1)))
        torch.nn.init.zeros_(self.convolution.bias)
        self.words = as_tensor(torch.tensor(words))
        self.output = as_tensor(torch.tensor(output))

    def forward(self, image, tokens):
        features = torch.tanh(self.convolution(image)).mean(dim=(2, 3))
        text = torch.tanh(tokens @ self.words).sum(dim=1)
        return (features * text) @ self.output


@pytest.fixture(scope="module")
def models():
    """A Keras function of a dict of an image and word vectors, its parts, and its twin."""
    rng = np.random.default_rng(0)
    kernel, words, output = (
        rng.normal(size=shape).astype("float32") for shape in ((3, 3, 3, 4), (5, 4), (4, 2))
    )

    def convolve(image):
        return ops.conv(image, kernel, strides=2, data_format="channels_last")

    def compute_logits(convolved, tokens):
        text = ops.sum(ops.tanh(ops.matmul(tokens, words)), axis=1)
        return ops.matmul(ops.mean(ops.tanh(convolved), axis=(1, 2)) * text, output)

    twin = TorchTwin(kernel, words, output).eval()
    inputs = {
        "image": rng.normal(size=(9, 9, 3)).astype("float32"),
        "tokens": rng.normal(size=(3, 5)).astype("float32"),
    }
    return convolve, compute_logits, twin, inputs


def make_torch_inputs(inputs):
    image, tokens = (torch.tensor(x)[None] for x in inputs.values())
    return image.permute(0, 3, 1, 2).contiguous(), tokens


def make_compute(models, target):
    convolve, compute_logits, _, _ = models

    def score(inputs):
        return compute_logits(convolve(inputs["image"]), inputs["tokens"])[:, target]

    return lambda inputs: compute_gradients(score, inputs)


def test_integrated_gradients_equal_captum(models):
    *_, twin, inputs = models
    baselines = {name: np.full_like(x, 0.1) for name, x in inputs.items()}
    path = integrate_gradients(make_compute(models, 1), inputs, baselines, 6, batch_size=4)
    expected, delta = IntegratedGradients(twin).attribute(
        make_torch_inputs(inputs),
        make_torch_inputs(baselines),
        target=1,
        n_steps=6,
        method="gausslegendre",
        return_convergence_delta=True,
    )
    image = expected[0][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(path.values["image"], image, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(path.values["tokens"], expected[1][0], rtol=1e-4, atol=1e-5)
    assert path.completeness_error == pytest.approx(float(delta), abs=1e-5)


def test_smooth_gradients_equal_captum(models, monkeypatch):
    *_, twin, inputs = models
    values = smooth_gradients(make_compute(models, 0), inputs, samples=5, noise=0.1, seed=2)
    noise = [
        np.random.default_rng([2, i]).standard_normal((5, *x.shape), "float32")
        for i, x in enumerate(inputs.values())
    ]
    noise[0] = noise[0].transpose(0, 3, 1, 2)
    remaining = iter(noise)
    monkeypatch.setattr(torch, "normal", lambda _, scale: torch.tensor(next(remaining)) * scale)
    expected = NoiseTunnel(Saliency(twin)).attribute(
        make_torch_inputs(inputs),
        nt_samples=5,
        stdevs=tuple(0.1 * float(np.ptp(x)) for x in inputs.values()),
        target=0,
        abs=False,
    )
    image = expected[0][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(values["image"], image, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(values["tokens"], expected[1][0], rtol=1e-4, atol=1e-5)


def test_grad_cam_equals_captum(models):
    convolve, compute_logits, twin, inputs = models

    def score(watch, image, tokens):
        return compute_logits(watch(convolve(image)), tokens)[:, 1]

    arrays = [x[None] for x in inputs.values()]
    _, [features], [gradients] = compile_gradients(score)(*arrays)
    features, gradients = (
        ops.convert_to_numpy(x).reshape(-1, x.shape[-1]) for x in (features, gradients)
    )
    expected = LayerGradCam(twin, twin.convolution).attribute(
        make_torch_inputs(inputs), target=1, relu_attributions=True
    )
    result = compute_grad_cam(features, gradients).reshape(4, 4)
    np.testing.assert_allclose(result, expected[0, 0].detach(), rtol=1e-4, atol=1e-5)
    assert result.max() > 0
