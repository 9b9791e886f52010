import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.models import GitTextDecoder

RNG = np.random.default_rng(0)
TOKENS = RNG.normal(size=(2, 3, 4, 8)).astype("float32")
IMAGE_TOKENS = RNG.normal(size=(2, 5, 6)).astype("float32")
WITHOUT_GRADIENT = (
    "key/bias",
    "token_embedding/embeddings",
    "position_embedding/embeddings",
    "embedding/norm/gamma",
    "embedding/norm/beta",
)


def make_decoder(dtype=None):
    return GitTextDecoder(
        11, dim=8, num_layers=2, num_heads=2, mlp_dim=16, sequence_length=6, dtype=dtype
    )


# The decoder is called on embeddings, so these have no gradient and Keras warns.
@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables:UserWarning")
@pytest.mark.parametrize("return_attention_scores", [False, True])
def test_git_text_decoder_passes_layer_checks(return_attention_scores, tmp_path):
    run_layer_checks(
        make_decoder,
        {
            "x": TOKENS,
            "image_tokens": IMAGE_TOKENS,
            "return_attention_scores": return_attention_scores,
        },
        without_gradient=WITHOUT_GRADIENT,
        folder=tmp_path,
    )


def test_text_is_causal_and_attends_to_the_image():
    decoder = make_decoder()
    before = to_numpy(decoder(TOKENS, IMAGE_TOKENS))
    text = TOKENS.copy()
    text[:, :, 2] += 1.0
    after = to_numpy(decoder(text, IMAGE_TOKENS))
    np.testing.assert_allclose(after[:, :, :2], before[:, :, :2], atol=1e-6)
    assert (np.abs(after[:, :, 2:] - before[:, :, 2:]).max(axis=-1) > 1e-3).all()
    image = IMAGE_TOKENS.copy()
    image[:, 4] += 1.0
    changed = np.abs(to_numpy(decoder(TOKENS, image)) - before).max(axis=-1)
    assert (changed > 1e-6).all()


def test_num_heads_must_divide_dim():
    with pytest.raises(ValueError, match="`num_heads` must divide `dim`"):
        GitTextDecoder(11, dim=8, num_heads=3)
