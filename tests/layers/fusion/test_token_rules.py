"""The combination rules for tokens, compared with NumPy float64 references."""

import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy
from token_references import (
    DIMS,
    INPUTS,
    MASK,
    NAMES,
    RULES,
    TOKENS,
    make_reference_inputs,
    pool,
    randomize,
)

from keras_mmfusion.layers.fusion import (
    BottleneckFusion,
    DeepSetFusion,
    GatedCrossAttention,
    MulTFusion,
    PerceiverResampler,
    QFormer,
)

each_rule = pytest.mark.parametrize("rule", RULES)
# Softmax is invariant to a bias that all keys share.
WITHOUT_GRADIENT = ("key/bias",)
FIXED_SIZE = ("perceiver_resampler", "q_former", "deep_set")


def shapes(names=NAMES, dims=DIMS):
    return {name: (None, None, dims[name]) for name in names}


def make(rule, names=NAMES, **settings):
    layer = RULES[rule][0](names, **settings)
    layer.build(shapes(names))
    return randomize(layer)


def fuse(layer, inputs=INPUTS, mask=MASK):
    """Returns the fused tokens and their mask as arrays."""
    tokens, mask = (to_numpy(x) for x in layer(inputs, mask=mask, return_mask=True))
    return tokens, mask > 0


@each_rule
@pytest.mark.parametrize("order", [1, -1])
def test_rule_matches_numpy_reference(rule, order):
    layer = make(rule, NAMES[::order])
    tokens, mask = fuse(layer)
    expected, expected_mask = RULES[rule][1](layer, *make_reference_inputs(layer.modalities))
    np.testing.assert_array_equal(mask, expected_mask)
    expected = np.where(expected_mask[..., None], expected, 0)
    np.testing.assert_allclose(tokens, expected, atol=1e-4)
    assert np.abs(expected).max() > 0.5


@each_rule
def test_rules_pass_the_layer_checks(rule, tmp_path):
    # XLA compiles these slowly for three modalities.
    names = NAMES[:2] if rule in ("mult", "bottleneck") else NAMES

    def make_layer(**settings):
        layer = RULES[rule][0](names, num_layers=1, **settings)
        if rule == "gated_cross_attention":  # Gates at zero block the gradient.
            layer.build(shapes())
            for weight in layer.trainable_weights:
                if weight.name.endswith("gate"):
                    weight.assign(0.5)
        return layer

    inputs, mask = ({name: values[name] for name in names} for values in (INPUTS, MASK))
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
    output, output_mask = fuse(layer, mask=None)
    assert tokens.shape[2] == output.shape[2] and mask.dtype == "bool"
    assert tokens.shape[1] in (None, output.shape[1]) and mask.shape[1] == tokens.shape[1]
    assert layer.compute_output_shape({n: x.shape for n, x in INPUTS.items()}) == output.shape
    assert output_mask.shape == output.shape[:2] and output_mask.all()


@each_rule
def test_no_mask_equals_a_mask_of_ones(rule):
    layer = make(rule, num_layers=1)
    ones = {name: np.ones(x.shape[:2], "bool") for name, x in INPUTS.items()}
    expected, expected_mask = fuse(layer, mask=ones)
    for mask in (None, {"text": ones["text"]}):
        tokens, tokens_mask = fuse(layer, mask=mask)
        np.testing.assert_allclose(tokens, expected, atol=1e-5)
        np.testing.assert_array_equal(tokens_mask, expected_mask)


@each_rule
@pytest.mark.parametrize("missing", ["image", "audio"])
def test_missing_modality_may_be_omitted_none_or_masked(rule, missing):
    layer = make(rule, num_layers=1)
    missing_mask = np.zeros((4, TOKENS[missing]), "bool")
    expected = pool(*fuse(layer, mask={**MASK, missing: missing_mask}))
    others = {name: x for name, x in INPUTS.items() if name != missing}
    others_mask = {name: x for name, x in MASK.items() if name != missing}
    nan = np.full_like(INPUTS[missing], np.nan)
    for inputs, mask in (
        (others, others_mask),
        ({**others, missing: None}, others_mask),
        ({**others, missing: nan}, {**others_mask, missing: np.zeros(4, "bool")}),
    ):
        np.testing.assert_allclose(pool(*fuse(layer, inputs, mask)), expected, atol=1e-5)


@each_rule
def test_optional_input_of_a_functional_model(rule):
    layer = make(rule, num_layers=1)
    inputs = {name: keras.Input((None, DIMS[name]), name=name, optional=True) for name in NAMES}
    model = keras.Model(inputs, layer(inputs))
    batch = {**INPUTS, "text": None}
    np.testing.assert_allclose(to_numpy(model(batch)), to_numpy(layer(batch)), atol=1e-6)


