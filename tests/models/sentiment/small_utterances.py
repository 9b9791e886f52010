"""Synthetic utterances of videos, and a small sentiment model."""

import keras
import numpy as np

from keras_mmfusion.datasets import SentimentUtterances
from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models import ConversationModel, FusionModel

DIMS = {"text": 5, "audio": 3, "video": 4}
LENGTHS = (3, 1, 4, 2, 3, 5)


def make_utterances():
    """Makes 18 utterances of six videos, whose text features depend on the label."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(sum(LENGTHS)) % 2)
    features = {
        name: rng.normal(size=(len(labels), dim)).astype("float32") for name, dim in DIMS.items()
    }
    features["text"][:, 0] += 6 * labels - 3
    ids = [f"v{video}_{i}" for video, length in enumerate(LENGTHS) for i in range(length)]
    return SentimentUtterances(
        features=features,
        labels=labels,
        video_ids=np.array([name.partition("_")[0] for name in ids]),
        utterance_ids=np.array(ids),
    )


def write_utterances(path, **changes):
    """Writes utterances in CMU-MOSI's layout, with arrays replaced or, for `None`, omitted."""
    data = make_utterances()
    arrays = {
        **data.features,
        "label": data.labels,
        "video_id": data.video_ids,
        "utterance_id": data.utterance_ids,
        **changes,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def small_sentiment_model():
    """Makes a model with random weights for the features of `make_utterances`."""
    keras.utils.set_random_seed(0)
    utterance_model = FusionModel(
        {name: VectorEncoder(8) for name in DIMS},
        FusionBlock(tuple(DIMS), combine="concat", dim=8, num_heads=2),
    )
    model = ConversationModel(utterance_model, TokenEncoder(8, num_heads=2), keras.layers.Dense(1))
    model({name: np.ones((1, 2, dim), "float32") for name, dim in DIMS.items()})
    return model
