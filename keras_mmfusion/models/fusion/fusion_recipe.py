"""Training and evaluation of a fusion model on the rows of a table."""

import dataclasses

import keras
import numpy as np

from keras_mmfusion.datasets.tables.modality_table import multimodal_dataset
from keras_mmfusion.encoders import TableEncoder, TokenEncoder, VectorEncoder
from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.metrics.classification import classification_scores
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.fusion.table_schema import FIRST_WORD_ID, RECORD
from keras_mmfusion.models.runs.evaluation_result import EvaluationResult
from keras_mmfusion.models.runs.setting_checks import (
    check_fractions,
    check_integers,
    check_positives,
)


@dataclasses.dataclass(frozen=True)
class FusionRecipe:
    """Settings of a `FusionModel` for the rows of a table, and of its training.

    Args:
        combine: string. The rule that combines the modalities; see `FusionBlock`.
        dim: int. The size of the tokens.
        dropout: float in [0, 1).
        modality_dropout: float in [0, 1). How often training drops a modality of a row.
        epochs, batch_size: ints.
        learning_rate: float, of AdamW.
        seed: int. Seeds the initial weights, the order of the rows and all dropout.

    Raises:
        ValueError: if a number is out of range.

    Example:

    >>> from keras_mmfusion.models.fusion import FusionRecipe
    >>> FusionRecipe(epochs=5).combine
    'gated'
    """

    combine: str = "gated"
    dim: int = 64
    dropout: float = 0.1
    modality_dropout: float = 0.1
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self):
        check_integers(self, {"dim": 1, "epochs": 1, "batch_size": 1, "seed": 0})
        check_fractions(self, "dropout", "modality_dropout")
        check_positives(self, "learning_rate")


def train_fusion(recipe, schema, rows, dev_rows=None, image_encoder=None, callbacks=()):
    """Trains a fusion model on the rows of a table. Missing cells are missing modalities.

    Args:
        recipe: `FusionRecipe`.
        schema: `TableSchema`.
        rows: `MultimodalRows` that the schema has read.
        dev_rows: `MultimodalRows` that select the best epoch by their loss; `None` for the last.
        image_encoder: pretrained `ImageEncoder` for the columns of images; it is not trained.
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        `FusionModel` with outputs `(batch, classes)`, logits, or `(batch, 1)`, numbers.

    Raises:
        ValueError: if the schema has columns of images and `image_encoder` is `None`.
    """
    if schema.images and image_encoder is None:
        raise ValueError(
            f"`image_encoder` is required for the columns of images {schema.images}. Pass an "
            "`ImageEncoder`. Received: None"
        )
    keras.utils.set_random_seed(recipe.seed)
    model = _make_model(recipe, schema, rows, image_encoder)
    is_classifier = schema.target_classes is not None
    model.compile(
        keras.optimizers.AdamW(recipe.learning_rate, weight_decay=0.01, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True) if is_classifier else "mse",
    )
    callbacks = list(callbacks)
    dev = None
    if dev_rows is not None:
        dev = multimodal_dataset(dev_rows, recipe.batch_size, shuffle=False)
        callbacks.append(
            keras.callbacks.EarlyStopping(patience=recipe.epochs, restore_best_weights=True)
        )
    model.fit(
        multimodal_dataset(rows, recipe.batch_size, seed=recipe.seed),
        epochs=recipe.epochs,
        validation_data=dev,
        callbacks=callbacks,
        shuffle=False,  # The dataset shuffles.
        verbose=0,
    )
    return model


