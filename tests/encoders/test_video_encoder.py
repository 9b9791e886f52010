import keras
import numpy as np
import pytest
from layer_checks import check_config, check_padding, to_numpy

from keras_mmfusion.encoders import VideoEncoder, VisionTransformer
from keras_mmfusion.layers import (
    DividedSpaceTimeTransformer,
    TemporalBottleneck,
    TemporalMeanPooling,
    TemporalTransformer,
)

VIDEOS = np.random.default_rng(0).uniform(-1, 1, (2, 3, 16, 16, 3)).astype("float32")
MASK = np.array([[1, 1, 1], [1, 0, 0]], "bool")
FUSIONS = (
    TemporalMeanPooling,
    TemporalTransformer,
    DividedSpaceTimeTransformer,
    TemporalBottleneck,
)


def make_image_encoder(dtype=None):
    return VisionTransformer(16, 8, dim=8, num_layers=1, num_heads=2, mlp_dim=8, dtype=dtype)


def make_encoder(cls=TemporalTransformer, dtype=None):
    sizes = {} if cls is TemporalMeanPooling else {"num_heads": 2, "num_layers": 1}
    return VideoEncoder(
        make_image_encoder(dtype), cls(**sizes, dtype=dtype), num_frames=4, dtype=dtype
    )


@pytest.mark.parametrize("cls", FUSIONS)
def test_tokens_are_the_fusion_of_the_tokens_of_each_frame_and_its_position(cls):
    encoder = make_encoder(cls)
    encoder.build(VIDEOS.shape)
    positions = np.random.default_rng(1).normal(size=(4, 8)).astype("float32")
    encoder.frame_embedding.embeddings.assign(positions)
    frames = np.stack([to_numpy(encoder.image_encoder(VIDEOS[:, f])) for f in range(3)], axis=1)
    expected = encoder.temporal_fusion(frames + positions[:3, None], mask=MASK)
    np.testing.assert_allclose(to_numpy(encoder(VIDEOS, mask=MASK)), to_numpy(expected), atol=1e-5)
    mask = encoder.compute_mask(VIDEOS, MASK)
    expected_mask = encoder.temporal_fusion.compute_mask(frames, MASK)
    assert (mask is None) == (expected_mask is None)
    if mask is not None:
        np.testing.assert_array_equal(to_numpy(mask), to_numpy(expected_mask))


@pytest.mark.parametrize("cls", FUSIONS)
def test_masked_frames_do_not_affect_the_tokens(cls):
    encoder, inputs = make_encoder(cls), {"videos": VIDEOS, "mask": MASK}
    outputs = to_numpy(encoder(**inputs))
    check_padding(encoder, inputs, [outputs], "mask", "videos")
    short = to_numpy(encoder(VIDEOS[1:, :1]))
    np.testing.assert_allclose(outputs[1:, : short.shape[1]], short, atol=1e-5)


def test_configuration_restores_the_encoder():
    encoder, inputs = make_encoder(DividedSpaceTimeTransformer), {"videos": VIDEOS, "mask": MASK}
    expected = [to_numpy(encoder(**inputs))]
    check_config(encoder, inputs, expected)


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("mixed_bfloat16", 0.1), ("mixed_float16", 0.02)]
)
def test_mixed_precision_computes_the_same_tokens(policy, tolerance):
    encoder, mixed = make_encoder(), make_encoder(dtype=policy)
    expected = to_numpy(encoder(VIDEOS, mask=MASK))
    outputs = mixed(VIDEOS, mask=MASK)
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    mixed.set_weights(encoder.get_weights())
    np.testing.assert_allclose(to_numpy(mixed(VIDEOS, mask=MASK)), expected, atol=tolerance)


def test_saved_encoder_gives_the_same_tokens(tmp_path):
    encoder = make_encoder()
    expected = to_numpy(encoder(VIDEOS))
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_allclose(to_numpy(loaded(VIDEOS)), expected, atol=1e-6)


def test_fit_trains_every_weight():
    encoder = make_encoder()
    videos = keras.Input(VIDEOS.shape[1:])
    model = keras.Model(videos, keras.layers.GlobalAveragePooling1D()(encoder(videos)))
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
    # Attention does not depend on the bias of its keys.
    weights = [w for w in encoder.trainable_weights if not w.path.endswith("key/bias")]
    before = [to_numpy(weight) for weight in weights]
    model.fit(VIDEOS, np.random.default_rng(2).normal(size=(2, 8)), verbose=0)
    unchanged = [
        weight.path
        for weight, values in zip(weights, before, strict=True)
        if (to_numpy(weight) == values)[:3].all()
    ]
    assert unchanged == []


@pytest.mark.parametrize("features", ["vector", "feature map"])
def test_image_encoders_with_other_outputs(features):
    layers = [keras.layers.Conv2D(6, 8, strides=8)]
    if features == "vector":
        layers.append(keras.layers.GlobalAveragePooling2D())
    encoder = VideoEncoder(keras.Sequential([keras.Input((16, 16, 3)), *layers]), num_frames=3)
    count = 1 if features == "vector" else 4
    assert tuple(encoder(VIDEOS).shape) == (2, count, 6)
    assert encoder.input_shape == (None, 3, 16, 16, 3)


def test_attributes_describe_the_tokens():
    assert make_encoder(DividedSpaceTimeTransformer).grid == (2, 2)
    assert make_encoder(TemporalTransformer).grid is None
    assert make_encoder().token_dim == 8
    assert make_encoder().input_shape == (None, 4, 16, 16, 3)


def test_invalid_videos_are_reported():
    with pytest.raises(ValueError, match="must have at most 4 frames. Received: 5"):
        make_encoder()(np.zeros((1, 5, 16, 16, 3), "float32"))
    with pytest.raises(ValueError, match=r"\(batch, frames, height, width, 3\).*\(1, 16, 16, 3\)"):
        make_encoder()(np.zeros((1, 16, 16, 3), "float32"))
