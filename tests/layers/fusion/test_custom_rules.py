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
