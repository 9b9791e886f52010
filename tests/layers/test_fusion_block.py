"""`FusionBlock` with every strategy and rule, compared with NumPy float64 references."""

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
    make_reference_inputs,
    pool,
    randomize,
)

from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.layers.fusion import (
    ConcatFusion,
    GatedFusion,
    TokenFusionRule,
    WeightedSumFusion,
    get_rule,
    list_rules,
)

NUM_OUTPUTS = 3
STRATEGIES = {
    "early": {"strategy": "early"},
    "late": {"strategy": "late", "num_outputs": NUM_OUTPUTS},
    "hybrid": {"strategy": "hybrid"},
    "hybrid_decisions": {"strategy": "hybrid", "num_outputs": NUM_OUTPUTS},
}
SMALL = {"dim": 8, "num_heads": 2}
SHAPES = {name: (None, TOKENS[name], dim) for name, dim in DIMS.items()}
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def make(strategy, names=NAMES, **settings):
    layer = FusionBlock(names, **{**SMALL, **STRATEGIES[strategy], **settings})
    layer.build({name: SHAPES[name] for name in names})
    return randomize(layer)


def reference(layer, inputs, mask):
    """The output and the weights of a block whose rule is a weighted sum."""
    project = layer.projection
    tokens = {
        name: layer_norm(project.norms[name], dense(project.projections[name], x))
        for name, x in inputs.items()
    }
    if layer.placeholders:
        mask = {name: m.copy() for name, m in mask.items()}
        for name, m in mask.items():
            missing = ~m.any(axis=1)
            tokens[name][missing, 0] = to_numpy(project.placeholder_tokens[name])[0, 0]
            m[missing, 0] = True
    for stage in layer.stages:
        tokens = exchange(stage, tokens, mask)
    vectors = {name: pool(x, mask[name]) for name, x in tokens.items()}
    if layer.num_outputs is None:
        vectors = [dense(layer.rule.projections[name], x) for name, x in vectors.items()]
    else:
        hidden = {name: gelu(dense(layer.hidden_heads[name], x)) for name, x in vectors.items()}
        vectors = [dense(layer.heads[name], x) for name, x in hidden.items()]
    weights = np.exp(np.float64(to_numpy(layer.rule.score)))
    weights = weights * np.stack([m.any(axis=1) for m in mask.values()], axis=1)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return np.einsum("bm,mbd->bd", weights, np.stack(vectors)), weights


def exchange(stage, tokens, mask):
    exchanged = {}
    for name, x in tokens.items():
        others = [other for other in tokens if other != name]
        exchanged[name] = block(
            stage.cross_blocks[name],
            block(stage.self_blocks[name], x, mask[name]),
            context=np.concatenate([tokens[other] for other in others], axis=1),
            context_mask=np.concatenate([mask[other] for other in others], axis=1),
        )
    return exchanged


@pytest.mark.parametrize("placeholders", [False, True])
@each_strategy
def test_block_matches_numpy_reference(strategy, placeholders):
    layer = make(strategy, placeholders=placeholders)
    expected, weights = reference(layer, *make_reference_inputs(NAMES))
    output, shares = layer(INPUTS, mask=MASK, return_shares=True)
    np.testing.assert_allclose(to_numpy(output), expected, atol=5e-5)
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
def test_block_passes_the_layer_checks(settings, flags, tmp_path):
    run_layer_checks(
        lambda **kw: FusionBlock(NAMES, **SMALL, **settings, **kw),
        {"inputs": INPUTS, "mask": MASK, **flags},
        {("mask", name): ("inputs", name) for name in NAMES},
        folder=tmp_path,
        # Softmax is invariant to a bias that all keys share.
        without_gradient=("key/bias",),
    )