def evaluate_fusion(model, schema, rows, batch_size=32, progress=iter):
    """Scores a fusion model on the rows of a table.

    Args:
        model: `FusionModel` trained by `train_fusion`.
        schema: `TableSchema` of its training.
        rows: `MultimodalRows` that the schema has read.
        batch_size: int.
        progress: function that wraps the iterable of batches, such as `tqdm.tqdm`.

    Returns:
        `EvaluationResult` with the metrics `accuracy`, `macro_f1` and `weighted_f1` of classes, or
        `mae`, `rmse` and `r2` of numbers; `samples` has for each row a dict of `"label"` and
        `"prediction"`.
    """
    batches = multimodal_dataset(rows, batch_size, shuffle=False)
    outputs = np.concatenate([model.predict_on_batch(inputs) for inputs, _ in progress(batches)])
    labels = np.stack(rows.labels)[:, 0]
    if schema.target_classes is None:
        predictions = outputs[:, 0]
        metrics = _score_numbers(labels.astype("float64"), predictions.astype("float64"))
        pairs = zip(labels.tolist(), predictions.tolist(), strict=True)
    else:
        predictions = outputs.argmax(axis=1)
        metrics = classification_scores(labels, predictions.astype(labels.dtype))
        names = schema.target_classes
        pairs = ((names[a], names[b]) for a, b in zip(labels, predictions, strict=True))
    protocol = {
        "target": schema.target,
        "classes": schema.target_classes,
        "rows": len(rows),
        "missing": {name: int(np.sum(~mask)) for name, mask in rows.masks.items()},
        "seeds": [],  # Predictions are deterministic.
    }
    samples = [{"label": label, "prediction": prediction} for label, prediction in pairs]
    return EvaluationResult(metrics, protocol, samples)


def _make_model(recipe, schema, rows, image_encoder):
    encoders = _make_encoders(recipe, schema, rows, image_encoder)
    fusion = FusionBlock(
        tuple(encoders), combine=recipe.combine, dim=recipe.dim, dropout=recipe.dropout
    )
    if schema.target_classes is not None:
        head = keras.layers.Dense(len(schema.target_classes))
    else:
        targets = np.stack(rows.labels)
        scale = float(targets.std()) or 1.0
        head = keras.Sequential(
            [keras.layers.Dense(1), keras.layers.Rescaling(scale, float(targets.mean()))]
        )
    return FusionModel(encoders, fusion, head, modality_dropout=recipe.modality_dropout)


def _make_encoders(recipe, schema, rows, image_encoder):
    dim, dropout = recipe.dim, recipe.dropout
    encoders = {}
    if schema.numbers or schema.categories:
        sizes = [len(classes) for classes in schema.categories.values()]
        encoders[RECORD] = TableEncoder(dim, [None] * len(schema.numbers) + sizes)
        encoders[RECORD].adapt(np.stack(rows.values[RECORD]))
    for name, vocabulary in schema.texts.items():
        size = len(vocabulary) + FIRST_WORD_ID
        encoders[name] = TokenEncoder(dim, vocabulary_size=size, dropout=dropout)
    for name in schema.images:
        encoders[name] = _copy_frozen(image_encoder)
    for name, shape in schema.arrays.items():
        make = VectorEncoder if len(shape) == 1 else TokenEncoder
        encoders[name] = make(dim, dropout=dropout)
        encoders[name].adapt(_load_arrays(rows, name))
    return encoders


def _copy_frozen(image_encoder):
    """Returns a frozen copy that scales its images; a saved model does not share layers."""
    copy = type(image_encoder).from_config(image_encoder.get_config())
    copy.set_weights(image_encoder.get_weights())
    copy.trainable = False
    scale = keras.layers.Rescaling(1 / 128, -127 / 128)
    return keras.Sequential([keras.Input((*copy.image_size, 3)), scale, copy])


def _load_arrays(rows, name):
    """Loads all vectors or tokens of a column, `(rows or tokens, dim)`."""
    paths = [x for x, known in zip(rows.values[name], rows.masks[name], strict=True) if known]
    arrays = [np.load(path.decode(), allow_pickle=False) for path in paths]
    return np.concatenate([array.reshape(-1, array.shape[-1]) for array in arrays])


def _score_numbers(labels, predictions):
    errors = predictions - labels
    spread = np.sum((labels - labels.mean()) ** 2)
    return {
        "mae": float(np.mean(np.abs(errors))),
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "r2": float(1 - np.sum(errors**2) / spread) if spread else float("nan"),
    }
