"""From a file of utterances to a model of conversations, and what it is worth."""

import dataclasses

import keras
import numpy as np

from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models.fusion.conversation_model import ConversationModel
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.sentiment.sentiment_evaluation import (
    model_inputs,
    predict_sentiment,
    sentiment_results,
)


@dataclasses.dataclass(frozen=True)
class SentimentRecipe:
    """How a model of the utterances of videos is made and trained.

    Features are standardized and projected, concatenated, and read by a Transformer over the
    utterances of a video. `modality_dropout` takes modalities from utterances in training.

    Args:
        dim: int. The size of the tokens.
        feature_dropout: float in [0, 1). Dropout of the standardized features.
        dropout: float in [0, 1). Dropout in the fusion and the Transformer.
        modality_dropout: float in [0, 1).
        epochs, batch_size: ints; a batch is of videos.
        learning_rate: float, of AdamW.
        seed: int. Of the first weights, the order and all dropout.

    Example:

    >>> from keras_mmfusion.models.sentiment import SentimentRecipe
    >>> SentimentRecipe(dim=64).modality_dropout
    0.3
    """

    dim: int = 32
    feature_dropout: float = 0.5
    dropout: float = 0.2
    modality_dropout: float = 0.3
    epochs: int = 15
    batch_size: int = 13
    learning_rate: float = 3e-3
    seed: int = 0


def train_sentiment(recipe, data):
    """Trains a model on all utterances of some videos.

    Args:
        recipe: `SentimentRecipe`.
        data: `SentimentUtterances`.

    Returns:
        `ConversationModel` of `"text"`, `"audio"` and `"video"`, which gives a logit of each
        utterance, `(videos, utterances, 1)`: above 0 it is positive.
    """
    keras.utils.set_random_seed(recipe.seed)
    model = _untrained(recipe, tuple(data.features))
    for name, encoder in model.utterance_model.encoders.items():
        encoder.adapt(data.features[name])
    features, labels, here = data.by_video()
    model.compile(
        keras.optimizers.AdamW(recipe.learning_rate, weight_decay=0.01, clipnorm=1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,  # To compile takes longer than to train.
    )
    model.fit(
        model_inputs(model, features, here),
        labels[..., None].astype("float32"),
        sample_weight=here.astype("float32"),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        verbose=0,
    )
    return model


def cross_validate_sentiment(recipe, data, folds=5, progress=iter):
    """Scores a recipe: each video is judged by a model that was trained on other videos.

    Args:
        recipe: `SentimentRecipe`.
        data: `SentimentUtterances`.
        folds: int. The number of models; videos are shared out among them at random.
        progress: function that passes on the folds, such as `tqdm.tqdm`.

    Returns:
        A dict as `evaluate_sentiment` makes it, over all utterances.
    """
    fold_of = data.folds(folds)
    probabilities = np.zeros(len(data))
    for fold in progress(range(folds)):
        model = train_sentiment(recipe, data.take(fold_of != fold))
        probabilities[fold_of == fold] = predict_sentiment(model, data.take(fold_of == fold))
    results = sentiment_results(data, probabilities)
    results["protocol"] |= {
        "split": f"{folds} folds over whole videos, each judged by a model of the others",
        "recipe": dataclasses.asdict(recipe),
        "seeds": [recipe.seed],
    }
    return results


def _untrained(recipe, modalities):
    encoders = {
        name: VectorEncoder(recipe.dim, dropout=recipe.feature_dropout) for name in modalities
    }
    fusion = FusionBlock(modalities, combine="concat", dim=recipe.dim, dropout=recipe.dropout)
    return ConversationModel(
        FusionModel(encoders, fusion, modality_dropout=recipe.modality_dropout),
        TokenEncoder(recipe.dim, dropout=recipe.dropout),
        keras.layers.Dense(1),
    )