@pytest.mark.parametrize("rule", list_rules())
@pytest.mark.parametrize("strategy", ["early", "late"])
def test_block_with_every_named_rule(strategy, rule):
    if strategy == "late" and issubclass(get_rule(rule)[0], TokenFusionRule):
        pytest.skip("Decisions are vectors.")
    names = NAMES[:2]
    layer = FusionBlock(names, combine=rule, **SMALL, **STRATEGIES[strategy])
    inputs, mask = ({name: values[name] for name in names} for values in (INPUTS, MASK))
    fused, shares = layer(inputs, mask=mask, return_shares=True)
    size = NUM_OUTPUTS if strategy == "late" else 8
    assert tuple(fused.shape) == (4, size * (2 if rule == "mfh" else 1))
    assert np.isfinite(to_numpy(fused)).all()
    assert layer.compute_output_shape({n: x.shape for n, x in inputs.items()}) == fused.shape
    shares = to_numpy(shares)
    sample_mask = np.stack([mask[name].any(axis=1) for name in names], axis=1)
    assert (shares >= 0).all() and (shares[~sample_mask] == 0).all()
    # These may have samples whose output does not depend on any modality.
    if rule not in ("gated_cross_attention", "mcb"):
        np.testing.assert_allclose(shares.sum(axis=1), sample_mask.any(axis=1), atol=1e-5)


@each_strategy
def test_vector_equals_one_token(strategy):
    layer = make(strategy)
    vector = INPUTS["text"][:, :1]
    mask = np.array([True, False, True, True])
    expected = layer({**INPUTS, "text": vector}, mask={"text": mask[:, None]})
    output = layer({**INPUTS, "text": vector[:, 0]}, mask={"text": mask})
    np.testing.assert_allclose(to_numpy(output), to_numpy(expected), atol=1e-6)


@pytest.mark.parametrize("combine", ["weighted_sum", "union"])
@each_strategy
def test_no_mask_equals_a_mask_of_ones(strategy, combine):
    if combine == "union" and "num_outputs" in STRATEGIES[strategy]:
        pytest.skip("Decisions are vectors.")
    layer = make(strategy, combine=combine, placeholders=True)
    ones = {name: np.ones(x.shape[:2], "bool") for name, x in INPUTS.items()}
    expected = layer(INPUTS, mask=ones, return_shares=True)
    for mask in (None, {"text": ones["text"]}):
        outputs = layer(INPUTS, mask=mask, return_shares=True)
        for output, expected_output in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(to_numpy(output), to_numpy(expected_output), atol=1e-5)


@pytest.mark.parametrize("placeholders", [False, True])
@each_strategy
def test_missing_modality_may_be_omitted_none_masked_or_empty(strategy, placeholders):
    layer = make(strategy, placeholders=placeholders)
    expected = to_numpy(layer(INPUTS, mask={"text": np.zeros((4, 3), "bool")}))
    assert np.abs(expected - to_numpy(layer(INPUTS))).max() > 1e-3
    others = {name: INPUTS[name] for name in NAMES if name != "text"}
    nan = np.full_like(INPUTS["text"], np.nan)
    for inputs, mask in (
        (others, None),
        ({**others, "text": None}, None),
        ({**others, "text": nan}, {"text": np.zeros(4, "bool")}),
        ({**others, "text": INPUTS["text"][:, :0]}, None),
    ):
        np.testing.assert_allclose(to_numpy(layer(inputs, mask=mask)), expected, atol=1e-5)


