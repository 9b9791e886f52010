"""The zoo's recommenders."""

from keras_mmfusion.zoo.presets import resolve_preset


def recommender(preset, **kwargs):
    """Loads a recommender that was trained before.

    ```python
    model = recommender("my_recommender")
    items, scores = model.recommend(["42"], k=10)  # what user 42 has not taken yet
    ```

    A recommender's weights hold who took what, so the zoo has none of its own: train one with
    `train_recommender`, and keep it with `save_to_preset`.

    Args:
        preset: string or path. A preset folder, or a handle such as `"hf://..."`.
        **kwargs: passed to `Recommender.from_preset`, such as `dtype`.

    Returns:
        A `keras_mmfusion.models.Recommender` of the class that was saved.

    Raises:
        ValueError: if there is no such preset.

    Example:

    >>> recommender("no_such_folder")
    Traceback (most recent call last):
        ...
    ValueError: Unknown preset 'no_such_folder'...
    """
    folder = resolve_preset(preset)
    from keras_mmfusion.models import Recommender

    return Recommender.from_preset(folder, **kwargs)
