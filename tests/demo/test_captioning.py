import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.demo.attention_html import make_attention_figure
from keras_mmfusion.demo.captioning import (
    BEAM_SEARCH,
    GREEDY,
    SAMPLING,
    CaptionOptions,
    caption_photo,
    warm_up,
)
from keras_mmfusion.demo.demo_models import DemoModels
from keras_mmfusion.demo.example_photos import MAN_IN_HAT
from keras_mmfusion.models.captioning import Caption


@pytest.fixture(scope="module")
def models(captioner_preset):
    """A page with a captioner that has random weights."""
    return DemoModels([captioner_preset])


@pytest.fixture(scope="module")
def preset(captioner_preset):
    return captioner_preset


def find_words(figure):
    return re.findall(r'class="mm-word" aria-label="(\w+) \d+%, highest attention: ', figure)


def test_the_words_of_the_caption_have_maps(models, preset):
    figure = caption_photo(models, preset, MAN_IN_HAT)
    expected = models.load(preset).generate(MAN_IN_HAT, beams=4)
    assert " ".join(find_words(figure)) == expected
    assert figure.count("mm-heat") == len(expected.split())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (CaptionOptions(), {"prompt": None, "beams": 4, "hypotheses": 1}),
        (
            CaptionOptions(BEAM_SEARCH, beams=2, count=3),
            {"prompt": None, "beams": 3, "hypotheses": 3},
        ),
        (CaptionOptions(GREEDY, prompt=" a red "), {"prompt": "a red", "beams": 1}),
        (
            CaptionOptions(SAMPLING, temperature=0.5, count=2, seed=3),
            {
                "prompt": None,
                "sample": True,
                "beams": 1,
                "hypotheses": 2,
                "temperature": 0.5,
                "seed": 3,
            },
        ),
    ],
)
def test_options_are_arguments_of_generate(options, expected):
    assert options.get_arguments() == expected


def test_further_captions_are_listed(models, preset):
    options = CaptionOptions(count=3)
    captions = models.load(preset).generate(MAN_IN_HAT, beams=4, hypotheses=3)
    figure = caption_photo(models, preset, MAN_IN_HAT, options)
    assert " ".join(find_words(figure)) == captions[0]
    assert re.findall(r"<li>(.+?)</li>", figure) == captions[1:]


def test_sampling_depends_on_the_seed_only(models, preset):
    options = [CaptionOptions(SAMPLING, seed=seed, temperature=2.0) for seed in (1, 1, 2)]
    figures = [caption_photo(models, preset, MAN_IN_HAT, each) for each in options]
    assert figures[0] == figures[1] != figures[2]


def test_warm_up_captions_with_the_first_captioner(models, preset):
    warm_up(models)
    assert models.list_presets("captioner")[0] == preset


def test_bad_uploads_are_described_without_their_path(models, preset, tmp_path):
    path = tmp_path / "report.png"
    path.write_bytes(b"%PDF-1.4 text")
    with pytest.raises(ValueError, match="'report.png' is a PDF document") as raised:
        caption_photo(models, preset, str(path))
    assert str(tmp_path) not in str(raised.value)
    with pytest.raises(ValueError, match="There is no image"):
        caption_photo(models, preset, None)


def test_words_are_escaped():
    caption = Caption("<b>", 0.0, ["<b", "ĠR&B"], np.zeros(2), np.ones((2, 2, 3)))
    figure = make_attention_figure(np.zeros((4, 6, 3), "uint8"), caption)
    assert "<b" not in figure.replace("<button", "") and "&lt;b" in figure
    assert ">R&amp;B <" in figure


def test_maps_have_the_colors_of_the_attention():
    attention = np.zeros((1, 2, 2))
    attention[0, 0, 1] = 1.0
    caption = Caption("dog", 0.0, ["dog"], np.zeros(1), attention)
    figure = make_attention_figure(np.zeros((60, 80, 3), "uint8"), caption)
    assert "dog 100%, highest attention: top right" in figure
    (data,) = re.findall(r"image/png;base64,([^\"]+)", figure)
    heat = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert heat.shape == (72, 96, 4)
    assert heat[0, -1, 3] > 180 and heat[-1, 0, 3] == 0
