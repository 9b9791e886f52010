"""Early, late and hybrid fusion against NumPy float64, with any rule and anything missing."""

import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy
from layers.fusion.token_references import (
    DIMS,
    INPUTS,
    MASK,
    NAMES,
    TOKENS,
    block,
    dense,
    gelu,
    layer_norm,
    masked,
    pool,
    randomized,
)

from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.layers.fusion import ConcatFusion, GatedFusion, WeightedSumFusion
from keras_mmfusion.layers.fusion.rule_names import RULE_NAMES

NUM_OUTPUTS = 3
STRATEGIES = {
    "early": {"strategy": "early"},
    "late": {"strategy": "late", "num_outputs": NUM_OUTPUTS},
    "hybrid": {"strategy": "hybrid"},
    "hybrid_decisions": {"strategy": "hybrid", "num_outputs": NUM_OUTPUTS},
}
SMALL = {"dim": 8, "num_heads": 2}
SHAPES = {name: (None, TOKENS[name], dim) for name, dim in DIMS.items()}
TOKEN_RULES = ("bottleneck", "deep_set", "gated_cross_attention", "mult", "perceiver_resampler")
TOKEN_RULES += ("q_former", "union")
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def make(strategy, names=NAMES, **settings):
    layer = FusionBlock(names, **{**SMALL, **STRATEGIES[strategy], **settings})
    layer.build({name: SHAPES[name] for name in names})
    return randomized(layer)


def reference(layer, values, present):
    """The output of a block whose rule is a weighted sum."""
    project = layer.projection
    parts = zip(project.norms, project.projections, values, strict=True)
    tokens = [layer_norm(norm, dense(projection, x)) for norm, projection, x in parts]
    if layer.placeholders:
        present = [here.copy() for here in present]
        for x, here, token in zip(tokens, present, project.placeholder_tokens, strict=True):
            missing = ~here.any(axis=1)
            x[missing, 0], here[missing, 0] = to_numpy(token)[0, 0], True
    for stage in layer.stages:
        tokens = exchange(stage, tokens, present)
    vectors = [pool(x, here) for x, here in zip(tokens, present, strict=True)]
    if layer.num_outputs is None:
        vectors = [dense(d, x) for d, x in zip(layer.rule.projections, vectors, strict=True)]
    else:
        heads = zip(layer.heads, layer.hidden_heads, vectors, strict=True)
        vectors = [dense(head, gelu(dense(hidden, x))) for head, hidden, x in heads]
    weights = np.exp(np.float64(to_numpy(layer.rule.score)))
    weights = weights * np.stack([here.any(axis=1) for here in present], axis=1)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return np.einsum("bm,mbd->bd", weights, np.stack(vectors)), weights


def exchange(stage, tokens, present):
    new = [block(b, x, here) for b, x, here in zip(stage.self_blocks, tokens, present, strict=True)]
    return [
        block(
            cross,
            new[m],
            context=np.concatenate(tokens[:m] + tokens[m + 1 :], axis=1),
            context_mask=np.concatenate(present[:m] + present[m + 1 :], axis=1),
        )
        for m, cross in enumerate(stage.cross_blocks)
    ]


@pytest.mark.parametrize("placeholders", [False, True])
@each_strategy
def test_a_block_equals_its_formula(strategy, placeholders):
    layer = make(strategy, placeholders=placeholders)
    expected, weights = reference(layer, *masked(NAMES))
    found, shares = layer(INPUTS, mask=MASK, return_shares=True)
    np.testing.assert_allclose(to_numpy(found), expected, atol=5e-5)
    if layer.strategy != "hybrid":
        np.testing.assert_allclose(to_numpy(shares), weights, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ({"strategy": "early"}, {}),
        ({**STRATEGIES["late"], "placeholders": True}, {"return_shares": True}),
        ({"strategy": "hybrid", "num_stages": 1, "placeholders": True}, {}),
        ({"combine": "deep_set", "output": "tokens"}, {"return_mask": True, "return_shares": True}),
    ],
)
def test_every_check_of_a_block(settings, flags, tmp_path):
    run_layer_checks(
        lambda **kw: FusionBlock(NAMES, **SMALL, **settings, **kw),
        {"inputs": INPUTS, "mask": MASK, **flags},
        {("mask", name): ("inputs", name) for name in NAMES},
        folder=tmp_path,
        # A softmax does not change with a bias that all keys share.
        without_gradient=("key/bias",),
    )


