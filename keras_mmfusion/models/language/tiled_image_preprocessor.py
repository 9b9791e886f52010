"""Texts and conversations with images that are split into tiles."""

import keras

from keras_mmfusion.datasets.images.read_image import read_image
from keras_mmfusion.models.language.multimodal_preprocessor import MultimodalPreprocessor

_AROUND, _WHOLE = "<fake_token_around_image>", "<global-img>"


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class TiledImagePreprocessor(MultimodalPreprocessor):
    """Converts texts with images to the inputs of Idefics3 and SmolVLM.

    The converter of `"image"` must be a `TiledImageConverter`. Each tile of an image is an item of
    the model. In the text, an image becomes

    ```
    <fake_token_around_image><row_1_col_1>[placeholders]...<row_r_col_c>[placeholders]

    <fake_token_around_image><global-img>[placeholders]<fake_token_around_image>
    ```

    with a line break after each row of tiles, and one more before the whole image. An image that is
    not split has only the last line. `converters["image"].split = False` turns the split off, which
    takes much less time.

    Args:
        language_preprocessor, num_tokens, converters, markers, **kwargs: see
            `MultimodalPreprocessor`. `num_tokens` is that of a tile.

    Call arguments:
        x: see `MultimodalPreprocessor`.

    Returns:
        See `MultimodalPreprocessor`.

    Raises:
        ValueError: see `MultimodalPreprocessor`; also if the vocabulary lacks a token of a tile.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import TiledImageConverter
    >>> from keras_mmfusion.models import Gpt2Tokenizer, LanguagePreprocessor
    >>> special = ["<fake_token_around_image>", "<row_1_col_1>", "<row_1_col_2>", "<global-img>"]
    >>> vocabulary = [*special, "<image>", "<|endoftext|>", "Ċ"]
    >>> tokenizer = Gpt2Tokenizer(vocabulary, [], special_tokens=special)
    >>> converters = {"image": TiledImageConverter(tile_size=8, longest_edge=16)}
    >>> language = LanguagePreprocessor(tokenizer)
    >>> preprocessor = TiledImagePreprocessor(language, {"image": 2}, converters)
    >>> image = np.zeros((5, 10, 3), "uint8")
    >>> sample = preprocessor.encode_text("<image>", {"image": [image]})
    >>> sample.token_ids, len(sample.items["image"])
    ([0, 1, 4, 4, 0, 2, 4, 4, 6, 6, 0, 3, 4, 4, 0], 3)

    Reference:
        Laurençon et al., "Building and better understanding vision-language models: insights and
        future directions", 2024 (https://arxiv.org/abs/2408.12637), section 3.2.
    """

    def convert_item(self, modality, item):
        """Converts an image to its tiles and their placeholders, other items as usual."""
        if modality != "image":
            return super().convert_item(modality, item)
        converter = self.converters[modality]
        tiles, (rows, columns) = converter(read_image(item, drop_alpha=converter.drop_alpha))
        placeholders = [self.placeholders[modality]] * self.num_tokens[modality]
        parts = []
        for row in range(1, rows + 1):
            for column in range(1, columns + 1):
                parts += [_AROUND + self._check_token(f"<row_{row}_col_{column}>"), *placeholders]
            parts.append("\n")
        parts += ["\n" * bool(rows) + _AROUND + _WHOLE, *placeholders, _AROUND]
        return list(keras.ops.convert_to_numpy(tiles)), parts

    def _check_token(self, token):
        if token not in self.tokenizer.special_tokens:
            raise ValueError(
                f"The vocabulary has no token {token!r} for a tile of the image. Use a smaller "
                "`longest_edge` of the `TiledImageConverter`, or `split=False`."
            )
        return token
