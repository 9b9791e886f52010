"""Training of survival models."""

import dataclasses

import keras
import numpy as np

from keras_mmfusion.encoders import FeatureGroupEncoder, TableEncoder, VectorEncoder
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.metrics import check_survival
from keras_mmfusion.models.runs.setting_checks import (
    check_fractions,
    check_integers,
    check_positives,
)
from keras_mmfusion.models.survival.survival_model import SurvivalModel

CLINICAL = "clinical"


@dataclasses.dataclass(frozen=True)
class SurvivalRecipe:
    """Settings of a survival model and its training.

    Args:
        combine: string. The rule that combines the modalities; see `FusionBlock`.
        dim: int. The size of the tokens.
        feature_dropout: float in [0, 1). Dropout of the standardized molecular features.
        dropout: float in [0, 1). Dropout in the fusion.
        modality_dropout: float in [0, 1). How often training drops a modality of a patient.
        intervals: int. The number of time intervals. Each has the same number of events in the
            training data.
        epochs, batch_size: ints.
        learning_rate, weight_decay: floats, of AdamW.
        seed: int. Seed of the initial weights, the order and the dropout.

    Raises:
        ValueError: if a number is out of range.

    Example:

    >>> from keras_mmfusion.models.survival import SurvivalRecipe
    >>> SurvivalRecipe(dim=32).intervals
    4
    """

    combine: str = "concat"
    dim: int = 16
    feature_dropout: float = 0.5
    dropout: float = 0.2
    modality_dropout: float = 0.1
    intervals: int = 4
    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    seed: int = 0

    def __post_init__(self):
        counts = {"dim": 1, "intervals": 1, "epochs": 1, "batch_size": 1, "seed": 0}
        check_integers(self, counts)
        check_fractions(self, "feature_dropout", "dropout", "modality_dropout")
        check_positives(self, "learning_rate", "weight_decay")


def train_survival(recipe, data, groups=None, callbacks=()):
    """Trains a survival model on patients.

    Args:
        recipe: `SurvivalRecipe`.
        data: `SurvivalData`. The modality `"clinical"` is encoded by a `TableEncoder`; the others
            by a `FeatureGroupEncoder` or, without groups, by a `VectorEncoder`. Missing modalities
            are masked.
        groups: dict, modality -> sequence of the columns of each group; see `find_group_columns`.
            `None` for no groups.
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        `SurvivalModel`.

    Raises:
        ValueError: if all patients are censored.
    """
    check_survival(data.times, data.events)
    keras.utils.set_random_seed(recipe.seed)
    model = _make_model(recipe, data, groups or {})
    model.compile(
        keras.optimizers.AdamW(
            recipe.learning_rate, weight_decay=recipe.weight_decay, clipnorm=1.0
        ),
        jit_compile=False,  # Compilation takes longer than the training.
    )
    model.fit(
        data.make_inputs(),
        data.targets,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        callbacks=list(callbacks),
        verbose=0,
    )
    return model


def _make_model(recipe, data, groups):
    encoders = {
        name: _make_encoder(recipe, values, groups.get(name))
        if name != CLINICAL
        else _make_clinical_encoder(recipe, values)
        for name, values in data.features.items()
    }
    fusion = FusionBlock(
        tuple(encoders), combine=recipe.combine, dim=recipe.dim, dropout=recipe.dropout
    )
    return SurvivalModel(
        encoders, fusion, find_boundaries(data, recipe.intervals), recipe.modality_dropout
    )


def find_boundaries(data, intervals):
    """Returns ends of intervals with equal numbers of events; the last is the last event."""
    quantiles = np.quantile(data.times[data.events], np.arange(1, intervals + 1) / intervals)
    boundaries = np.unique(quantiles)
    return tuple(boundaries[boundaries > 0].tolist())


def _make_encoder(recipe, values, groups):
    if groups is None:
        encoder = VectorEncoder(recipe.dim, dropout=recipe.feature_dropout)
        known = ~np.isnan(values).all(axis=1)
        encoder.adapt(values, known)
        return encoder
    encoder = FeatureGroupEncoder(recipe.dim, groups, dropout=recipe.feature_dropout)
    encoder.adapt(values)
    return encoder


def _make_clinical_encoder(recipe, values):
    """Columns of the values 0 and 1 are categories, others are numbers."""
    columns = [
        2 if np.isin(column[~np.isnan(column)], (0, 1)).all() else None for column in values.T
    ]
    encoder = TableEncoder(recipe.dim, columns)
    encoder.adapt(values)
    return encoder