@each_rule
def test_samples_are_independent(rule):
    layer = make(rule)
    order = [2, 0, 3, 1]
    expected = fuse(layer)[0][order]
    inputs, mask = ({k: v[order] for k, v in values.items()} for values in (INPUTS, MASK))
    np.testing.assert_allclose(fuse(layer, inputs, mask)[0], expected, atol=1e-5)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "mult"])
def test_rules_are_invariant_to_token_order(rule):
    """Reversed tokens give the same mean, and the same tokens if their number is fixed."""
    layer = make(rule)
    expected, expected_mask = fuse(layer)
    inputs, mask = ({k: v[:, ::-1] for k, v in values.items()} for values in (INPUTS, MASK))
    output, output_mask = fuse(layer, inputs, mask)
    if rule in FIXED_SIZE:
        np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(pool(output, output_mask), pool(expected, expected_mask), atol=1e-5)


def test_mult_depends_on_token_order():
    layer = make("mult")
    reverse = {name: x[:, ::-1] for name, x in INPUTS.items()}
    output, reverse_output = (pool(*fuse(layer, inputs, None)) for inputs in (INPUTS, reverse))
    assert np.abs(output - reverse_output).max() > 0.01


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "gated_cross_attention"])
def test_rules_are_invariant_to_modality_order(rule):
    # MulT concatenates the features attended from the other modalities: only one has no order.
    names = NAMES[:2] if rule == "mult" else NAMES
    layer, reverse = make(rule, names), make(rule, names[::-1])
    weights = {weight.path.split("/", 1)[1]: weight for weight in layer.weights}
    for weight in reverse.weights:
        weight.assign(weights[weight.path.split("/", 1)[1]])
    batch = [{name: values[name] for name in names} for values in (INPUTS, MASK)]
    np.testing.assert_allclose(pool(*fuse(reverse, *batch)), pool(*fuse(layer, *batch)), atol=1e-5)


@each_rule
def test_additional_padding_does_not_affect_the_output(rule):
    layer = make(rule)
    expected = pool(*fuse(layer))
    inputs = {
        name: np.concatenate([x, np.full((4, 2, DIMS[name]), np.nan, "float32")], axis=1)
        for name, x in INPUTS.items()
    }
    mask = {name: np.pad(values, ((0, 0), (0, 2))) for name, values in MASK.items()}
    np.testing.assert_allclose(pool(*fuse(layer, inputs, mask)), expected, atol=1e-5)


def test_gates_at_zero_return_the_first_modality():
    layer = GatedCrossAttention(NAMES, output_dim=DIMS["image"], num_heads=1)
    np.testing.assert_array_equal(to_numpy(layer(INPUTS)), INPUTS["image"])
    assert layer.projection is None
    for weight in layer.trainable_weights:
        if weight.name.endswith("gate"):
            weight.assign(0.1)
    assert np.abs(to_numpy(layer(INPUTS)) - INPUTS["image"]).max() > 1e-3


@pytest.mark.parametrize(("num_layers", "exchanged"), [(1, False), (2, True)])
def test_modalities_exchange_only_through_bottlenecks(num_layers, exchanged):
    """The bottlenecks of a layer reach the other modalities in the next layer."""
    layer = make("bottleneck", num_layers=num_layers)
    changed = {**INPUTS, "audio": INPUTS["audio"] + 1}
    image = slice(TOKENS["image"])
    output, changed_output = (
        fuse(layer, inputs, None)[0][:, image] for inputs in (INPUTS, changed)
    )
    assert (np.abs(output - changed_output).max() > 1e-3) == exchanged


def test_deep_set_average_is_invariant_to_repeated_tokens():
    repeated = {name: np.concatenate([x, x], axis=1) for name, x in INPUTS.items()}
    for average in (False, True):
        layer = make("deep_set", average=average)
        once, twice = (fuse(layer, inputs, None)[0] for inputs in (INPUTS, repeated))
        assert np.allclose(once, twice, atol=1e-5) == average


def test_deep_set_of_many_tokens_is_finite_in_half_precision():
    layer = DeepSetFusion(("points",), 8, average=True, dtype="mixed_float16")
    output = layer({"points": np.full((1, 40_000, 3), 30.0, "float32")})
    assert np.isfinite(to_numpy(output)).all()


def test_dropout_is_active_only_in_training():
    layer = make("q_former", dropout=0.5)
    first, second = (to_numpy(layer(INPUTS, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(to_numpy(layer(INPUTS, training=True)) - first).max() > 1e-3


def test_mask_of_samples_applies_to_all_of_their_tokens():
    layer = make("perceiver_resampler")
    mask = np.array([True, False, True, False])
    token_mask = np.repeat(mask[:, None], TOKENS["text"], axis=1)
    expected, _ = fuse(layer, mask={"text": token_mask})
    np.testing.assert_array_equal(fuse(layer, mask={"text": mask})[0], expected)


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
def test_invalid_arguments_raise(make_layer, message):
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
def test_invalid_inputs_raise(inputs, mask, message):
    with pytest.raises(ValueError, match=message):
        make("q_former").call(inputs, mask)
