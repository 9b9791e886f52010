"""Perceiver resampler and gated cross-attention, compared with `flamingo-pytorch`."""

import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.layers.fusion import GatedCrossAttention, PerceiverResampler

pytestmark = pytest.mark.peers
flamingo = pytest.importorskip("flamingo_pytorch", reason="flamingo-pytorch is not installed")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")

DIM, HEADS = 8, 2
SIZES = {"dim": DIM, "dim_head": DIM // HEADS, "heads": HEADS}
RNG = np.random.default_rng(0)


def make_normalized(*shape):
    """Vectors that a new layer normalization does not change."""
    x = RNG.normal(size=shape)
    x = x - x.mean(axis=-1, keepdims=True)
    return (x / x.std(axis=-1, keepdims=True)).astype("float32")


def array(parameter):
    return parameter.detach().numpy()


def copy_dense(dense, kernel):
    """Copies a kernel `(out, in)` of the peer, which has no bias."""
    dense.set_weights([kernel.T, np.zeros(len(kernel), "float32")])


def copy_block(block, attention, mlp):
    copy_dense(block.attention.query_dense, array(attention.to_q.weight))
    for dense, kernel in zip(
        (block.attention.key_dense, block.attention.value_dense),
        np.split(array(attention.to_kv.weight), 2),
        strict=True,
    ):
        copy_dense(dense, kernel)
    copy_dense(block.attention.output_dense, array(attention.to_out.weight))
    copy_dense(block.mlp_hidden, array(mlp[1].weight))
    copy_dense(block.mlp_output, array(mlp[3].weight))


def test_perceiver_resampler_matches_flamingo_pytorch():
    peer = flamingo.PerceiverResampler(depth=2, num_latents=3, num_media_embeds=1, **SIZES)
    torch.nn.init.zeros_(peer.media_pos_emb)
    tokens = RNG.normal(size=(2, 5, DIM)).astype("float32")
    layer = PerceiverResampler(("image",), DIM, num_latents=3, num_layers=2, num_heads=HEADS)
    layer.build({"image": tokens.shape})
    copy_dense(layer.projections[0], np.eye(DIM, dtype="float32"))
    layer.latents.assign(array(peer.latents)[None])
    for block, parts in zip(layer.blocks, peer.layers, strict=True):
        copy_block(block, *parts)
    expected = array(peer(torch.tensor(tokens)))[:, 0]
    np.testing.assert_allclose(to_numpy(layer({"image": tokens})), expected, atol=2e-5)


def test_gated_cross_attention_matches_flamingo_pytorch():
    peer = flamingo.GatedCrossAttentionBlock(**SIZES)
    text, image = RNG.normal(size=(2, 4, DIM)).astype("float32"), make_normalized(2, 5, DIM)
    layer = GatedCrossAttention(("text", "image"), DIM, num_layers=1, num_heads=HEADS)
    layer.build({"text": text.shape, "image": image.shape})
    copy_dense(layer.context_projections[0], np.eye(DIM, dtype="float32"))
    [block] = layer.blocks
    copy_block(block, peer.attn, peer.ff)
    for weight, gate, value in (
        (block.attention_gate, peer.attn_gate, 0.7),
        (block.mlp_gate, peer.ff_gate, -0.4),
    ):
        weight.assign(value)
        torch.nn.init.constant_(gate, value)
    expected = array(peer(torch.tensor(text), torch.tensor(image)[:, None]))
    output = to_numpy(layer({"text": text, "image": image}))
    np.testing.assert_allclose(output, expected, atol=2e-5)
    assert np.abs(output - text).max() > 0.1
