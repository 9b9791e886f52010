import numpy as np
import pytest
from keras import ops
from models.captioning.small_captioners import (
    SIZE,
    color_images,
    small_captioner,
    small_preprocessor,
)

from keras_mmfusion.encoders import VisionTransformer
from keras_mmfusion.models import BertTextDecoder, BlipCaptioner, Captioner
from keras_mmfusion.models.captioning.decoding.step_functions import build_uncached_step


def make_captioner():
    encoder = VisionTransformer(
        image_size=SIZE, patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16
    )
    decoder = BertTextDecoder(
        small_preprocessor().tokenizer.vocabulary_size(),
        dim=8,
        num_layers=2,
        num_heads=2,
        sequence_length=8,
        cross_attention=True,
    )
    return small_captioner(BlipCaptioner, image_encoder=encoder, text_decoder=decoder)


@pytest.fixture(scope="module")
def model():
    return make_captioner()


def test_captions_begin_with_the_prompt(model):
    captions = model.generate(color_images(), prompt="The wall", beams=3)
    assert all(caption.startswith("the wall ") for caption in captions)
    with pytest.raises(ValueError, match="`prompt` must be a string or None"):
        model.export("folder", prompt=["a"])


def test_details_contain_the_attention_to_the_patches(model):
    caption = model.generate(color_images(1)[0], beams=2, details=True)
    assert caption.attention.shape == (len(caption.tokens), 2, 2)
    np.testing.assert_allclose(caption.attention.sum(axis=(1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_cached_and_uncached_decoding_agree(model, beams, monkeypatch):
    captions = model.generate(color_images(), beams=beams, details=True)
    model.reset_compiled_functions()
    monkeypatch.setattr(
        model,
        "_build_step",
        lambda image_tokens, length, hypotheses: (build_uncached_step(model, image_tokens), ()),
    )
    expected = model.generate(color_images(), beams=beams, details=True)
    model.reset_compiled_functions()
    assert [each.text for each in captions] == [each.text for each in expected]
    np.testing.assert_allclose(
        [each.score for each in captions], [each.score for each in expected], rtol=1e-4
    )


def test_preset_of_a_blip_captioner_keeps_its_outputs(model, tmp_path):
    model.save_to_preset(tmp_path / "preset")
    loaded = Captioner.from_preset(tmp_path / "preset")
    assert isinstance(loaded, BlipCaptioner)
    images, ids = np.ones((1, *SIZE, 3), "float32"), np.array([[1, 4, 5]])
    np.testing.assert_allclose(
        *(ops.convert_to_numpy(each(images, ids)) for each in (model, loaded)), rtol=1e-6
    )
    assert loaded.generate(color_images()) == model.generate(color_images())


def test_blip_captioner_fits_raw_images_and_captions():
    model = make_captioner()
    data = {"images": np.stack(color_images(3)), "captions": ["the wall is red"] * 3}
    history = model.fit(data, batch_size=3, epochs=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
