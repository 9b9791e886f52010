import re

import pytest

from keras_mmfusion.demo.comparing import compare_captions
from keras_mmfusion.demo.demo_models import DemoModels
from keras_mmfusion.demo.example_photos import MAN_IN_HAT


def test_both_presets_caption_the_photo(captioner_preset):
    models = DemoModels([captioner_preset])
    default = "captioner_flickr8k_lite0"
    assert not models.is_loaded(default)
    texts = compare_captions(models, captioner_preset, default, MAN_IN_HAT)
    for preset, text in zip((captioner_preset, default), texts, strict=True):
        expected = models.load(preset).generate(MAN_IN_HAT, beams=4)
        words = re.findall(r'class="mm-word" aria-label="(\w+) ', text)
        assert " ".join(words) == expected
        assert re.search(rf"<strong>{preset}</strong>, \d+\.\d\d s", text)


def test_a_missing_photo_is_named_before_models_are_loaded():
    models = DemoModels()
    with pytest.raises(ValueError, match="There is no image"):
        compare_captions(models, "captioner_flickr8k_lite0", "captioner_flickr8k_lite0", None)
    assert not models.is_loaded("captioner_flickr8k_lite0")