@pytest.mark.parametrize("rule", RULE_NAMES)
@pytest.mark.parametrize("strategy", ["early", "late"])
def test_every_rule_by_name(strategy, rule):
    if strategy == "late" and rule in TOKEN_RULES:
        pytest.skip("Decisions are vectors.")
    names = NAMES[:2]
    layer = FusionBlock(names, combine=rule, **SMALL, **STRATEGIES[strategy])
    inputs, mask = ({name: each[name] for name in names} for each in (INPUTS, MASK))
    fused, shares = layer(inputs, mask=mask, return_shares=True)
    size = NUM_OUTPUTS if strategy == "late" else 8
    assert tuple(fused.shape) == (4, size * (2 if rule == "mfh" else 1))
    assert np.isfinite(to_numpy(fused)).all()
    assert layer.compute_output_shape({n: x.shape for n, x in inputs.items()}) == fused.shape
    shares = to_numpy(shares)
    here = np.stack([mask[name].any(axis=1) for name in names], axis=1)
    assert (shares >= 0).all() and (shares[~here] == 0).all()
    # With neither a token that reads nor a sketch that differs, nothing moves the output.
    if rule not in ("gated_cross_attention", "mcb"):
        np.testing.assert_allclose(shares.sum(axis=1), here.any(axis=1), atol=1e-5)


@each_strategy
def test_a_vector_is_one_token(strategy):
    layer = make(strategy)
    vector = INPUTS["text"][:, :1]
    here = np.array([True, False, True, True])
    expected = layer({**INPUTS, "text": vector}, mask={"text": here[:, None]})
    found = layer({**INPUTS, "text": vector[:, 0]}, mask={"text": here})
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-6)


@pytest.mark.parametrize("combine", ["weighted_sum", "union"])
@each_strategy
def test_no_mask_is_a_mask_of_ones(strategy, combine):
    if combine == "union" and "num_outputs" in STRATEGIES[strategy]:
        pytest.skip("Decisions are vectors.")
    layer = make(strategy, combine=combine, placeholders=True)
    ones = {name: np.ones(x.shape[:2], "bool") for name, x in INPUTS.items()}
    expected = layer(INPUTS, mask=ones, return_shares=True)
    for mask in (None, {"text": ones["text"]}):
        for found, one in zip(layer(INPUTS, mask=mask, return_shares=True), expected, strict=True):
            np.testing.assert_allclose(to_numpy(found), to_numpy(one), atol=1e-5)


@pytest.mark.parametrize("placeholders", [False, True])
@each_strategy
def test_ways_to_be_without_a_modality(strategy, placeholders):
    layer = make(strategy, placeholders=placeholders)
    nothing = {"text": np.zeros((4, 3), "bool")}
    expected = to_numpy(layer(INPUTS, mask=nothing))
    assert np.abs(expected - to_numpy(layer(INPUTS))).max() > 1e-3
    rest = {name: INPUTS[name] for name in NAMES if name != "text"}
    nan = np.full_like(INPUTS["text"], np.nan)
    for inputs, mask in (
        (rest, None),
        ({**rest, "text": None}, None),
        ({**rest, "text": nan}, {"text": np.zeros(4, "bool")}),
        ({**rest, "text": INPUTS["text"][:, :0]}, None),
    ):
        np.testing.assert_allclose(to_numpy(layer(inputs, mask=mask)), expected, atol=1e-5)


