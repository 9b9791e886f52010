"""Figures and pages of explanations."""

import numpy as np
import pytest

from keras_mmfusion.explain import DatasetExplanation, Explanation

pytest.importorskip("matplotlib")
from matplotlib.colors import to_hex

from keras_mmfusion.explain.figures.themes import DARK, LIGHT


def make_explanation(values, level, **fields):
    score = fields.pop("score", 1.0)
    return Explanation(values, score, "the logit", "Method()", level, **fields)


def read_bars(axes):
    """Returns the start and the width of each horizontal bar."""
    return [(round(bar.get_x(), 6), round(bar.get_width(), 6)) for bar in axes.patches]


def test_features_are_a_waterfall_from_base_value_to_score():
    values = {"record": np.array([0.5, -2.0, 1.0]), "vitals": np.array([0.25])}
    labels = {"record": ["age", "dose", "weight"]}
    explanation = make_explanation(values, "feature", score=1.75, base_value=2.0, labels=labels)
    [axes] = explanation.plot().axes
    texts = [label.get_text() for label in axes.get_yticklabels()]
    assert texts == ["record: dose", "record: weight", "record: age", "vitals: 0"]
    # From the score at the top down to the base value.
    assert read_bars(axes) == [(3.75, -2.0), (2.75, 1.0), (2.25, 0.5), (2.0, 0.25)]
    colors = [to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert colors == [LIGHT.negative, LIGHT.positive, LIGHT.positive, LIGHT.positive]


def test_waterfall_joins_small_values_and_what_has_no_value():
    values = {"record": np.linspace(1, 0.1, 15)}
    explanation = make_explanation(values, "feature", score=20.0, base_value=5.0)
    [axes] = explanation.plot().axes
    assert axes.get_yticklabels()[-1].get_text() == "all other parts"
    start, width = read_bars(axes)[-1]
    assert start == pytest.approx(5.0)
    assert width == pytest.approx(15.0 - np.linspace(1, 0.1, 15)[:12].sum())
    bars = make_explanation(values, "feature").plot()  # Without a base value.
    assert read_bars(bars.axes[0])[0] == (0, 1)


def test_sequences_of_vectors_are_above_the_bars_of_their_frames():
    spectrogram = np.arange(12, dtype="uint8").reshape(4, 3)
    values = {"audio": np.array([0.0, 1.0, -1.0, 0.5]), "text": np.array([0.5, 0.25])}
    explanation = make_explanation(values, "token", images={"audio": spectrogram})
    top, bottom, words = explanation.plot().axes
    np.testing.assert_array_equal(top.images[0].get_array(), spectrogram.T)
    assert top.get_xlim() == bottom.get_xlim() == (-0.5, 3.5)
    np.testing.assert_allclose([bar.get_height() for bar in bottom.patches], values["audio"])
    assert len(words.patches) == 2


def test_edges_are_the_subgraph_of_the_node():
    edges = {"edges": np.array([[1, 2, 3, 5], [0, 1, 0, 4]])}
    values = {"edges": np.array([0.5, 1.0, -2.0, 0.1])}
    explanation = make_explanation(values, "edge", edges=edges, node=0)
    explanation = Explanation.from_json(explanation.to_json())
    [axes] = explanation.plot().axes
    widths = {to_hex(line.get_color()): line.get_linewidth() for line in axes.lines}
    assert len(axes.lines) == 3  # 5 → 4 is not connected to node 0.
    assert widths == {LIGHT.negative: 5.0, LIGHT.positive: 3.0}
    assert sorted(text.get_text() for text in axes.texts) == ["0", "1", "2", "3"]
    centers = {"user/buys/item": np.array([[0], [0]])}
    hetero = make_explanation({"user/buys/item": np.array([1.0])}, "edge", edges=centers, node=0)
    assert len(hetero.plot().axes[0].lines) == 1


@pytest.mark.parametrize(
    "explanation",
    [
        make_explanation({"a": np.array(0.5), "b": np.array(-0.5)}, "modality"),
        make_explanation(
            {"image": np.eye(3), "text": np.ones(2)},
            "token",
            images={"image": np.zeros((6, 6, 3), "uint8")},
        ),
        DatasetExplanation(("a", "b"), np.eye(2), np.eye(2), "Method()", "modality"),
    ],
)
def test_dark_figures(explanation, tmp_path):
    figure = explanation.plot(tmp_path / "dark.png", dark=True)
    assert to_hex(figure.get_facecolor()) == "#000000"
    light = explanation.plot()
    assert to_hex(light.get_facecolor()) == "#ffffff"
    assert (tmp_path / "dark.png").stat().st_size > 1000


def compute_contrast(one, other):
    """Computes the contrast ratio of WCAG 2."""

    def luminance(color):
        channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "background"), [(LIGHT, "#ffffff"), (DARK, "#000000")])
def test_colors_have_the_contrast_of_graphics(theme, background):
    for color in (theme.positive, theme.negative):
        assert compute_contrast(color, background) >= 3


def test_page_states_the_value_of_each_cell():
    values = {"image": np.array([[0.5, -0.25]])}
    images = {"image": np.zeros((4, 8, 3), "uint8")}
    page = make_explanation(values, "token", images=images).to_html()
    assert page.count("<rect") == 2
    assert "<title>0.5</title>" in page and "<title>-0.25</title>" in page
    assert 'type="range"' in page and "http" not in page
    pixels = make_explanation({"image": np.ones((50, 50))}, "pixel").to_html()
    assert "<rect" not in pixels and pixels.count("<image") == 1
