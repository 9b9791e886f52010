import keras
import numpy as np
import pytest
from layer_checks import run_layer_checks, to_numpy

from keras_mmfusion.layers import FrameEmbedding

X = np.random.default_rng(0).normal(size=(2, 3, 4, 6)).astype("float32")


def test_frame_embedding_passes_layer_checks(tmp_path):
    run_layer_checks(lambda dtype: FrameEmbedding(3, dtype=dtype), {"x": X}, folder=tmp_path)


def test_fit_trains_the_vectors_from_zero():
    layer = FrameEmbedding(3)
    images = keras.Input(X.shape[1:])
    model = keras.Model(images, layer(images))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(X, X + 1.0, verbose=0)
    assert (to_numpy(layer.embeddings) > 0).all()


def test_frame_embedding_adds_the_vector_of_each_frame():
    layer = FrameEmbedding(5)
    layer.build(X.shape)
    vectors = np.random.default_rng(1).normal(size=(5, 6)).astype("float32")
    layer.embeddings.assign(vectors)
    np.testing.assert_allclose(to_numpy(layer(X)), X + vectors[:3, None], rtol=1e-6)


def test_too_many_frames_are_rejected():
    with pytest.raises(ValueError, match="at most 2 frames. Received: 3"):
        FrameEmbedding(2)(X)
