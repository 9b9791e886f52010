import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.explain import plot_caption_attention
from keras_mmfusion.models.captioning.decoding.caption import Caption

pytest.importorskip("matplotlib", reason="needs matplotlib")


def make_caption(tokens=("a", "dog", "[END]"), attention=None):
    if attention is None:
        attention = np.full((len(tokens), 2, 3), 1 / 6)
    return Caption(
        text=" ".join(tokens[:-1]),
        score=-0.5,
        tokens=list(tokens),
        token_log_probs=np.log(np.linspace(0.9, 0.5, len(tokens))).astype("float32"),
        attention=np.asarray(attention, "float32"),
    )


def make_photo(height=40, width=60):
    return np.full((height, width, 3), 200, "uint8")


def get_overlays(figure):
    """Returns the overlay of each word's panel as an array."""
    return [np.asarray(axes.images[1].get_array()) for axes in figure.axes[1:]]


def test_each_word_has_a_panel_with_its_probability():
    figure = plot_caption_attention(make_photo(), make_caption())

    assert [axes.get_title(loc="left") for axes in figure.axes] == ["", "a", "dog"]
    assert [axes.get_title(loc="right") for axes in figure.axes] == ["", "90%", "70%"]
    assert figure.get_suptitle() == "a dog"


def test_figure_is_displayed_by_notebooks():
    figure = plot_caption_attention(make_photo(), make_caption())

    with Image.open(io.BytesIO(figure._repr_png_())) as image:
        assert image.format == "PNG"
        assert image.width > 500


def test_special_tokens_are_omitted():
    caption = make_caption(("[UNK]", "end", "<mask>", "unk", "[END]"))
    figure = plot_caption_attention(make_photo(), caption)

    assert [axes.get_title(loc="left") for axes in figure.axes[1:]] == ["end", "unk"]


def test_caption_without_words_shows_only_the_photo():
    figure = plot_caption_attention(make_photo(), make_caption(("[END]",)))

    assert len(figure.axes) == 1


def test_overlay_is_at_the_attended_cell():
    attention = np.zeros((2, 2, 3))
    attention[0, 1, 2] = 1
    (overlay,) = get_overlays(
        plot_caption_attention(make_photo(40, 60), make_caption(("dog", "[END]"), attention))
    )
    row, column = np.unravel_index(overlay.argmax(), overlay.shape)

    assert overlay.shape == (40, 60)
    assert row >= 20 and column >= 40
    assert overlay.max() == 1
    assert overlay[:15, :25].max() == 0


def test_overlay_is_interpolated_between_cell_centers():
    attention = np.array([[[0.2, 0.8]], [[0.5, 0.5]]])
    (overlay,) = get_overlays(
        plot_caption_attention(make_photo(10, 100), make_caption(("dog", "[END]"), attention))
    )
    centers = np.arange(100) + 0.5
    expected = np.interp(centers, [25, 75], [0.25, 1.0])

    np.testing.assert_allclose(overlay, np.broadcast_to(expected, (10, 100)), atol=0.01)


def test_uniform_attention_gives_a_uniform_overlay():
    first, second = get_overlays(plot_caption_attention(make_photo(), make_caption()))

    np.testing.assert_allclose(first, 1, atol=1e-6)
    np.testing.assert_allclose(second, 1, atol=1e-6)


def test_cropped_margins_have_no_overlay():
    caption = make_caption(("dog", "[END]"), np.full((2, 3, 3), 1 / 9))
    (overlay,) = get_overlays(plot_caption_attention(make_photo(30, 60), caption, cropped=True))

    assert overlay.shape == (30, 60)
    np.testing.assert_allclose(overlay[:, 15:45], 1, atol=1e-6)
    assert overlay[:, :15].max() == overlay[:, 45:].max() == 0


def test_large_photos_are_downscaled():
    figure = plot_caption_attention(make_photo(1500, 3000), make_caption())

    assert figure.axes[0].images[0].get_array().shape == (240, 480, 3)


def test_figure_is_written_atomically(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    plot_caption_attention(make_photo(), make_caption(), path)

    with Image.open(path) as image:
        image.load()
        assert image.width > 500
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["out.doc", "out", "nowhere/out.png"])
def test_invalid_path_raises(tmp_path, name):
    with pytest.raises(ValueError, match=name):
        plot_caption_attention(make_photo(), make_caption(), tmp_path / name)


def test_plot_does_not_import_pyplot():
    code = (
        "import sys, numpy as np\n"
        "from keras_mmfusion.explain import plot_caption_attention\n"
        "from keras_mmfusion.models.captioning.decoding.caption import Caption\n"
        "caption = Caption('a', 0.0, ['a'], np.zeros(1), np.ones((1, 1, 1)))\n"
        "plot_caption_attention(np.zeros((4, 4, 3), 'uint8'), caption)\n"
        "print(sorted({'matplotlib.pyplot', 'keras', 'tensorflow'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)

    assert run.stdout.strip() == "[]", run.stderr
