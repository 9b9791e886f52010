"""The rules that combine one vector of each modality, against NumPy float64."""

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
    masked,
    only,
    sketch_matrices,
    tensor,
)

from keras_mmfusion.layers.fusion import (
    BlockFusion,
    ConcatFusion,
    FusionRule,
    LowRankFusion,
    MCBFusion,
    MFBFusion,
    MLBFusion,
    ProductOfExperts,
    SumFusion,
    TensorFusion,
)

each_rule = pytest.mark.parametrize("rule", RULES)
# Without weights there is nothing to fit.
NOTHING_LEARNED = ("mcb",)


@each_rule
@pytest.mark.parametrize("order", [1, -1])
def test_a_rule_equals_its_formula(rule, order):
    layer = make(rule, RULES[rule][0]().modalities[::order])
    found = to_numpy(layer(*only(layer.modalities, INPUTS, MASK)))
    expected = RULES[rule][1](layer, *masked(layer.modalities))
    if rule == "mcb":  # Its root makes 1e-4 of a Fourier transform's rounding where it is zero.
        found, expected = found * np.abs(found), expected * np.abs(expected)
    np.testing.assert_allclose(found, expected, atol=5e-5)


def test_two_gates_are_one():
    layer = make("gated", PAIR)
    assert len(layer.gates) == 1
    expected = RULES["gated"][1](layer, *masked(PAIR))
    np.testing.assert_allclose(to_numpy(layer(*only(PAIR, INPUTS, MASK))), expected, atol=5e-5)


@each_rule
def test_every_check_of_a_rule(rule, tmp_path):
    names = RULES[rule][0]().modalities
    inputs, mask = only(names, INPUTS, MASK)
    run_layer_checks(
        RULES[rule][0],
        {"inputs": inputs, "mask": mask},
        {("mask", name): ("inputs", name) for name in names},
        folder=tmp_path,
        learns=rule not in NOTHING_LEARNED,
    )


@each_rule
def test_no_mask_is_a_mask_of_ones(rule):
    layer = make(rule)
    inputs, _ = only(layer.modalities, INPUTS, MASK)
    ones = {name: np.ones(len(x), "bool") for name, x in inputs.items()}
    expected = to_numpy(layer(inputs, mask=ones))
    for mask in (None, {"text": ones["text"]}):
        np.testing.assert_allclose(to_numpy(layer(inputs, mask=mask)), expected, atol=1e-6)


@each_rule
def test_an_absent_modality_is_one_that_every_sample_is_without(rule):
    layer = make(rule)
    inputs, mask = only(layer.modalities, INPUTS, MASK)
    expected = to_numpy(layer(inputs, {**mask, "text": np.zeros(4, "bool")}))
    del inputs["text"], mask["text"]
    for absent in (inputs, {**inputs, "text": None}):
        np.testing.assert_allclose(to_numpy(layer(absent, mask)), expected, atol=1e-6)


@each_rule
def test_an_input_of_a_functional_model_may_be_none(rule):
    layer = make(rule)
    [given] = only(layer.modalities, INPUTS)
    inputs = {
        name: keras.Input((DIMS[name],), name=name, optional=True) for name in layer.modalities
    }
    model = keras.Model(inputs, layer(inputs))
    expected = to_numpy(layer({**given, "text": None}))
    np.testing.assert_allclose(to_numpy(model({**given, "text": None})), expected, atol=1e-6)


@each_rule
def test_samples_do_not_see_each_other(rule):
    layer = make(rule)
    inputs, mask = only(layer.modalities, INPUTS, MASK)
    order = [2, 0, 3, 1]
    expected = to_numpy(layer(inputs, mask))[order]
    inputs, mask = ({k: v[order] for k, v in each.items()} for each in (inputs, mask))
    np.testing.assert_allclose(to_numpy(layer(inputs, mask)), expected, atol=1e-6)


def test_the_order_is_the_layers_not_the_dicts():
    layer = ConcatFusion(NAMES)
    expected = np.concatenate([INPUTS[name] for name in NAMES], axis=1)
    reordered = {name: INPUTS[name] for name in NAMES[::-1]}
    np.testing.assert_array_equal(to_numpy(layer(reordered)), expected)


