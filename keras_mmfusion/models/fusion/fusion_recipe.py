"""Training of fusion models on a table of modalities."""

import dataclasses

import keras

from keras_mmfusion.datasets.tables.table_columns import CategoryColumn
from keras_mmfusion.layers import FusionBlock
from keras_mmfusion.models.fusion.column_encoders import (
    adapt_encoder,
    create_encoder,
    make_batches,
)
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.runs.setting_checks import (
    check_fractions,
    check_integers,
    check_positives,
)


@dataclasses.dataclass(frozen=True)
class FusionRecipe:
    """Settings of a fusion model of a table, and its training.

    Args:
        combine: string. The fusion rule; see `FusionBlock`.
        dim: int. Size of the tokens.
        dropout: float in [0, 1). Dropout of the fusion.
        modality_dropout: float in [0, 1). Rate of dropped modalities.
        vocabulary_size: int. Number of hash buckets of the words of texts.
        epochs, batch_size: ints.
        learning_rate: float. Learning rate of AdamW.
        seed: int. Seed of the initial weights, the order and the dropout.

    Raises:
        ValueError: if a number is out of range.

    Example:

    >>> from keras_mmfusion.models.fusion import FusionRecipe
    >>> FusionRecipe(combine="concat").dim
    64
    """

    combine: str = "gated"
    dim: int = 64
    dropout: float = 0.1
    modality_dropout: float = 0.1
    vocabulary_size: int = 10_000
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self):
        minimums = {"dim": 1, "vocabulary_size": 2, "epochs": 1, "batch_size": 1, "seed": 0}
        check_integers(self, minimums)
        check_fractions(self, "dropout", "modality_dropout")
        check_positives(self, "learning_rate")


def train_fusion(recipe, rows, encoders=None, callbacks=()):
    """Trains a fusion model on a table: a classifier, or a regression model, by the label column.

    Args:
        recipe: `FusionRecipe`.
        rows: `MultimodalRows` with labels.
        encoders: dict, modality -> encoder, for modalities that need another one than the default:
            patches of images, hashed words of texts, and standardized numbers.
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        A `FusionModel`: logits of the classes of a `CategoryColumn`, or the numbers of a
        `NumberColumn`.

    Raises:
        ValueError: if the rows have no labels.

    Example:

    >>> import pandas
    >>> from keras_mmfusion.datasets import CategoryColumn, NumberColumn, read_multimodal_table
    >>> from keras_mmfusion.models.fusion import FusionRecipe, train_fusion
    >>> table = pandas.DataFrame({"x": [0.0, 1.0], "y": [2.0, None], "kind": ["a", "b"]})
    >>> rows = read_multimodal_table(
    ...     table, {"x": NumberColumn(), "y": NumberColumn()}, CategoryColumn("kind", ("a", "b"))
    ... )
    >>> model = train_fusion(FusionRecipe(dim=8, epochs=1), rows)
    >>> model.modalities
    ('x', 'y')
    """
    if rows.label is None:
        raise ValueError("`rows` must have labels: pass `label` to `read_multimodal_table`.")
    keras.utils.set_random_seed(recipe.seed)
    encoders = dict(encoders or {})
    for name, column in rows.columns.items():
        if name not in encoders:
            encoders[name] = create_encoder(column, recipe.dim, recipe.vocabulary_size)
            adapt_encoder(encoders[name], rows, name)
    model = FusionModel(
        encoders,
        FusionBlock(
            tuple(rows.columns), combine=recipe.combine, dim=recipe.dim, dropout=recipe.dropout
        ),
        keras.layers.Dense(_count_outputs(rows.label)),
        recipe.modality_dropout,
    )
    is_category = isinstance(rows.label, CategoryColumn)
    model.compile(
        keras.optimizers.AdamW(recipe.learning_rate, weight_decay=0.01, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True) if is_category else "mse",
        jit_compile=False,  # The number of tokens changes from batch to batch.
    )
    batches = make_batches(rows, encoders, recipe.batch_size, shuffle=True, seed=recipe.seed)
    model.fit(batches, epochs=recipe.epochs, shuffle=False, callbacks=list(callbacks), verbose=0)
    return model


def _count_outputs(label):
    return len(label.classes) if isinstance(label, CategoryColumn) else label.shape[0]
