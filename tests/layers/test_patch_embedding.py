import numpy as np
import pytest
from layer_checks import run_layer_checks

from keras_mmfusion.layers import PatchEmbedding

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 8, 12, 3)).astype("float32")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"class_token": False, "use_bias": False}, {"position_grid": (3, 2)}],
)
def test_patch_embedding_passes_the_layer_checks(arguments, tmp_path):
    run_layer_checks(
        lambda **kw: PatchEmbedding(4, 6, **arguments, **kw), {"images": IMAGES}, folder=tmp_path
    )
