"""The captions of two presets for the same photo."""

import html
import time

from keras_mmfusion.demo.captioning import caption_photo
from keras_mmfusion.demo.uploads import read_upload


def compare_captions(models, first, second, photo):
    """Captions a photo with two presets.

    Args:
        models: `DemoModels`.
        first, second: strings, the presets.
        photo: string or `None`, the path of an image file.

    Returns:
        A list of two HTML texts: the preset, the seconds that the caption took, and the caption
        with the attention of each word. A preset that was not loaded captions the photo twice, so
        that the time does not include the compilation.

    Raises:
        ValueError: if there is no photo, or it cannot be read.
    """
    read_upload(photo)  # Errors come before models are loaded.
    return [_describe(models, preset, photo) for preset in (first, second)]


def _describe(models, preset, photo):
    if not models.is_loaded(preset):
        caption_photo(models, preset, photo)
    start = time.perf_counter()
    figure = caption_photo(models, preset, photo)
    seconds = time.perf_counter() - start
    return f"<p><strong>{html.escape(preset)}</strong>, {seconds:.2f} s</p>{figure}"
