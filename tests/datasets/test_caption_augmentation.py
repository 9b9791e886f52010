import numpy as np
import pytest
from photos import photo

from keras_mmfusion.datasets.captions.caption_augmentation import (
    DRAWS,
    augment_array,
    augment_tensor,
    swap_left_right,
    swap_left_right_tensor,
)

CAPTIONS = [
    "A dog on the left, a cat on the right.",
    "LEFT-handed man; rightmost door",
    "a bright light is left upright",
    "leftover",
    "",
]
SWAPPED = [
    "A dog on the right, a cat on the left.",
    "right-handed man; leftmost door",
    "a bright light is right upright",
    "leftover",
    "",
]
# No crop, no color change, no flip.
NEUTRAL = np.array([1, 1, 0, 0, 0.5, 0.5, 0.5, 0])


def test_swap_left_right_swaps_whole_words():
    assert [swap_left_right(caption) for caption in CAPTIONS] == SWAPPED


def test_swap_left_right_tensor_matches_strings():
    pytest.importorskip("tensorflow")
    assert [text.decode() for text in swap_left_right_tensor(CAPTIONS).numpy()] == SWAPPED


def test_neutral_draws_keep_the_image():
    image, captions = augment_array(photo(40, 50), CAPTIONS, NEUTRAL)
    np.testing.assert_array_equal(image, photo(40, 50))
    assert captions == CAPTIONS


def test_flip_swaps_left_and_right_in_captions():
    draws = NEUTRAL.copy()
    draws[7] = 0.9
    image, captions = augment_array(photo(40, 50), CAPTIONS, draws)
    np.testing.assert_array_equal(image, photo(40, 50)[:, ::-1])
    assert captions == SWAPPED


def test_crop_keeps_70_percent_of_the_area():
    draws = NEUTRAL.copy()
    draws[:4] = 0, 0, 1, 0
    size = 100
    rows, columns = np.mgrid[:size, :size]
    image, _ = augment_array(np.stack([rows, columns, rows], -1).astype("uint8"), [], draws)
    assert image.shape == (size, size, 3)
    # The lower left corner, 70% of the area.
    assert image[0, 0, 0] == pytest.approx(size * (1 - 0.7**0.5), abs=2)
    assert image[-1, 0, 0] == size - 1
    assert image[0, 0, 1] == 0
    assert image[0, -1, 1] == pytest.approx(size * 0.7**0.5, abs=2)


@pytest.mark.parametrize(("draw", "factor"), [(0.0, 0.8), (1.0, 1.2)])
def test_color_changes_match_reference(draw, factor):
    image = photo(40, 50) // 2 + 50
    gray = image @ [0.299, 0.587, 0.114]
    expected = {
        4: image * factor,
        5: gray.mean() + factor * (image - gray.mean()),
        6: gray[..., None] + factor * (image - gray[..., None]),
    }
    for index, values in expected.items():
        draws = NEUTRAL.copy()
        draws[index] = draw
        result, _ = augment_array(image, [], draws)
        np.testing.assert_allclose(result, np.clip(values, 0, 255), atol=0.6)


def test_augment_tensor_matches_augment_array():
    tensorflow = pytest.importorskip("tensorflow")
    for draws in np.random.default_rng(0).random((10, DRAWS), "float32"):
        image, captions = augment_array(photo(64, 48), CAPTIONS, draws)
        tensor, texts = augment_tensor(
            tensorflow.constant(photo(64, 48)),
            tensorflow.constant(CAPTIONS),
            tensorflow.constant(draws),
        )
        assert np.abs(image.astype(int) - tensor.numpy()).max() <= 2
        assert [text.decode() for text in texts.numpy()] == captions
