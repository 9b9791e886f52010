"""The rules that combine tokens, against NumPy float64."""

import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy
from token_references import DIMS, INPUTS, MASK, NAMES, RULES, TOKENS, masked, pool, randomized

from keras_mmfusion.layers.fusion import (
    BottleneckFusion,
    DeepSetFusion,
    GatedCrossAttention,
    MulTFusion,
    PerceiverResampler,
    QFormer,
    TokenFusionRule,
)
from keras_mmfusion.layers.masks import joined_mask

each_rule = pytest.mark.parametrize("rule", RULES)
# A softmax does not change with a bias that all keys share.
WITHOUT_GRADIENT = ("key/bias",)
FIXED_SIZE = ("perceiver_resampler", "q_former", "deep_set")


def shapes(names=NAMES, dims=DIMS):
    return {name: (None, None, dims[name]) for name in names}


def make(rule, names=NAMES, **settings):
    layer = RULES[rule][0](names, **settings)
    layer.build(shapes(names))
    return randomized(layer)


def fuse(layer, inputs=INPUTS, mask=MASK):
    """Tokens and their mask as arrays."""
    tokens, mask = (to_numpy(x) for x in layer(inputs, mask=mask, return_mask=True))
    return tokens, mask > 0


@each_rule
@pytest.mark.parametrize("order", [1, -1])
def test_a_rule_equals_its_formula(rule, order):
    layer = make(rule, NAMES[::order])
    tokens, mask = fuse(layer)
    expected, expected_mask = RULES[rule][1](layer, *masked(layer.modalities))
    np.testing.assert_array_equal(mask, expected_mask)
    expected = np.where(expected_mask[..., None], expected, 0)
    np.testing.assert_allclose(tokens, expected, atol=1e-4)
    assert np.abs(expected).max() > 0.5


@each_rule
def test_every_check_of_a_rule(rule, tmp_path):
    # XLA takes its time with what grows with the pairs of modalities.
    names = NAMES[:2] if rule in ("mult", "bottleneck") else NAMES

    def make_layer(**settings):
        layer = RULES[rule][0](names, num_layers=1, **settings)
        if rule == "gated_cross_attention":  # Closed gates let no gradient through.
            layer.build(shapes())
            for weight in layer.trainable_weights:
                if weight.name.endswith("gate"):
                    weight.assign(0.5)
        return layer

    inputs, mask = ({name: each[name] for name in names} for each in (INPUTS, MASK))
    run_layer_checks(
        make_layer,
        {"inputs": inputs, "mask": mask},
        {("mask", name): ("inputs", name) for name in names},
        without_gradient=WITHOUT_GRADIENT,
        folder=tmp_path,
    )


@each_rule
def test_symbolic_masks_and_shapes(rule):
    layer = make(rule)
    inputs = {name: keras.Input((None, dim), name=name) for name, dim in DIMS.items()}
    tokens, mask = layer(inputs, return_mask=True)
    found, found_mask = fuse(layer, mask=None)
    assert tokens.shape[2] == found.shape[2] and mask.dtype == "bool"
    assert tokens.shape[1] in (None, found.shape[1]) and mask.shape[1] == tokens.shape[1]
    assert layer.compute_output_shape({n: x.shape for n, x in INPUTS.items()}) == found.shape
    assert found_mask.shape == found.shape[:2] and found_mask.all()


@each_rule
def test_no_mask_is_a_mask_of_ones(rule):
    layer = make(rule, num_layers=1)
    ones = {name: np.ones(x.shape[:2], "bool") for name, x in INPUTS.items()}
    expected, expected_mask = fuse(layer, mask=ones)
    for mask in (None, {"text": ones["text"]}):
        tokens, tokens_mask = fuse(layer, mask=mask)
        np.testing.assert_allclose(tokens, expected, atol=1e-5)
        np.testing.assert_array_equal(tokens_mask, expected_mask)


