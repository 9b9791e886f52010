"""Attention rollout and relevance against matrices that are written out."""

import numpy as np

from keras_mmfusion.explain.formulas.attention_formulas import (
    TokenRelevance,
    roll_out_attention,
    weigh_attention,
)


def draw_attention(rng, heads, queries, keys):
    scores = rng.random((heads, queries, keys))
    return scores / scores.sum(axis=-1, keepdims=True)


def test_rollout_is_product_of_mean_attention_and_identity():
    rng = np.random.default_rng(0)
    layers = [draw_attention(rng, 2, 3, 3) for _ in range(3)]
    first, second, third = (each.mean(axis=0) / 2 + np.eye(3) / 2 for each in layers)
    result = roll_out_attention(layers)
    np.testing.assert_allclose(result, third @ second @ first, atol=1e-12)
    np.testing.assert_allclose(result.sum(axis=1), 1, atol=1e-12)


def test_weights_are_means_of_positive_products():
    scores, gradients = np.random.default_rng(0).normal(size=(2, 3, 2, 4))
    expected = sum(np.clip(a * g, 0, None) for a, g in zip(scores, gradients, strict=True)) / 3
    np.testing.assert_allclose(weigh_attention(scores, gradients), expected, atol=1e-12)


def test_relevance_of_two_modalities_equals_equations():
    """The order of LXMERT: self-attention of both, attention to each other, self-attention."""
    rng = np.random.default_rng(0)
    text, image, text_to_image, last = (
        rng.random(shape) for shape in ((2, 2), (3, 3), (2, 3), (2, 2))
    )
    relevance = TokenRelevance({"text": 2, "image": 3})
    relevance.attend("text", {"text": text})
    relevance.attend("image", {"image": image})
    relevance.attend("text", {"image": text_to_image})
    relevance.attend("text", {"text": last})
    # Equation 6, then 8 and 9, 10 and 11, then 6 and 7.
    r_tt, r_ii = np.eye(2) + text, np.eye(3) + image
    norm_tt = np.eye(2) + text / text.sum(axis=1, keepdims=True)
    norm_ii = np.eye(3) + image / image.sum(axis=1, keepdims=True)
    r_ti = norm_tt.T @ text_to_image @ norm_ii
    r_it = np.zeros((3, 2))
    r_tt = r_tt + text_to_image @ r_it
    r_tt, r_ti = r_tt + last @ r_tt, r_ti + last @ r_ti
    np.testing.assert_allclose(relevance.get("text", "text"), r_tt, atol=1e-12)
    np.testing.assert_allclose(relevance.get("text", "image"), r_ti, atol=1e-12)
    np.testing.assert_allclose(relevance.get("image", "image"), r_ii, atol=1e-12)
    np.testing.assert_array_equal(relevance.get("image", "text"), r_it)


def test_keys_of_a_joint_sequence_equal_self_attention_of_the_sequence():
    rng = np.random.default_rng(0)
    joint, divided = TokenRelevance({"all": 5}), TokenRelevance({"image": 3, "text": 2})
    for _ in range(2):
        weights = rng.random((5, 5))
        weights[:3, 3:] = 0  # Image tokens attend to the image only.
        joint.attend("all", {"all": weights})
        divided.attend("text", {"image": weights[3:, :3], "text": weights[3:, 3:]})
        divided.attend("image", {"image": weights[:3, :3]})
    expected = joint.get("all", "all")
    np.testing.assert_allclose(divided.get("text", "image"), expected[3:, :3], atol=1e-12)
    np.testing.assert_allclose(divided.get("text", "text"), expected[3:, 3:], atol=1e-12)


def test_relevance_without_attention_is_identity():
    relevance = TokenRelevance({"text": 2, "image": 3})
    relevance.attend("text", {"image": np.zeros((2, 3))})
    np.testing.assert_array_equal(relevance.get("text", "text"), np.eye(2))
    np.testing.assert_array_equal(relevance.get("text", "image"), np.zeros((2, 3)))


def test_modalities_that_attend_to_each_other_at_once_use_the_relevance_before():
    rng = np.random.default_rng(0)
    text, text_to_image, image_to_text = (rng.random(shape) for shape in ((2, 2), (2, 3), (3, 2)))
    relevance = TokenRelevance({"text": 2, "image": 3})
    relevance.attend("text", {"text": text})
    before = dict(relevance.maps)
    relevance.attend("text", {"image": text_to_image}, before)
    relevance.attend("image", {"text": image_to_text}, before)
    norm_tt = np.eye(2) + text / text.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(relevance.get("text", "image"), norm_tt.T @ text_to_image)
    np.testing.assert_allclose(relevance.get("image", "text"), image_to_text @ norm_tt)
    # The text had no relevance of the image before.
    np.testing.assert_array_equal(relevance.get("image", "image"), np.eye(3))
    np.testing.assert_allclose(relevance.get("text", "text"), np.eye(2) + text)
