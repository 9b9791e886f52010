"""Captions of a photo, with the attention of each word."""

import dataclasses
import html

from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.demo.attention_html import make_attention_figure
from keras_mmfusion.demo.example_photos import MAN_IN_HAT
from keras_mmfusion.demo.uploads import read_upload
from keras_mmfusion.explain.figures.caption_attention import crops_images

BEAM_SEARCH, GREEDY, SAMPLING = "Beam search", "Greedy search", "Sampling"
METHODS = (BEAM_SEARCH, GREEDY, SAMPLING)
BEAMS = (2, 4, 8)
MAX_CAPTIONS = 5


@dataclasses.dataclass(frozen=True)
class CaptionOptions:
    """How captions are generated.

    Args:
        method: one of `METHODS`.
        beams: int. The beam width of beam search.
        temperature: float. Below 1, sampling prefers probable words more.
        count: int. The number of captions; greedy search finds one.
        prompt: string or `None`. The first words of every caption.
        seed: int. The seed of sampling.
    """

    method: str = BEAM_SEARCH
    beams: int = 4
    temperature: float = 0.7
    count: int = 1
    prompt: str = ""
    seed: int = 0

    def get_arguments(self):
        """Returns the arguments of `Captioner.generate`, a dict."""
        arguments = {"prompt": (self.prompt or "").strip() or None}
        if self.method == GREEDY:
            return arguments | {"beams": 1}
        count = int(self.count)
        if self.method == BEAM_SEARCH:
            return arguments | {"beams": max(int(self.beams), count), "hypotheses": count}
        return arguments | {
            "sample": True,
            "beams": 1,
            "hypotheses": count,
            "temperature": self.temperature,
            "seed": int(self.seed),
        }


def caption_photo(models, preset, photo, options=None):
    """Captions a photo.

    Args:
        models: `DemoModels`.
        preset: string.
        photo: string or `None`, the path of an image file.
        options: `CaptionOptions`.

    Returns:
        An HTML text: the photo, the words of the best caption with the attention of each, and a
        list of further captions.

    Raises:
        ValueError: if there is no photo, it cannot be read, or an option is invalid.
    """
    model = models.load(preset)
    image = read_upload(photo, drops_alpha(model.preprocessor))
    arguments = (options or CaptionOptions()).get_arguments()
    captions = model.generate(image, details=True, **arguments)
    if not isinstance(captions, list):
        captions = [captions]
    best, *others = captions
    figure = make_attention_figure(image, best, crops_images(model.preprocessor))
    return figure + _list_captions(others)


def warm_up(models):
    """Loads the first captioner and compiles its default search, so that captions are fast."""
    preset = models.list_presets("captioner")[0]
    caption_photo(models, preset, MAN_IN_HAT)


def _list_captions(captions):
    if not captions:
        return ""
    rows = "".join(f"<li>{html.escape(caption.text)}</li>" for caption in captions)
    return f"<p>Further captions:</p><ol start='2' class='mm-captions'>{rows}</ol>"
