"""Compares the outputs of a loaded checkpoint with published ones."""

import dataclasses
import http.client
import urllib.error
import urllib.request

from keras_mmfusion.zoo.download import DownloadError
from keras_mmfusion.zoo.reference_outputs import REFERENCES, ReferenceOutput

MAX_NEW_TOKENS = 19  # By default, transformers generates 20 tokens, with the start token.
TIMEOUT_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class ReferenceCheck:
    """An output beside the published one.

    Args:
        reference: `ReferenceOutput`.
        actual: the computed output, of the same type as `reference.expected`.
    """

    reference: ReferenceOutput
    actual: str | tuple

    @property
    def is_equal(self):
        """Whether the output is equal, up to the tolerance of the reference."""
        expected, actual = self.reference.expected, self.actual
        if isinstance(expected, str) or len(expected) != len(actual):
            return expected == actual
        pairs = zip(expected, actual, strict=True)
        return all(abs(x - y) <= self.reference.tolerance for x, y in pairs)


def find_references(handle):
    """Finds the published outputs of a checkpoint.

    Args:
        handle: string, `"hf://owner/name"` or `"hf://owner/name@revision"`.

    Returns:
        A tuple of `ReferenceOutput`.

    Raises:
        ValueError: if there are none; the message lists the checkpoints that have some.

    Example:

    >>> find_references("hf://openai/clip-vit-base-patch32")[0].expected
    (24.5701, 19.3049)
    """
    repository = handle.removeprefix("hf://").partition("@")[0]
    if not handle.startswith("hf://") or repository not in REFERENCES:
        known = ", ".join(f"hf://{name}" for name in sorted(REFERENCES))
        raise ValueError(
            f"There are no published outputs of {handle!r}. There are some of {known}."
        )
    return REFERENCES[repository]


def check_references(model, references, photo=None):
    """Computes outputs of a model and compares them with published ones.

    Args:
        model: the model of the checkpoint.
        references: tuple of `ReferenceOutput`.
        photo: the photo, see `read_image`. By default it is downloaded.

    Returns:
        A list of `ReferenceCheck`.

    Raises:
        DownloadError: if the photo cannot be downloaded.
        ValueError: if the photo is not an image.
    """
    from keras_mmfusion.datasets.images.read_image import read_image
    from keras_mmfusion.datasets.images.transparency import drops_alpha

    drop_alpha = drops_alpha(model.preprocessor)
    photos = {
        url: read_image(download_photo(url) if photo is None else photo, drop_alpha=drop_alpha)
        for url in {reference.photo for reference in references}
    }
    return [
        ReferenceCheck(
            reference, COMPUTE[reference.kind](model, photos[reference.photo], reference.texts)
        )
        for reference in references
    ]


def download_photo(url):
    """Downloads a photo and returns its bytes.

    Args:
        url: string.

    Raises:
        DownloadError: if it cannot be downloaded.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "keras_mmfusion"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return response.read()
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise DownloadError(
            f"The photo {url} could not be downloaded: {error}. Download it elsewhere, and pass it "
            "with --image."
        ) from error


def _compute_caption(model, photo, texts):
    return model.generate(photo, *texts, beams=1, max_length=MAX_NEW_TOKENS).strip()


def _compute_caption_ids(model, photo, texts):
    from keras_mmfusion.models.captioning.decoding.generation_settings import (
        resolve_generation_settings,
    )

    prompt = texts[0] if texts else None
    settings = resolve_generation_settings(
        model.preprocessor, prompt=prompt, beams=1, max_length=MAX_NEW_TOKENS
    )
    return _decode_ids(model, _preprocess(model, photo), settings)


def _compute_answer(model, photo, texts):
    return model.answer(photo, texts[0])


def _compute_first_answer_logits(model, photo, texts):
    """Returns the logits of the first three answers."""
    import keras

    inputs = model.preprocessor({"images": [photo], "questions": list(texts)})
    return tuple(keras.ops.convert_to_numpy(model(inputs))[0, :3].tolist())


def _compute_answer_ids(model, photo, texts):
    import numpy as np

    from keras_mmfusion.models.captioning.decoding.generation_settings import (
        resolve_generation_settings,
    )

    settings = resolve_generation_settings(model.preprocessor, beams=1)
    question = np.array(model.preprocessor.tokenize_questions([texts[0]]), "int32")
    return _decode_ids(model, model.encode(_preprocess(model, photo), question), settings)


def _preprocess(model, photo):
    from keras_mmfusion.models.captioning.decoding.image_batches import preprocess_image

    return preprocess_image(photo, model.preprocessor)


def _decode_ids(model, inputs, settings):
    """Returns the ids from the start token to the end token."""
    special = model.preprocessor.get_special_tokens()
    ids, _ = model.generate_tokens(inputs, settings, special)
    ids = ids[0, 0].tolist()
    end = ids.index(special.end) + 1 if special.end in ids else len(ids)
    return (special.start, *ids[:end])


def _compute_match_probability(model, photo, texts):
    return tuple(model.match(photo, list(texts)).tolist())


def _compute_cosines(model, photo, texts):
    image, texts = model.embed("image", [photo]), model.embed("text", list(texts))
    return tuple((image @ texts.T)[0].tolist())


def _compute_pair_logits(model, photo, texts):
    import keras

    cosines = keras.ops.convert_to_tensor([_compute_cosines(model, photo, texts)], "float32")
    return tuple(keras.ops.convert_to_numpy(model.pair_loss.logit_scale(cosines))[0].tolist())


COMPUTE = {
    "answer": _compute_answer,
    "answer_ids": _compute_answer_ids,
    "caption": _compute_caption,
    "caption_ids": _compute_caption_ids,
    "cosines": _compute_cosines,
    "first_answer_logits": _compute_first_answer_logits,
    "match_probability": _compute_match_probability,
    "pair_logits": _compute_pair_logits,
}
