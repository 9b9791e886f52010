"""Custom rules and encoders: those of the guide, and a rule for tokens without `output_dim`."""

import keras
import numpy as np
import pytest
from docs_pages import ROOT, blocks_of
from layer_checks import run_layer_checks, to_numpy
from token_references import INPUTS, MASK, NAMES, SMALL

from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.layers.fusion import FusionRule, TokenFusionRule

GUIDE = ROOT / "docs" / "fusion.md"
SMALL_BLOCK = {"dim": SMALL["output_dim"], "num_heads": SMALL["num_heads"]}


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """The variables of the guide after its first block and its sections on custom layers."""
    text = GUIDE.read_text(encoding="utf-8")
    start = text.count("\n", 0, text.index("## Custom fusion rules"))
    first, *blocks = blocks_of(GUIDE, "python")
    blocks = [block for block in blocks if block.line > start]
    assert len(blocks) == 3
    variables = {"__name__": "guide"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("guide"))
        for block in (first, *blocks[:2]):
            exec(compile(block.code, str(GUIDE), "exec"), variables)
        variables["rule_model"] = variables["model"], variables["loaded"]
        exec(compile(blocks[2].code, str(GUIDE), "exec"), variables)
    return variables


def test_rule_of_the_guide_saves_and_loads(guide):
    model, loaded = guide["rule_model"]
    data = {"image": guide["image"], "text": guide["text"]}
    expected = model.predict(data, verbose=0)
    np.testing.assert_allclose(loaded.predict(data, verbose=0), expected, rtol=1e-5, atol=1e-6)
    assert model.layers[-1].kernel.shape == (64, 1)
    [block] = [layer for layer in model.layers if isinstance(layer, FusionBlock)]
    assert all(np.any(to_numpy(scale) != 1) for scale in block.rule.scales.values())


def test_encoder_of_the_guide_saves_and_loads(guide):
    model, loaded, data = guide["model"], guide["loaded"], guide["data"]
    expected = model.predict(data, verbose=0)
    np.testing.assert_allclose(loaded.predict(data, verbose=0), expected, rtol=1e-5, atol=1e-6)
    missing = np.arange(8) >= 6
    nan = np.where(missing[:, None, None], np.nan, data["series"])
    found = loaded.predict({**data, "series": nan}, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_rule_of_the_guide_computes_its_formula(guide):
    rule = guide["MaxFusion"](("a", "b"))
    inputs = {"a": np.array([[1.0, 4.0]]), "b": np.array([[3.0, 2.0]])}
    np.testing.assert_array_equal(to_numpy(rule(inputs)), [[3, 4]])
    rule.scales["b"].assign([1, 3])
    np.testing.assert_array_equal(to_numpy(rule(inputs)), [[3, 6]])


def test_rule_of_the_guide_passes_the_layer_checks(guide, tmp_path):
    vectors = {name: INPUTS[name][:, 0, :3] for name in NAMES}
    mask = {name: MASK[name].any(axis=1) for name in NAMES}
    run_layer_checks(
        lambda **settings: guide["MaxFusion"](NAMES, **settings),
        {"inputs": vectors, "mask": mask},
        {("mask", name): ("inputs", name) for name in NAMES},
        folder=tmp_path,
    )


@keras.saving.register_keras_serializable(package="tests")
class DifferenceFusion(TokenFusionRule):
    """Differences between the first tokens of the first modality and those of the others."""

    def build_rule(self, dims):
        self.scale = self.add_weight((), "ones", name="scale")

    def combine(self, inputs, mask):
        first, *others = inputs.values()
        fused = [self.scale * (first[:, :1] - x[:, :1]) for x in others]
        return keras.ops.concatenate(fused, axis=1), None

    def count_tokens(self, counts):
        return len(counts) - 1


@keras.saving.register_keras_serializable(package="tests")
class JoinFusion(TokenFusionRule):
    """The tokens of all modalities, with their masks; `output_dim` is that of the inputs."""

    def combine(self, inputs, mask):
        masks = [
            keras.ops.ones(keras.ops.shape(x)[:2], "bool") if mask[name] is None else mask[name]
            for name, x in inputs.items()
        ]
        tokens = keras.ops.concatenate(list(inputs.values()), axis=1)
        return tokens, keras.ops.concatenate(masks, axis=1)


def test_custom_token_rule_gets_zeros_and_masks():
    rule = JoinFusion(("a", "b"), output_dim=2)
    inputs = {"a": np.ones((1, 2, 2)), "b": np.ones((1, 1, 2))}
    inputs["a"][0, 1] = np.nan
    mask = {"a": np.array([[True, False]])}
    tokens, tokens_mask = rule(inputs, mask=mask, return_mask=True)
    np.testing.assert_array_equal(to_numpy(tokens), [[[1, 1], [0, 0], [1, 1]]])
    np.testing.assert_array_equal(to_numpy(tokens_mask), [[True, False, True]])


def test_custom_token_rule_computes_its_formula():
    tokens = to_numpy(DifferenceFusion(NAMES)({name: x[..., :3] for name, x in INPUTS.items()}))
    first, *others = (INPUTS[name][:, 0, :3] for name in NAMES)
    expected = np.stack([first - other for other in others], axis=1)
    np.testing.assert_allclose(tokens, expected, atol=1e-6)


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_custom_token_rule_without_output_dim(output, tmp_path):
    inputs = {name: keras.Input(x.shape[1:], name=name) for name, x in INPUTS.items()}
    block = FusionBlock(NAMES, combine=DifferenceFusion(NAMES), output=output, **SMALL_BLOCK)
    fused = block(inputs)
    assert fused.shape == ((None, 8) if output == "pooled" else (None, 2, 8))
    model = keras.Model(inputs, keras.layers.Dense(3)(fused))
    model.compile("sgd", "mse")
    expected = model.predict(INPUTS, verbose=0)
    model.fit(INPUTS, np.zeros_like(expected), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(INPUTS, verbose=0), model.predict(INPUTS, verbose=0), atol=1e-6
    )


def test_output_shape_of_an_unbuilt_rule_raises():
    class Unbuilt(FusionRule):
        def combine(self, inputs, mask):
            return inputs["a"]

    with pytest.raises(ValueError, match="known only after the rule is built"):
        Unbuilt(("a", "b")).compute_output_shape({"a": (None, 2), "b": (None, 2)})
