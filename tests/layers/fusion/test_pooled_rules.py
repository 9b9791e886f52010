"""The combination rules for vectors, compared with NumPy float64 references."""

import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy
from rule_references import (
    DIMS,
    INPUTS,
    MASK,
    NAMES,
    PAIR,
    RULES,
    make,
    make_reference_inputs,
    select,
    sketch_matrices,
    tensor,
)

from keras_mmfusion.layers.fusion import (
    BlockFusion,
    ConcatFusion,
    LowRankFusion,
    MCBFusion,
    MFBFusion,
    MLBFusion,
    ProductOfExperts,
    SumFusion,
    TensorFusion,
)

each_rule = pytest.mark.parametrize("rule", RULES)
WITHOUT_WEIGHTS = ("mcb",)


@each_rule
@pytest.mark.parametrize("order", [1, -1])
def test_rule_matches_numpy_reference(rule, order):
    layer = make(rule, RULES[rule][0]().modalities[::order])
    output = to_numpy(layer(*select(layer.modalities, INPUTS, MASK)))
    expected = RULES[rule][1](layer, *make_reference_inputs(layer.modalities))
    if rule == "mcb":  # Near zero, its root increases rounding errors of the Fourier transform.
        output, expected = output * np.abs(output), expected * np.abs(expected)
    np.testing.assert_allclose(output, expected, atol=5e-5)


def test_gated_fusion_of_two_modalities_has_one_gate():
    layer = make("gated", PAIR)
    assert len(layer.gates) == 1
    expected = RULES["gated"][1](layer, *make_reference_inputs(PAIR))
    np.testing.assert_allclose(to_numpy(layer(*select(PAIR, INPUTS, MASK))), expected, atol=5e-5)


@each_rule
def test_rules_pass_the_layer_checks(rule, tmp_path):
    names = RULES[rule][0]().modalities
    inputs, mask = select(names, INPUTS, MASK)
    run_layer_checks(
        RULES[rule][0],
        {"inputs": inputs, "mask": mask},
        {("mask", name): ("inputs", name) for name in names},
        folder=tmp_path,
        learns=rule not in WITHOUT_WEIGHTS,
    )


@each_rule
def test_no_mask_equals_a_mask_of_ones(rule):
    layer = make(rule)
    inputs, _ = select(layer.modalities, INPUTS, MASK)
    ones = {name: np.ones(len(x), "bool") for name, x in inputs.items()}
    expected = to_numpy(layer(inputs, mask=ones))
    for mask in (None, {"text": ones["text"]}):
        np.testing.assert_allclose(to_numpy(layer(inputs, mask=mask)), expected, atol=1e-6)


@each_rule
def test_modality_missing_from_the_batch_equals_a_mask_of_zeros(rule):
    layer = make(rule)
    inputs, mask = select(layer.modalities, INPUTS, MASK)
    expected = to_numpy(layer(inputs, {**mask, "text": np.zeros(4, "bool")}))
    del inputs["text"], mask["text"]
    for incomplete in (inputs, {**inputs, "text": None}):
        np.testing.assert_allclose(to_numpy(layer(incomplete, mask)), expected, atol=1e-6)


@each_rule
def test_optional_input_of_a_functional_model(rule):
    layer = make(rule)
    [batch] = select(layer.modalities, INPUTS)
    batch["text"] = None
    inputs = {
        name: keras.Input((DIMS[name],), name=name, optional=True) for name in layer.modalities
    }
    model = keras.Model(inputs, layer(inputs))
    np.testing.assert_allclose(to_numpy(model(batch)), to_numpy(layer(batch)), atol=1e-6)


@each_rule
def test_samples_are_independent(rule):
    layer = make(rule)
    inputs, mask = select(layer.modalities, INPUTS, MASK)
    order = [2, 0, 3, 1]
    expected = to_numpy(layer(inputs, mask))[order]
    inputs, mask = ({name: x[order] for name, x in values.items()} for values in (inputs, mask))
    np.testing.assert_allclose(to_numpy(layer(inputs, mask)), expected, atol=1e-6)


def test_order_is_that_of_the_layer_not_of_the_dict():
    layer = ConcatFusion(NAMES)
    expected = np.concatenate([INPUTS[name] for name in NAMES], axis=1)
    reordered = {name: INPUTS[name] for name in NAMES[::-1]}
    np.testing.assert_array_equal(to_numpy(layer(reordered)), expected)


@pytest.mark.parametrize("per_sample", [False, True])
def test_weights_sum_to_one_without_missing_modalities(per_sample):
    layer = make("weighted_sum_per_sample" if per_sample else "weighted_sum")
    _, weights = layer(INPUTS, MASK, return_weights=True)
    weights = to_numpy(weights)
    mask = np.stack([MASK[name] for name in NAMES], axis=1)
    assert (weights[~mask] == 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), mask.any(axis=1), atol=1e-6)
    assert np.ptp(weights[:1]) > 1e-3