@pytest.mark.parametrize("placeholders", [False, True])
@each_strategy
def test_optional_inputs_also_after_saving(strategy, placeholders, tmp_path):
    layer = make(strategy, placeholders=placeholders)
    inputs = {name: keras.Input(SHAPES[name][1:], name=name, optional=True) for name in NAMES}
    model = keras.Model(inputs, layer(inputs))
    without = {**INPUTS, "text": None}
    expected = to_numpy(layer(without))
    np.testing.assert_allclose(to_numpy(model(without)), expected, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(to_numpy(loaded(without)), expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(loaded(INPUTS)), to_numpy(layer(INPUTS)), atol=1e-5)


@pytest.mark.parametrize("strategy", ["early", "late"])
def test_fit_and_predict_without_a_modality(strategy):
    layer = make(strategy)
    inputs = {name: keras.Input(SHAPES[name][1:], name=name, optional=True) for name in NAMES}
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", "mse", jit_compile=False)
    without = {**INPUTS, "text": None}
    expected = to_numpy(layer(without))
    np.testing.assert_allclose(model.predict(without, verbose=0), expected, atol=1e-5)
    kernels = {name: p.kernel for name, p in zip(NAMES, layer.projection.projections, strict=True)}
    before = {name: to_numpy(kernel) for name, kernel in kernels.items()}
    model.fit(without, np.zeros_like(expected), verbose=0)
    for name, kernel in kernels.items():
        assert np.isfinite(to_numpy(kernel)).all()
        assert np.any(to_numpy(kernel) != before[name]) == (name != "text")


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="A SavedModel is TensorFlow's.")
def test_missing_modalities_after_export(tmp_path):
    import tensorflow as tf

    layer = make("hybrid_decisions", num_stages=1, placeholders=True)
    inputs = {name: keras.Input((None, DIMS[name]), name=name) for name in NAMES}
    masks = {name: keras.Input((None,), dtype="bool", name=f"{name}_mask") for name in NAMES}
    model = keras.Model([inputs, masks], layer(inputs, mask=masks))
    model.export(tmp_path, verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    expected = to_numpy(layer(INPUTS, mask=MASK))
    nan = {name: np.where(MASK[name][..., None], x, np.nan) for name, x in INPUTS.items()}
    for given in (INPUTS, nan):
        np.testing.assert_allclose(to_numpy(loaded.serve([given, MASK])), expected, atol=1e-5)


@each_strategy
def test_the_order_of_samples_tokens_and_modalities_does_not_matter(strategy):
    layer = make(strategy, combine="sum")
    expected = to_numpy(layer(INPUTS, mask=MASK))
    order = [2, 0, 3, 1]
    inputs, mask = ({k: v[order] for k, v in each.items()} for each in (INPUTS, MASK))
    np.testing.assert_allclose(to_numpy(layer(inputs, mask=mask)), expected[order], atol=1e-5)
    inputs, mask = ({k: v[:, ::-1] for k, v in each.items()} for each in (INPUTS, MASK))
    np.testing.assert_allclose(to_numpy(layer(inputs, mask=mask)), expected, atol=1e-5)
    turned = make(strategy, NAMES[::-1], combine="sum")
    weights = {w.path.split("/", 1)[1]: w for w in layer.weights}
    for weight in turned.weights:
        weight.assign(weights[weight.path.split("/", 1)[1]])
    np.testing.assert_allclose(to_numpy(turned(INPUTS, mask=MASK)), expected, atol=1e-5)


def test_a_rule_with_settings_of_its_own():
    rule = WeightedSumFusion(NAMES, 5, per_sample=True)
    layer = FusionBlock(NAMES, "early", rule, dim=8)
    fused, shares = layer(INPUTS, mask=MASK, return_shares=True)
    assert layer.rule is rule and tuple(fused.shape) == (4, 5)
    clone = FusionBlock.from_config(layer.get_config())
    assert clone.rule is not rule and clone.rule.per_sample
    np.testing.assert_allclose(to_numpy(shares)[3], 0)


@pytest.mark.parametrize("rule_class", [WeightedSumFusion, ConcatFusion])
def test_shares_are_in_the_order_of_the_block(rule_class):
    layer = FusionBlock(NAMES, "early", rule_class(NAMES[::-1], 8), **SMALL)
    alone = {name: np.full(4, name == "audio") for name in NAMES}
    _, shares = layer(INPUTS, mask=alone, return_shares=True)
    np.testing.assert_allclose(to_numpy(shares), [[0, 0, 1]] * 4, atol=1e-6)


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [("early", {"combine": "concat"}), ("early", {"combine": "mult"}), ("hybrid", {})],
)
def test_shares_without_weights_are_what_each_modality_moves(strategy, settings):
    layer = make(strategy, **settings)
    whole, shares = layer(INPUTS, mask=MASK, return_shares=True)
    moves = []
    for name in NAMES:
        without = layer(INPUTS, mask={**MASK, name: np.zeros_like(MASK[name])})
        moves.append(np.linalg.norm(to_numpy(whole) - to_numpy(without), axis=-1))
    moves = np.stack(moves, axis=1)
    expected = moves / np.maximum(moves.sum(axis=1, keepdims=True), 1e-9)
    np.testing.assert_allclose(to_numpy(shares), expected, atol=1e-4)
    assert (to_numpy(shares)[0] > 0.01).all()


@pytest.mark.parametrize("combine", ["sum", "bottleneck"])
def test_tokens_and_their_mask(combine):
    vector = make("early", combine=combine)(INPUTS, mask=MASK)
    layer = make("early", combine=combine, output="tokens")
    tokens, mask = (to_numpy(x) for x in layer(INPUTS, mask=MASK, return_mask=True))
    assert tokens.shape == (4, 1 if combine == "sum" else 16, 8)
    assert tokens.shape == layer.compute_output_shape({n: x.shape for n, x in INPUTS.items()})
    assert (tokens[mask == 0] == 0).all()
    np.testing.assert_allclose(pool(tokens, mask > 0), to_numpy(vector), atol=1e-5)


