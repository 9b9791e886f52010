"""The zoo's models of opinions in videos."""

from keras_mmfusion.zoo.presets import resolve_preset


def sentiment(preset="sentiment_mosi", **kwargs):
    """Loads a pretrained model that tells negative from positive utterances of a video.

    It takes features of the utterances in the order in which they were said, and gives a logit of
    each, above 0 for positive:

    ```python
    model = sentiment()
    logits = model.predict({"text": text, "audio": audio, "video": video})
    ```

    For `sentiment_mosi` (it comes with the package) the features are those of Poria et al., 2017:
    `text` `(videos, utterances, 100)`, `audio` `(videos, utterances, 73)` and `video`
    `(videos, utterances, 100)`. A modality may be left out; `"<modality>_mask"`, bool `(videos,
    utterances)`, says which utterances are without it, and padding is without any.

    Args:
        preset: string or path. A name of the zoo, a preset folder, or a handle such as
            `"hf://..."`.
        **kwargs: passed to `ConversationModel.from_preset`, such as `dtype`.

    Returns:
        A `keras_mmfusion.models.ConversationModel`.

    Raises:
        ValueError: if there is no such preset; the message names the nearest.
        DownloadError: if the preset cannot be fetched.

    Example:

    >>> import numpy as np
    >>> model = sentiment()
    >>> tuple(model({"text": np.zeros((1, 4, 100))}).shape)  # four utterances, of text alone
    (1, 4, 1)
    """
    folder = resolve_preset(preset)
    from keras_mmfusion.models import ConversationModel

    return ConversationModel.from_preset(folder, **kwargs)