def test_returned_weights_pass_the_layer_checks(tmp_path):
    run_layer_checks(
        RULES["weighted_sum_per_sample"][0],
        {"inputs": INPUTS, "mask": MASK, "return_weights": True},
        {("mask", name): ("inputs", name) for name in NAMES},
        folder=tmp_path,
    )


def test_tensor_fusion_without_output_dim_returns_the_products():
    layer = TensorFusion(PAIR)
    [inputs] = select(PAIR, INPUTS)
    np.testing.assert_allclose(to_numpy(layer(inputs)), tensor(layer, inputs, None), atol=1e-6)
    assert layer.compute_output_shape({"image": (2, 5), "text": (2, 3)}) == (2, 24)


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: SumFusion((), 4), "`modalities` must be a sequence of different names"),
        (lambda: SumFusion("image", 4), "`modalities` must be a sequence of different names"),
        (lambda: SumFusion(("a", "a"), 4), "`modalities` must be a sequence of different names"),
        (lambda: SumFusion(NAMES, 0), "SumFusion: `output_dim` must be a positive integer"),
        (lambda: LowRankFusion(NAMES, 4, rank=0), "`rank` must be a positive integer"),
        (lambda: MLBFusion(NAMES, 4), "MLBFusion: `modalities` must be two"),
        (lambda: MLBFusion(PAIR, 4, rank=1.5), "MLBFusion: `rank` must be a positive integer"),
        (lambda: MFBFusion(PAIR, 4, dropout=1), r"`dropout` must be in \[0, 1\)"),
        (lambda: BlockFusion(PAIR, 4, hidden_dim=10, chunks=3), "`chunks` must divide"),
    ],
)
def test_invalid_arguments_raise(make_layer, message):
    with pytest.raises(ValueError, match=message):
        make_layer()


@pytest.mark.parametrize(
    ("inputs", "mask", "message"),
    [
        ({**INPUTS, "smell": INPUTS["text"]}, None, "`inputs` has 'smell', which is not one of"),
        (INPUTS, {"smell": MASK["text"]}, "`mask` has 'smell', which is not one of"),
        ({}, None, "at least one modality of 'image', 'text', 'audio'; all of them are missing"),
        (INPUTS["text"], None, "`inputs` must be a dict, modality -> tensor"),
    ],
)
def test_invalid_inputs_raise(inputs, mask, message):
    with pytest.raises(ValueError, match=message):
        make("sum").call(inputs, mask)


def test_tokens_raise():
    with pytest.raises(ValueError, match=r"'text' needs vectors of shape \(batch, dim\)"):
        SumFusion(NAMES, 4)({**INPUTS, "text": np.ones((4, 2, 3), "float32")})


def test_build_without_all_modalities_raises():
    with pytest.raises(ValueError, match="'audio' needs vectors"):
        SumFusion(NAMES, 4)({"image": INPUTS["image"], "text": INPUTS["text"]})


def test_missing_expert_increases_the_variance():
    layer = make("product_of_experts")
    variances = []
    for count in (3, 2, 1):
        [inputs] = select(NAMES[:count], INPUTS)
        variances.append(to_numpy(layer(inputs, return_variance=True)[1]))
    assert (variances[0] < variances[1]).all() and (variances[1] < variances[2]).all()
    assert (variances[2] < 1).all()


def test_returned_variance_passes_the_layer_checks(tmp_path):
    run_layer_checks(
        lambda **kw: ProductOfExperts(NAMES, 6, **kw),
        {"inputs": INPUTS, "mask": MASK, "return_variance": True},
        {("mask", name): ("inputs", name) for name in NAMES},
        folder=tmp_path,
    )


def test_sketches_estimate_inner_products_of_outer_products():
    rng = np.random.default_rng(2)
    x, y = ({name: rng.normal(size=(1, 8)) for name in PAIR} for _ in range(2))
    layers = [MCBFusion(PAIR, 64, seed=seed) for seed in range(200)]

    def sketch(layer, inputs):
        layer.build({name: (None, 8) for name in PAIR})
        matrices = sketch_matrices(layer)
        first, second = (np.fft.rfft(inputs[name] @ matrices[name]) for name in PAIR)
        return np.fft.irfft(first * second, 64)

    estimates = [(sketch(layer, x) * sketch(layer, y)).sum() for layer in layers]
    expected = np.prod([(x[name] * y[name]).sum() for name in PAIR])
    assert abs(np.mean(estimates) - expected) < 4 * np.std(estimates) / np.sqrt(len(layers))


def test_dropout_is_active_only_in_training():
    layer = MFBFusion(PAIR, 6, dropout=0.5)
    [inputs] = select(PAIR, INPUTS)
    first, second = (to_numpy(layer(inputs, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(to_numpy(layer(inputs, training=True)) - first).max() > 1e-3