@each_rule
@pytest.mark.parametrize("missing", ["image", "audio"])
def test_ways_to_be_without_a_modality(rule, missing):
    layer = make(rule, num_layers=1)
    nothing = np.zeros((4, TOKENS[missing]), "bool")
    expected = pool(*fuse(layer, mask={**MASK, missing: nothing}))
    rest = {name: x for name, x in INPUTS.items() if name != missing}
    rest_mask = {name: x for name, x in MASK.items() if name != missing}
    nan = np.full_like(INPUTS[missing], np.nan)
    for inputs, mask in (
        (rest, rest_mask),
        ({**rest, missing: None}, rest_mask),
        ({**rest, missing: nan}, {**rest_mask, missing: np.zeros(4, "bool")}),
    ):
        np.testing.assert_allclose(pool(*fuse(layer, inputs, mask)), expected, atol=1e-5)


@each_rule
def test_an_input_of_a_functional_model_may_be_none(rule):
    layer = make(rule, num_layers=1)
    inputs = {name: keras.Input((None, DIMS[name]), name=name, optional=True) for name in NAMES}
    model = keras.Model(inputs, layer(inputs))
    given = {**INPUTS, "text": None}
    np.testing.assert_allclose(to_numpy(model(given)), to_numpy(layer(given)), atol=1e-6)


@each_rule
def test_samples_do_not_see_each_other(rule):
    layer = make(rule)
    order = [2, 0, 3, 1]
    expected = fuse(layer)[0][order]
    inputs, mask = ({k: v[order] for k, v in each.items()} for each in (INPUTS, MASK))
    np.testing.assert_allclose(fuse(layer, inputs, mask)[0], expected, atol=1e-5)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "mult"])
def test_modalities_are_sets_of_tokens(rule):
    """Turned around, they give the same mean of tokens, and the same tokens of a fixed number."""
    layer = make(rule)
    expected, expected_mask = fuse(layer)
    inputs, mask = ({k: v[:, ::-1] for k, v in each.items()} for each in (INPUTS, MASK))
    found, found_mask = fuse(layer, inputs, mask)
    if rule in FIXED_SIZE:
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(pool(found, found_mask), pool(expected, expected_mask), atol=1e-5)


def test_mult_knows_the_order_of_tokens():
    layer = make("mult")
    turned = {name: x[:, ::-1] for name, x in INPUTS.items()}
    one, other = (pool(*fuse(layer, inputs, None)) for inputs in (INPUTS, turned))
    assert np.abs(one - other).max() > 0.01


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "gated_cross_attention"])
def test_the_order_of_modalities_does_not_matter(rule):
    # MulT lays what it read of several others side by side: only two have no order.
    names = NAMES[:2] if rule == "mult" else NAMES
    layer, turned = make(rule, names), make(rule, names[::-1])
    weights = {weight.path.split("/", 1)[1]: weight for weight in layer.weights}
    for weight in turned.weights:
        weight.assign(weights[weight.path.split("/", 1)[1]])
    given = [{name: each[name] for name in names} for each in (INPUTS, MASK)]
    np.testing.assert_allclose(pool(*fuse(turned, *given)), pool(*fuse(layer, *given)), atol=1e-5)


@each_rule
def test_more_padding_changes_nothing(rule):
    layer = make(rule)
    expected = pool(*fuse(layer))
    inputs = {
        name: np.concatenate([x, np.full((4, 2, DIMS[name]), np.nan, "float32")], axis=1)
        for name, x in INPUTS.items()
    }
    mask = {name: np.pad(here, ((0, 0), (0, 2))) for name, here in MASK.items()}
    np.testing.assert_allclose(pool(*fuse(layer, inputs, mask)), expected, atol=1e-5)


def test_closed_gates_leave_the_first_modality_as_it_is():
    layer = GatedCrossAttention(NAMES, output_dim=DIMS["image"], num_heads=1)
    np.testing.assert_array_equal(to_numpy(layer(INPUTS)), INPUTS["image"])
    assert layer.projection is None
    for weight in layer.trainable_weights:
        if weight.name.endswith("gate"):
            weight.assign(0.1)
    assert np.abs(to_numpy(layer(INPUTS)) - INPUTS["image"]).max() > 1e-3