@pytest.mark.parametrize("placeholders", [False, True])
@each_strategy
def test_optional_inputs_before_and_after_saving(strategy, placeholders, tmp_path):
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
def test_fit_and_predict_with_a_missing_modality(strategy):
    layer = make(strategy)
    inputs = {name: keras.Input(SHAPES[name][1:], name=name, optional=True) for name in NAMES}
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", "mse", jit_compile=False)
    without = {**INPUTS, "text": None}
    expected = to_numpy(layer(without))
    np.testing.assert_allclose(model.predict(without, verbose=0), expected, atol=1e-5)
    kernels = {name: layer.projection.projections[name].kernel for name in NAMES}
    before = {name: to_numpy(kernel) for name, kernel in kernels.items()}
    model.fit(without, np.zeros_like(expected), verbose=0)
    for name, kernel in kernels.items():
        assert np.isfinite(to_numpy(kernel)).all()
        assert np.any(to_numpy(kernel) != before[name]) == (name != "text")


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="A SavedModel is TensorFlow's.")
def test_exported_model_handles_missing_modalities(tmp_path):
    import tensorflow as tf

    layer = make("hybrid_decisions", num_stages=1, placeholders=True)
    inputs = {name: keras.Input((None, DIMS[name]), name=name) for name in NAMES}
    masks = {name: keras.Input((None,), dtype="bool", name=f"{name}_mask") for name in NAMES}
    model = keras.Model([inputs, masks], layer(inputs, mask=masks))
    model.export(tmp_path, verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    expected = to_numpy(layer(INPUTS, mask=MASK))
    nan = {name: np.where(MASK[name][..., None], x, np.nan) for name, x in INPUTS.items()}
    for inputs in (INPUTS, nan):
        np.testing.assert_allclose(to_numpy(loaded.serve([inputs, MASK])), expected, atol=1e-5)


@each_strategy
def test_block_is_invariant_to_sample_token_and_modality_order(strategy):
    layer = make(strategy, combine="sum")
    expected = to_numpy(layer(INPUTS, mask=MASK))
    order = [2, 0, 3, 1]
    inputs, mask = ({k: v[order] for k, v in values.items()} for values in (INPUTS, MASK))
    np.testing.assert_allclose(to_numpy(layer(inputs, mask=mask)), expected[order], atol=1e-5)
    inputs, mask = ({k: v[:, ::-1] for k, v in values.items()} for values in (INPUTS, MASK))
    np.testing.assert_allclose(to_numpy(layer(inputs, mask=mask)), expected, atol=1e-5)
    reverse = make(strategy, NAMES[::-1], combine="sum")
    weights = {w.path.split("/", 1)[1]: w for w in layer.weights}
    for weight in reverse.weights:
        weight.assign(weights[weight.path.split("/", 1)[1]])
    np.testing.assert_allclose(to_numpy(reverse(INPUTS, mask=MASK)), expected, atol=1e-5)


def test_rule_instance_with_settings():
    rule = WeightedSumFusion(NAMES, 5, per_sample=True)
    layer = FusionBlock(NAMES, "early", rule, dim=8)
    fused, shares = layer(INPUTS, mask=MASK, return_shares=True)
    assert layer.rule is rule and tuple(fused.shape) == (4, 5)
    clone = FusionBlock.from_config(layer.get_config())
    assert clone.rule is not rule and clone.rule.per_sample
    np.testing.assert_allclose(to_numpy(shares)[3], 0)


@pytest.mark.parametrize("rule_class", [WeightedSumFusion, ConcatFusion])
def test_shares_have_the_modality_order_of_the_block(rule_class):
    layer = FusionBlock(NAMES, "early", rule_class(NAMES[::-1], 8), **SMALL)
    alone = {name: np.full(4, name == "audio") for name in NAMES}
    _, shares = layer(INPUTS, mask=alone, return_shares=True)
    np.testing.assert_allclose(to_numpy(shares), [[0, 0, 1]] * 4, atol=1e-6)


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [("early", {"combine": "concat"}), ("early", {"combine": "mult"}), ("hybrid", {})],
)
def test_shares_without_weights_are_changes_of_the_output(strategy, settings):
    layer = make(strategy, **settings)
    fused, shares = layer(INPUTS, mask=MASK, return_shares=True)
    changes = []
    for name in NAMES:
        without = layer(INPUTS, mask={**MASK, name: np.zeros_like(MASK[name])})
        changes.append(np.linalg.norm(to_numpy(fused) - to_numpy(without), axis=-1))
    changes = np.stack(changes, axis=1)
    expected = changes / np.maximum(changes.sum(axis=1, keepdims=True), 1e-9)
    np.testing.assert_allclose(to_numpy(shares), expected, atol=1e-4)
    assert (to_numpy(shares)[0] > 0.01).all()


@pytest.mark.parametrize("combine", ["sum", "bottleneck"])
def test_output_tokens_and_their_mask(combine):
    vector = make("early", combine=combine)(INPUTS, mask=MASK)
    layer = make("early", combine=combine, output="tokens")
    tokens, mask = (to_numpy(x) for x in layer(INPUTS, mask=MASK, return_mask=True))
    assert tokens.shape == (4, 1 if combine == "sum" else 16, 8)
    assert tokens.shape == layer.compute_output_shape({n: x.shape for n, x in INPUTS.items()})
    assert (tokens[mask == 0] == 0).all()
    np.testing.assert_allclose(pool(tokens, mask > 0), to_numpy(vector), atol=1e-5)


