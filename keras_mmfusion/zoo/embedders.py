"""The zoo's models that embed photos and sentences in one space."""

from keras_mmfusion.zoo.presets import resolve_preset


def embedder(preset="image_text_flickr8k", **kwargs):
    """Loads a pretrained model that puts photos and sentences into one space.

    `embed` gives their vectors, and `retrieve` finds the nearest:

    ```python
    model = embedder()
    photos = model.embed("image", ["dog.jpg", "beach.jpg"])
    places, cosines = model.retrieve({"text": ["a dog runs"]}, photos, k=1)
    ```

    Args:
        preset: string or path. A name of the zoo, a preset folder, or a handle such as
            `"hf://..."`.
        **kwargs: passed to `ContrastiveModel.from_preset`, such as `dtype`.

    Returns:
        A `keras_mmfusion.models.ContrastiveModel` of `"image"` and `"text"`.

    Raises:
        ValueError: if there is no such preset; the message names the nearest.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> embedder("image_text_flickr9k")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'image_text_flickr9k'...
    """
    folder = resolve_preset(preset)
    from keras_mmfusion.models import ContrastiveModel

    return ContrastiveModel.from_preset(folder, **kwargs)