def test_decisions_are_those_of_each_modality_alone():
    layer = make("late")
    decisions = layer.decide(INPUTS, mask=MASK)
    for name in NAMES:
        alone = {other: np.zeros(4, "bool") for other in NAMES if other != name}
        expected = layer(INPUTS, mask={**alone, name: MASK[name]})
        here = MASK[name].any(axis=1)
        np.testing.assert_allclose(
            to_numpy(decisions[name])[here], to_numpy(expected)[here], atol=1e-5
        )


def test_dropout_acts_in_training_only():
    layer = make("hybrid", dropout=0.5)
    one, other = (to_numpy(layer(INPUTS, training=False)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.abs(to_numpy(layer(INPUTS, training=True)) - one).max() > 1e-3


@pytest.mark.parametrize("given", [{}, {"image": MASK["image"][:2]}])
def test_implicit_masks_are_taken(given):
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    inputs = {"text": keras.Input((3,), dtype="int32", name="text")}
    inputs["image"] = keras.Input((4, 5), name="image")
    masks = {name: keras.Input((4,), dtype="bool", name="image_mask") for name in given}
    embedding = keras.layers.Embedding(5, 3, mask_zero=True)
    layer = FusionBlock(("text", "image"), **SMALL)
    # Without any mask, Keras hands the implicit ones over.
    fused = layer({**inputs, "text": embedding(inputs["text"])}, mask=masks or None)
    model = keras.Model([inputs, masks], fused)
    image = INPUTS["image"][:2]
    text = to_numpy(embedding(ids))
    expected = layer({"text": text, "image": image}, mask={**given, "text": ids > 0})
    found = model([{"text": ids, "image": image}, given])
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "middle"}, "`strategy` must be one of 'early', 'late', 'hybrid'"),
        ({"output": "vector"}, "`output` must be one of 'pooled', 'tokens'"),
        ({"strategy": "late"}, "late fusion combines decisions; give their size as `num_outputs`"),
        ({"num_outputs": 3}, "early fusion makes no decision"),
        ({**STRATEGIES["late"], "output": "tokens"}, "leave `output='tokens'` out"),
        ({**STRATEGIES["late"], "combine": "mult"}, "MulTFusion, which fuses tokens, but"),
        ({"combine": "average"}, "There is no combination rule 'average'. Choose one of block,"),
        ({"combine": 3}, "`combine` must be the name of a rule or a `FusionRule`"),
        ({"combine": GatedFusion(NAMES[:2], 4)}, "Both must have the same modalities"),
        ({"combine": "mlb"}, "MLBFusion: `modalities` must be two"),
        ({"dim": 0}, "FusionBlock: `dim` must be a positive integer"),
        ({"dim": 6}, "FusionBlock: `num_heads` must divide `dim`"),
        ({"dropout": 1.0}, r"FusionBlock: `dropout` must be in \[0, 1\)"),
        ({"modalities": "text"}, "`modalities` must be a sequence of different names"),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        FusionBlock(**{"modalities": NAMES, **settings})


@pytest.mark.parametrize(
    ("inputs", "mask", "message"),
    [
        ({**INPUTS, "smell": INPUTS["text"]}, None, "`inputs` has 'smell', which is not one of"),
        ({}, None, "all of them are missing"),
        (dict.fromkeys(NAMES), None, "all of them are missing"),
        (INPUTS, {"text": np.ones((4, 2), "bool")}, r"the `mask` of 'text' must have the shape"),
        ({**INPUTS, "text": INPUTS["image"]}, None, "'text' of `inputs` must be vectors"),
    ],
)
def test_bad_inputs(inputs, mask, message):
    layer = make("early")
    with pytest.raises(ValueError, match=f"FusionBlock: .*{message}"):
        layer.call(inputs, mask)


def test_every_modality_is_needed_to_build():
    with pytest.raises(ValueError, match="FusionBlock: modality 'audio' needs vectors"):
        FusionBlock(NAMES)({"image": INPUTS["image"], "text": INPUTS["text"]})


def test_a_vector_has_no_mask():
    with pytest.raises(ValueError, match="`return_mask` needs output='tokens'"):
        make("early")(INPUTS, return_mask=True)


def test_decisions_are_made_with_num_outputs_only():
    with pytest.raises(ValueError, match="there are decisions only with `num_outputs`"):
        make("early").decide(INPUTS)
