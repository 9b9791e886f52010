"""Export of sentiment models as SavedModels for TensorFlow Serving."""

import numpy as np


def export_sentiment(model, folder, manifest=None):
    """Writes the next version of a sentiment model.

    `serving_default` takes each modality, float32 `(videos, utterances, features)`, and its mask,
    bool `(videos, utterances)`, and returns `outputs`, a logit for each utterance.

    Args:
        model: `ConversationModel` that has been built.
        folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
        manifest: dict or `None`. Further entries of `manifest.json`.

    Returns:
        The path of the new version.

    Raises:
        ValueError: if the model has not been built.
    """
    if not model.built:
        raise ValueError("`model` must be built: train it, load a preset, or call it once.")
    shapes = model.get_build_config()["input_shape"]
    inputs = {name: np.zeros((1, 1, *shapes[name][2:]), "float32") for name in model.modalities}
    return model.export(folder, inputs, manifest)
