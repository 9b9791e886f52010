"""Training of image-text models on images and their captions."""

import dataclasses

import keras
import numpy as np

from keras_mmfusion.datasets.captions.caption_sequence import CaptionSequence
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.encoders.pillow_image_converter import PillowImageConverter
from keras_mmfusion.models.presets.slow_float16 import warn_of_slow_float16
from keras_mmfusion.models.runs.setting_checks import (
    check_integers,
    check_non_negatives,
    check_positives,
)


@dataclasses.dataclass(frozen=True)
class RetrievalRecipe:
    """Settings of the training of an image-text model.

    Args:
        epochs, batch_size: ints; `batch_size` counts images, each with one of its captions,
            a different one in each epoch.
        learning_rate: float. Peak learning rate of AdamW, with warmup and cosine decay.
        weight_decay: float.
        augment: bool. Whether to crop, recolor and flip images at random.
        freeze_encoders: bool. Whether to train only the projectors and the temperature.
        seed: int. Seed of the order, the augmentation and the dropout.

    Raises:
        ValueError: if a number is out of range.

    Example:

    >>> from keras_mmfusion.models.retrieval import RetrievalRecipe
    >>> RetrievalRecipe(epochs=2).batch_size
    64
    """

    epochs: int = 4
    batch_size: int = 64
    learning_rate: float = 1e-4
    weight_decay: float = 0.05
    augment: bool = True
    freeze_encoders: bool = False
    seed: int = 0

    def __post_init__(self):
        check_integers(self, {"epochs": 1, "batch_size": 2, "seed": 0})
        check_positives(self, "learning_rate")
        check_non_negatives(self, "weight_decay")


def train_retrieval(recipe, pairs, model, callbacks=()):
    """Trains an image-text model on images and their captions.

    The other images and captions of a batch are the negatives of a pair.

    Args:
        recipe: `RetrievalRecipe`.
        pairs: `CaptionPairs`.
        model: `ContrastiveModel` of `"image"` and `"text"` with a `RetrievalPreprocessor`, such as
            `keras_mmfusion.zoo.embedder()`. It is trained in place.
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        The trained `model`.

    Raises:
        ValueError: if the model has no preprocessor.
    """
    if not hasattr(model.preprocessor, "image_converter"):
        raise ValueError(
            "`model` needs a `RetrievalPreprocessor`. Received: "
            f"preprocessor={model.preprocessor!r}"
        )
    keras.utils.set_random_seed(recipe.seed)
    warn_of_slow_float16(model.dtype_policy)
    batches = _PairSequence(recipe, pairs, model.preprocessor)
    for encoder in model.encoders.values():
        encoder.trainable = not recipe.freeze_encoders
    steps = recipe.epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=recipe.learning_rate, warmup_steps=steps // 10
    )
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay, clipnorm=1.0))
    callbacks = [batches.captions.epoch_callback(), *callbacks]
    # The base class's `fit` would preprocess the batches again.
    keras.Model.fit(
        model, batches, epochs=recipe.epochs, shuffle=False, callbacks=callbacks, verbose=0
    )
    return model


class _PairSequence(keras.utils.PyDataset):
    """Batches of images, each with one of its captions, as inputs of a `ContrastiveModel`."""

    def __init__(self, recipe, pairs, preprocessor):
        super().__init__(workers=1)
        self.preprocessor = preprocessor
        converter = preprocessor.image_converter
        # A `PillowImageConverter` may crop images instead of stretching them.
        is_exact = isinstance(converter, PillowImageConverter)
        self.captions = CaptionSequence(
            pairs,
            recipe.batch_size,
            None if is_exact else tuple(converter.image_size),
            captions_per_image=max(map(len, pairs.captions)),
            seed=recipe.seed,
            augment=recipe.augment,
            drop_alpha=drops_alpha(preprocessor),
        )

    def __len__(self):
        return len(self.captions)

    def __getitem__(self, index):
        batch, epoch = self.captions[index], self.captions.epoch
        rows = [[text for text in row if text] for row in batch["captions"]]
        texts = np.array([row[epoch % len(row)] for row in rows])
        with keras.device("cpu"):
            prepared = self.preprocessor({"image": batch["images"], "text": texts})
            return (keras.tree.map_structure(keras.ops.convert_to_numpy, prepared),)