def test_decide_returns_the_decision_of_each_modality():
    layer = make("late")
    decisions = layer.decide(INPUTS, mask=MASK)
    for name in NAMES:
        alone = {other: np.zeros(4, "bool") for other in NAMES if other != name}
        expected = layer(INPUTS, mask={**alone, name: MASK[name]})
        sample_mask = MASK[name].any(axis=1)
        np.testing.assert_allclose(
            to_numpy(decisions[name])[sample_mask], to_numpy(expected)[sample_mask], atol=1e-5
        )


def test_dropout_is_active_only_in_training():
    layer = make("hybrid", dropout=0.5)
    first, second = (to_numpy(layer(INPUTS, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(to_numpy(layer(INPUTS, training=True)) - first).max() > 1e-3


@pytest.mark.parametrize("explicit", [{}, {"image": MASK["image"][:2]}])
def test_implicit_masks_are_used(explicit):
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    inputs = {"text": keras.Input((3,), dtype="int32", name="text")}
    inputs["image"] = keras.Input((4, 5), name="image")
    masks = {name: keras.Input((4,), dtype="bool", name="image_mask") for name in explicit}
    embedding = keras.layers.Embedding(5, 3, mask_zero=True)
    layer = FusionBlock(("text", "image"), **SMALL)
    # Keras passes implicit masks only if no explicit mask is given.
    fused = layer({**inputs, "text": embedding(inputs["text"])}, mask=masks or None)
    model = keras.Model([inputs, masks], fused)
    image = INPUTS["image"][:2]
    text = to_numpy(embedding(ids))
    expected = layer({"text": text, "image": image}, mask={**explicit, "text": ids > 0})
    output = model([{"text": ids, "image": image}, explicit])
    np.testing.assert_allclose(to_numpy(output), to_numpy(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "middle"}, "`strategy` must be one of 'early', 'late', 'hybrid'"),
        ({"output": "vector"}, "`output` must be one of 'pooled', 'tokens'"),
        ({"strategy": "late"}, "late fusion combines decisions. Set `num_outputs` to their size"),
        ({"num_outputs": 3}, "early fusion does not compute decisions"),
        ({**STRATEGIES["late"], "output": "tokens"}, "Remove `output='tokens'`"),
        ({**STRATEGIES["late"], "combine": "mult"}, "MulTFusion, which fuses tokens, but"),
        ({"combine": "average"}, "Unknown combination rule 'average'. Use one of block,"),
        ({"combine": 3}, "`combine` must be the name of a rule or a `FusionRule`"),
        ({"combine": GatedFusion(NAMES[:2], 4)}, "Both must have the same modalities"),
        ({"combine": "mlb"}, "MLBFusion: `modalities` must be two"),
        ({"dim": 0}, "FusionBlock: `dim` must be a positive integer"),
        ({"dim": 6}, "FusionBlock: `num_heads` must divide `dim`"),
        ({"dropout": 1.0}, r"FusionBlock: `dropout` must be in \[0, 1\)"),
        ({"modalities": "text"}, "`modalities` must be a sequence of different names"),
    ],
)
def test_invalid_arguments_raise(settings, message):
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
def test_invalid_inputs_raise(inputs, mask, message):
    layer = make("early")
    with pytest.raises(ValueError, match=f"FusionBlock: .*{message}"):
        layer.call(inputs, mask)


def test_build_without_all_modalities_raises():
    with pytest.raises(ValueError, match="FusionBlock: modality 'audio' needs vectors"):
        FusionBlock(NAMES)({"image": INPUTS["image"], "text": INPUTS["text"]})


def test_return_mask_of_a_vector_raises():
    with pytest.raises(ValueError, match="`return_mask` needs output='tokens'"):
        make("early")(INPUTS, return_mask=True)


def test_decide_without_num_outputs_raises():
    with pytest.raises(ValueError, match="`decide` needs `num_outputs`"):
        make("early").decide(INPUTS)
