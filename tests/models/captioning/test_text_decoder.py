import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion import TextDecoder
from keras_mmfusion.models.captioning.text_decoder_block import TextDecoderBlock

RNG = np.random.default_rng(0)
TOKENS = RNG.normal(size=(2, 3, 4, 8)).astype("float32")
ENCODER_TOKENS = RNG.normal(size=(2, 5, 6)).astype("float32")
PADDING_MASK = np.array([[[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]] * 2, "bool")
ENCODER_MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 1, 1]], "bool")
WITHOUT_GRADIENT = ("key/bias",)


def make_decoder(cross_attention=True, dtype=None, dropout=0.1):
    return TextDecoder(
        11,
        dim=8,
        num_layers=2,
        num_heads=2,
        sequence_length=6,
        dropout=dropout,
        cross_attention=cross_attention,
        dtype=dtype,
    )


@pytest.mark.parametrize("cross_attention", [False, True])
def test_text_decoder_block_passes_layer_checks(cross_attention, tmp_path):
    inputs, masks = {"x": TOKENS, "padding_mask": PADDING_MASK}, {"padding_mask": "x"}
    if cross_attention:
        inputs.update(encoder_tokens=ENCODER_TOKENS, encoder_mask=ENCODER_MASK)
        masks["encoder_mask"] = "encoder_tokens"
    run_layer_checks(
        lambda dtype: TextDecoderBlock(2, 16, cross_attention=cross_attention, dtype=dtype),
        inputs,
        masks=masks,
        without_gradient=WITHOUT_GRADIENT,
        folder=tmp_path,
    )


# The decoder is called on embeddings, so position embeddings have no gradient and Keras warns.
@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables:UserWarning")
@pytest.mark.parametrize("return_attention_scores", [False, True])
def test_text_decoder_passes_layer_checks(return_attention_scores, tmp_path):
    run_layer_checks(
        lambda dtype: make_decoder(dtype=dtype),
        {
            "x": TOKENS,
            "encoder_tokens": ENCODER_TOKENS,
            "encoder_mask": ENCODER_MASK,
            "padding_mask": PADDING_MASK,
            "return_attention_scores": return_attention_scores,
        },
        masks={"padding_mask": "x", "encoder_mask": "encoder_tokens"},
        without_gradient=(*WITHOUT_GRADIENT, "position_embedding/embeddings"),
        folder=tmp_path,
    )


def test_decoder_is_causal():
    decoder = make_decoder()
    ids = RNG.integers(1, 11, (2, 6))
    expected = to_numpy(decoder(decoder.embedding(ids), ENCODER_TOKENS))
    changed = ids.copy()
    changed[:, 4:] = (changed[:, 4:] + 3) % 11
    found = to_numpy(decoder(decoder.embedding(changed), ENCODER_TOKENS))
    np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=1e-6)
    assert np.abs(found[:, 4:] - expected[:, 4:]).max() > 1e-3


def test_captions_of_an_image_are_independent():
    decoder = make_decoder()
    together = to_numpy(decoder(TOKENS, ENCODER_TOKENS))
    for caption in range(TOKENS.shape[1]):
        separate = to_numpy(decoder(TOKENS[:, caption], ENCODER_TOKENS))
        np.testing.assert_allclose(together[:, caption], separate, atol=1e-5)


def test_embeddings_are_tied():
    decoder = make_decoder(cross_attention=False)
    decoder(TOKENS)
    sizes = [weight.shape for weight in decoder.weights if 11 in weight.shape]
    assert sizes == [(11, 8)]


def test_cached_steps_equal_full_decoding():
    decoder = make_decoder()
    ids = RNG.integers(1, 11, (2, 5))
    expected = to_numpy(decoder(decoder.embedding(ids), ENCODER_TOKENS))
    cache = decoder.empty_cache(2, 5, 1)
    context = decoder.project_context(ENCODER_TOKENS)
    times = np.arange(5)
    for time in times:
        x = decoder.embedding(ids[:, time : time + 1], start_index=int(time))
        logits, cache = decoder.step(
            x,
            cache,
            np.broadcast_to(times <= time, (2, 1, 5)),
            (times == time).reshape(1, 1, 5, 1, 1),
            context,
        )
        np.testing.assert_allclose(to_numpy(logits)[:, 0], expected[:, time], atol=1e-5)


def test_symbolic_shapes_of_attention_scores():
    decoder = make_decoder()
    logits, scores = decoder(keras.Input((4, 8)), keras.Input((5, 6)), return_attention_scores=True)
    assert logits.shape == (None, 4, 11)
    assert scores.shape == (2, None, 2, 4, 5)


def test_num_heads_must_divide_dim():
    with pytest.raises(ValueError, match="`num_heads` must divide `dim`. Received: dim=8"):
        TextDecoder(11, dim=8, num_heads=3)


def test_cross_attention_requires_encoder_tokens():
    with pytest.raises(ValueError, match="must be called with `encoder_tokens`"):
        make_decoder()(TOKENS)
    block = TextDecoderBlock(num_heads=2, mlp_dim=16, cross_attention=True)
    with pytest.raises(ValueError, match="must be called with `encoder_tokens`"):
        block(TOKENS)


def test_activation_and_epsilon_of_the_blocks():
    decoder = TextDecoder(9, 8, 1, 2, activation="gelu_tanh", epsilon=0.5)
    x = np.random.default_rng(0).normal(size=(1, 3, 8)).astype("float32")
    decoder(x)
    block = decoder.blocks[0]
    hidden = ops.convert_to_numpy(block.mlp_hidden(x))
    z = x @ ops.convert_to_numpy(block.mlp_hidden.kernel)
    expected = z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) / 2
    np.testing.assert_allclose(hidden, expected, rtol=1e-5, atol=1e-6)
    norms = [block.self_norm, block.mlp_norm, decoder.final_norm]
    assert [norm.epsilon for norm in norms] == [0.5] * 3
    assert TextDecoder.from_config(decoder.get_config()).activation == "gelu_tanh"
