import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.explain import plot_caption_attention
from keras_mmfusion.models.captioning.decoding.caption import Caption

pytest.importorskip("matplotlib", reason="pictures need matplotlib")


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


def photo(height=40, width=60):
    return np.full((height, width, 3), 200, "uint8")


def overlays(figure):
    """The overlay of each word's photo, as an array."""
    return [np.asarray(axes.images[1].get_array()) for axes in figure.axes[1:]]


def test_each_word_has_its_photo_and_probability():
    figure = plot_caption_attention(photo(), make_caption())

    assert [axes.get_title(loc="left") for axes in figure.axes] == ["", "a", "dog"]
    assert [axes.get_title(loc="right") for axes in figure.axes] == ["", "90%", "70%"]
    assert figure.get_suptitle() == "a dog"


def test_a_notebook_shows_the_figure_that_a_cell_ends_with():
    figure = plot_caption_attention(photo(), make_caption())

    with Image.open(io.BytesIO(figure._repr_png_())) as picture:
        assert picture.format == "PNG"
        assert picture.width > 500


def test_special_tokens_are_left_out_and_words_like_them_are_not():
    caption = make_caption(("[UNK]", "end", "<mask>", "unk", "[END]"))
    figure = plot_caption_attention(photo(), caption)

    assert [axes.get_title(loc="left") for axes in figure.axes[1:]] == ["end", "unk"]


def test_a_caption_without_words_is_the_photo_alone():
    figure = plot_caption_attention(photo(), make_caption(("[END]",)))

    assert len(figure.axes) == 1


def test_the_overlay_lies_where_the_model_looked():
    attention = np.zeros((2, 2, 3))
    attention[0, 1, 2] = 1
    (overlay,) = overlays(
        plot_caption_attention(photo(40, 60), make_caption(("dog", "[END]"), attention))
    )
    row, column = np.unravel_index(overlay.argmax(), overlay.shape)

    assert overlay.shape == (40, 60)
    assert row >= 20 and column >= 40
    assert overlay.max() == 1
    assert overlay[:15, :25].max() == 0


def test_the_overlay_is_bilinear_between_the_centres_of_cells():
    attention = np.array([[[0.2, 0.8]], [[0.5, 0.5]]])
    (overlay,) = overlays(
        plot_caption_attention(photo(10, 100), make_caption(("dog", "[END]"), attention))
    )
    centres = np.arange(100) + 0.5
    expected = np.interp(centres, [25, 75], [0.25, 1.0])

    np.testing.assert_allclose(overlay, np.broadcast_to(expected, (10, 100)), atol=0.01)


def test_even_attention_is_drawn_even():
    first, second = overlays(plot_caption_attention(photo(), make_caption()))

    np.testing.assert_allclose(first, 1, atol=1e-6)
    np.testing.assert_allclose(second, 1, atol=1e-6)


def test_what_was_cropped_away_is_not_looked_at():
    caption = make_caption(("dog", "[END]"), np.full((2, 3, 3), 1 / 9))
    (overlay,) = overlays(plot_caption_attention(photo(30, 60), caption, cropped=True))

    assert overlay.shape == (30, 60)
    np.testing.assert_allclose(overlay[:, 15:45], 1, atol=1e-6)
    assert overlay[:, :15].max() == overlay[:, 45:].max() == 0


def test_large_photos_are_drawn_small():
    figure = plot_caption_attention(photo(1500, 3000), make_caption())

    assert figure.axes[0].images[0].get_array().shape == (240, 480, 3)


def test_the_picture_is_written_whole(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    plot_caption_attention(photo(), make_caption(), path)

    with Image.open(path) as picture:
        picture.load()
        assert picture.width > 500
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["out.doc", "out", "nowhere/out.png"])
def test_a_path_that_cannot_be_written_is_an_error(tmp_path, name):
    with pytest.raises(ValueError, match=name):
        plot_caption_attention(photo(), make_caption(), tmp_path / name)


def test_no_display_and_no_pyplot_are_needed():
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