@pytest.mark.parametrize(("num_layers", "exchanged"), [(1, False), (2, True)])
def test_bottlenecks_are_the_only_way_between_modalities(num_layers, exchanged):
    """What a layer's bottleneck hears of a modality, the others hear in the next one."""
    layer = make("bottleneck", num_layers=num_layers)
    other = {**INPUTS, "audio": INPUTS["audio"] + 1}
    image = slice(TOKENS["image"])
    one, changed = (fuse(layer, inputs, None)[0][:, image] for inputs in (INPUTS, other))
    assert (np.abs(one - changed).max() > 1e-3) == exchanged


def test_a_sum_knows_the_size_of_the_set_and_a_mean_does_not():
    twice = {name: np.concatenate([x, x], axis=1) for name, x in INPUTS.items()}
    for average in (False, True):
        layer = make("deep_set", average=average)
        one, other = (fuse(layer, inputs, None)[0] for inputs in (INPUTS, twice))
        assert np.allclose(one, other, atol=1e-5) == average


def test_many_tokens_do_not_overflow_in_half_precision():
    layer = DeepSetFusion(("points",), 8, average=True, dtype="mixed_float16")
    found = layer({"points": np.full((1, 40_000, 3), 30.0, "float32")})
    assert np.isfinite(to_numpy(found)).all()


def test_dropout_acts_in_training_only():
    layer = make("q_former", dropout=0.5)
    one, other = (to_numpy(layer(INPUTS, training=False)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.abs(to_numpy(layer(INPUTS, training=True)) - one).max() > 1e-3


def test_a_mask_of_samples_is_one_of_all_their_tokens():
    layer = make("perceiver_resampler")
    here = np.array([True, False, True, False])
    tokens_here = np.repeat(here[:, None], TOKENS["text"], axis=1)
    expected, _ = fuse(layer, mask={"text": tokens_here})
    np.testing.assert_array_equal(fuse(layer, mask={"text": here})[0], expected)


def test_a_rule_of_ones_own():
    class Joined(TokenFusionRule):
        def combine(self, values, present):
            return keras.ops.concatenate(values, 1), joined_mask(values, present)

    layer = Joined(("a", "b"), output_dim=2)
    inputs = {"a": np.ones((1, 2, 2)), "b": np.ones((1, 1, 2))}
    tokens, mask = fuse(layer, inputs, {"a": np.array([[True, False]])})
    np.testing.assert_array_equal(tokens, [[[1, 1], [0, 0], [1, 1]]])
    np.testing.assert_array_equal(mask, [[True, False, True]])


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: MulTFusion(("text",), 8), "MulTFusion: `modalities` must be two or more"),
        (lambda: GatedCrossAttention(("text",), 8), "`modalities` must be two or more"),
        (lambda: QFormer(NAMES, 6), "QFormer: `num_heads` must divide `output_dim`"),
        (lambda: QFormer(NAMES, 8, num_queries=0), "`num_queries` must be a positive integer"),
        (lambda: QFormer(NAMES, 8, dropout=1.0), r"QFormer: `dropout` must be in \[0, 1\)"),
        (lambda: PerceiverResampler(NAMES, 8, num_layers=0), "`num_layers` must be a positive"),
        (lambda: BottleneckFusion(NAMES, 8, num_bottlenecks=1.5), "`num_bottlenecks` must be a"),
        (lambda: DeepSetFusion(NAMES, None), "DeepSetFusion: `output_dim` must be a positive"),
    ],
)
def test_bad_arguments(make_layer, message):
    with pytest.raises(ValueError, match=message):
        make_layer()


@pytest.mark.parametrize(
    ("inputs", "mask", "message"),
    [
        ({**INPUTS, "smell": INPUTS["text"]}, None, "`inputs` has 'smell', which is not one of"),
        ({}, None, "all of them are missing"),
        (INPUTS, {"text": np.ones((4, 9), "bool")}, r"`mask` of 'text' must have the shape \(4, 3"),
        ({**INPUTS, "text": INPUTS["image"]}, None, r"with dim 3 as when the layer was built"),
        ({**INPUTS, "text": INPUTS["text"][:, 0]}, None, r"'text' of `inputs` must be tokens of"),
    ],
)
def test_bad_inputs(inputs, mask, message):
    with pytest.raises(ValueError, match=message):
        make("q_former").call(inputs, mask)
