"""Training of language models with dialogues."""

import dataclasses
import math

import keras

from keras_mmfusion._progress import inform
from keras_mmfusion.models.language.dialogue_sequence import DialogueSequence
from keras_mmfusion.models.presets.preset_target import check_preset_target
from keras_mmfusion.models.runs.setting_checks import (
    check_integers,
    check_non_negatives,
    check_positives,
)


@dataclasses.dataclass(frozen=True)
class LanguageModelRecipe:
    """Settings of the training of a language model with dialogues.

    Args:
        epochs, batch_size: ints; `batch_size` counts sequences.
        learning_rate: float. Peak learning rate of AdamW, with warmup and cosine decay.
        weight_decay, clipnorm: floats.
        lora_rank: int. With a positive number, only low-rank adapters of this rank are trained in
            the language model.
        pack: bool. Whether to join dialogues to sequences; see `DialogueSequence`.
        seed: int. Seed of the order and the dropout.

    Raises:
        ValueError: if a setting is out of range.

    Example:

    >>> from keras_mmfusion.models.language import LanguageModelRecipe
    >>> LanguageModelRecipe(lora_rank=8).learning_rate
    0.0001
    """

    epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    clipnorm: float = 1.0
    lora_rank: int = 0
    pack: bool = False
    seed: int = 0

    def __post_init__(self):
        check_integers(self, {"epochs": 1, "batch_size": 1, "lora_rank": 0, "seed": 0})
        check_positives(self, "learning_rate", "clipnorm")
        check_non_negatives(self, "weight_decay")


def train_language_model(recipe, model, train, dev, out, callbacks=()):
    """Trains a language model to give the answers of dialogues.

    After each epoch, the loss of `dev` is computed, and the model with the lowest is written.

    Args:
        recipe: `LanguageModelRecipe`.
        model: `MultimodalLM`, or, for texts, a language model of `zoo.language_model`, with a
            preprocessor. It is trained in place.
        train, dev: lists of dialogues, such as those of `read_dialogues`.
        out: string or path. Folder of the preset.
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        The lowest loss on `dev`, the mean cross-entropy of the tokens of the answers.

    Raises:
        ValueError: if a dialogue is invalid, `out` contains something other than a preset, or the
            loss of `dev` is never finite.
    """
    check_preset_target(out)
    if model.preprocessor is None:
        raise ValueError("`model` must have a preprocessor, which converts the dialogues.")
    keras.utils.set_random_seed(recipe.seed)
    settings = {"batch_size": recipe.batch_size, "seed": recipe.seed}
    sequence = DialogueSequence(train, model.preprocessor, pack=recipe.pack, **settings)
    dev = DialogueSequence(dev, model.preprocessor, shuffle=False, **settings)
    if recipe.lora_rank:
        model.enable_lora(recipe.lora_rank)
    steps = recipe.epochs * len(sequence)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(steps - steps // 10, 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=steps // 10,
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=recipe.weight_decay, clipnorm=recipe.clipnorm
    )
    # The mean of the tokens of the answers.
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    model.compile(optimizer, loss, weighted_metrics=[])
    best = _BestEpoch(dev, out, recipe.epochs)
    callbacks = [sequence.epoch_callback(), *callbacks, best]
    model.fit(sequence, epochs=recipe.epochs, shuffle=False, callbacks=callbacks, verbose=0)
    if not math.isfinite(best.loss):
        raise ValueError(
            "The loss of `dev` was not finite after any epoch, and no preset was written. Use a "
            f"smaller `learning_rate`. Received: {recipe.learning_rate}"
        )
    return best.loss


class _BestEpoch(keras.callbacks.Callback):
    """Evaluates each epoch and writes the preset if it is the best so far."""

    def __init__(self, dev, out, epochs):
        super().__init__()
        self.dev, self.out, self.epochs = dev, out, epochs
        self.loss = float("inf")

    def on_epoch_end(self, epoch, logs=None):
        loss = self.model.evaluate(self.dev, verbose=0, return_dict=True)["loss"]
        inform(
            f"Training, epoch {epoch + 1}/{self.epochs}: loss {logs['loss']:.3f}, dev {loss:.3f}"
        )
        if loss < self.loss:
            self.loss = loss
            self.model.save_to_preset(self.out)