@pytest.mark.parametrize("per_sample", [False, True])
def test_weights_sum_to_one_over_what_is_present(per_sample):
    layer = make("weighted_sum_per_sample" if per_sample else "weighted_sum")
    _, weights = layer(INPUTS, MASK, return_weights=True)
    weights = to_numpy(weights)
    present = np.stack([MASK[name] for name in NAMES], axis=1)
    assert (weights[~present] == 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), present.any(axis=1), atol=1e-6)
    assert np.ptp(weights[:1]) > 1e-3


def test_every_check_of_returned_weights(tmp_path):
    run_layer_checks(
        RULES["weighted_sum_per_sample"][0],
        {"inputs": INPUTS, "mask": MASK, "return_weights": True},
        {("mask", name): ("inputs", name) for name in NAMES},
        folder=tmp_path,
    )


def test_without_output_dim_the_products_themselves():
    layer = TensorFusion(PAIR)
    found = to_numpy(layer({name: INPUTS[name] for name in PAIR}))
    expected = tensor(layer, [INPUTS[name] for name in PAIR], None)
    np.testing.assert_allclose(found, expected, atol=1e-6)
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
def test_bad_arguments(make_layer, message):
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
def test_bad_inputs(inputs, mask, message):
    with pytest.raises(ValueError, match=message):
        make("sum").call(inputs, mask)


def test_tokens_are_to_be_pooled_first():
    with pytest.raises(ValueError, match=r"'text' needs vectors of shape \(batch, dim\)"):
        SumFusion(NAMES, 4)({**INPUTS, "text": np.ones((4, 2, 3), "float32")})


def test_every_modality_is_needed_to_build():
    with pytest.raises(ValueError, match="'audio' needs vectors"):
        SumFusion(NAMES, 4)({"image": INPUTS["image"], "text": INPUTS["text"]})


def test_a_rule_of_ones_own():
    class Largest(FusionRule):
        def combine(self, values, present):
            return keras.ops.max(keras.ops.stack(values), axis=0)

    layer = Largest(("a", "b"))
    found = layer({"a": np.array([[1.0, 4.0]]), "b": np.array([[3.0, 2.0]])})
    np.testing.assert_array_equal(to_numpy(found), [[3, 4]])


def test_less_is_known_without_an_expert():
    layer = make("product_of_experts")
    variances = []
    for count in (3, 2, 1):
        inputs, mask = only(NAMES[:count], INPUTS, MASK)
        variances.append(to_numpy(layer(inputs, return_variance=True)[1]))
    assert (variances[0] < variances[1]).all() and (variances[1] < variances[2]).all()
    assert (variances[2] < 1).all()


def test_every_check_of_a_variance(tmp_path):
    run_layer_checks(
        lambda **kw: ProductOfExperts(NAMES, 6, **kw),
        {"inputs": INPUTS, "mask": MASK, "return_variance": True},
        {("mask", name): ("inputs", name) for name in NAMES},
        folder=tmp_path,
    )


def test_sketches_keep_inner_products_of_outer_products():
    rng = np.random.default_rng(2)
    x, y = ({name: rng.normal(size=(1, 8)) for name in PAIR} for _ in range(2))
    layers = [MCBFusion(PAIR, 64, seed=seed) for seed in range(200)]

    def sketch(layer, inputs):
        layer.build({name: (None, 8) for name in PAIR})
        first, second = (inputs[n] @ s for n, s in zip(PAIR, sketch_matrices(layer), strict=True))
        return np.fft.irfft(np.fft.rfft(first) * np.fft.rfft(second), 64)

    estimates = [(sketch(layer, x) * sketch(layer, y)).sum() for layer in layers]
    expected = np.prod([(x[name] * y[name]).sum() for name in PAIR])
    assert abs(np.mean(estimates) - expected) < 4 * np.std(estimates) / np.sqrt(len(layers))


def test_dropout_acts_in_training_only():
    layer = MFBFusion(PAIR, 6, dropout=0.5)
    [inputs] = only(PAIR, INPUTS)
    one, other = (to_numpy(layer(inputs, training=False)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.abs(to_numpy(layer(inputs, training=True)) - one).max() > 1e-3
