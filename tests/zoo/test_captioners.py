import keras
import numpy as np
import pytest

from keras_mmfusion import ImageEncoder, TransformerCaptioner
from keras_mmfusion.models import WordTokenizer
from keras_mmfusion.zoo import captioner

SMALL = {"dim": 16, "num_layers": 1, "num_heads": 2}
IMAGE = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype("uint8")


def patches(size):
    """Makes an image encoder that returns a feature map of 2 by 2 cells."""
    images = keras.Input((size, size, 3))
    return keras.Model(images, keras.layers.Conv2D(8, size // 2, size // 2)(images))


def test_preset_folder_loads_with_its_weights(captioner_preset):
    first, second = captioner(captioner_preset), captioner(captioner_preset)

    assert first.generate(IMAGE) == second.generate(IMAGE) != ""


def test_preset_loads_with_another_dtype(captioner_preset):
    model = captioner(captioner_preset, dtype="mixed_bfloat16")

    assert model.compute_dtype == "bfloat16"
    assert isinstance(model.generate(IMAGE), str)


def test_custom_encoder_gets_an_untrained_decoder(captioner_preset):
    encoder = patches(48)
    model = captioner(captioner_preset, weights=None, image_encoder=encoder, **SMALL)
    pretrained = captioner(captioner_preset)

    assert isinstance(model, TransformerCaptioner)
    assert model.image_encoder is encoder
    vocabulary = pretrained.preprocessor.tokenizer.get_vocabulary()
    assert model.preprocessor.tokenizer.get_vocabulary() == vocabulary
    assert model.preprocessor.generate_preprocess(IMAGE).shape == (48, 48, 3)
    assert model.text_decoder.num_layers == 1
    assert isinstance(model.generate(IMAGE), str)


def test_untrained_captioner_trains_all_weights(captioner_preset):
    model = captioner(captioner_preset, weights=None, image_encoder=patches(32), **SMALL)
    before = [weight.numpy() for weight in model.trainable_weights]
    history = model.fit(
        {"images": np.stack([IMAGE] * 2), "captions": np.array(["a red wall", "the wall"])},
        verbose=0,
    )

    assert np.isfinite(history.history["loss"]).all()
    unchanged = [
        weight.path
        for weight, old in zip(model.trainable_weights, before, strict=True)
        if np.array_equal(weight.numpy(), old)
    ]
    # A bias of keys adds the same to every score, so that its gradient is zero.
    assert [path for path in unchanged if not path.endswith("key/bias")] == []


def test_custom_tokenizer_sets_the_vocabulary(captioner_preset):
    tokenizer = WordTokenizer.from_captions(["two cats"], min_count=1)
    model = captioner(
        captioner_preset,
        weights=None,
        image_encoder=patches(32),
        tokenizer=tokenizer,
        **SMALL,
    )

    assert model.text_decoder.vocabulary_size == tokenizer.vocabulary_size()
    assert set(model.generate(IMAGE).split()) <= {"two", "cats"}


def test_default_encoder_is_lite0(captioner_preset):
    model = captioner(captioner_preset, weights=None, **SMALL)

    assert isinstance(model.image_encoder, ImageEncoder)
    assert model.image_encoder.variant == "lite0"
    assert model.preprocessor.generate_preprocess(IMAGE).shape == (224, 224, 3)


@pytest.mark.parametrize("shape", [(None, None, 3), None])
def test_encoder_without_fixed_image_size_is_an_error(captioner_preset, shape):
    encoder = keras.layers.Conv2D(8, 16, 16)
    if shape is not None:
        images = keras.Input(shape)
        encoder = keras.Model(images, encoder(images))

    with pytest.raises(ValueError, match="`image_encoder` must be a model with a fixed image size"):
        captioner(captioner_preset, weights=None, image_encoder=encoder)


def test_tokenizer_with_pretrained_weights_is_an_error(captioner_preset):
    tokenizer = WordTokenizer.from_captions(["two cats"], min_count=1)

    with pytest.raises(ValueError, match="`tokenizer` needs `weights=None`"):
        captioner(captioner_preset, tokenizer=tokenizer)
