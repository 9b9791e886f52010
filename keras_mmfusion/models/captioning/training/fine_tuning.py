"""Fine-tuning of a whole captioner, such as one of a public checkpoint, or of its adapters."""

import dataclasses

import keras

from keras_mmfusion._progress import inform
from keras_mmfusion.datasets.captions.caption_sequence import CaptionSequence
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.training.caption_evaluation import evaluate_captioner
from keras_mmfusion.models.captioning.training.captioner_settings import DTYPES
from keras_mmfusion.models.presets.preset_folder import set_dtype_policy
from keras_mmfusion.models.presets.preset_target import check_preset_target
from keras_mmfusion.models.presets.slow_float16 import warn_of_slow_float16
from keras_mmfusion.models.runs.setting_checks import (
    check_fractions,
    check_integers,
    check_non_negatives,
    check_one_of,
    check_positives,
)


@dataclasses.dataclass(frozen=True)
class FineTuningRecipe:
    """Settings of the fine-tuning of a captioner by cross-entropy.

    Args:
        epochs, batch_size: ints; `batch_size` counts images, each with all its captions.
        learning_rate: float. Peak learning rate of AdamW, with warmup and cosine decay.
        weight_decay, label_smoothing, clipnorm: floats.
        lora_rank: int. With a positive number, only low-rank adapters of this rank are trained;
            see `Captioner.enable_lora`.
        freeze_encoder: bool. Whether the image encoder is frozen, which takes much less memory.
        augment: bool. Whether to crop, recolor and flip images at random.
        dtype: string. The dtype policy in training.
        seed: int. Seed of the order, the augmentation and the dropout.

    Raises:
        ValueError: if a setting is out of range.

    Example:

    >>> from keras_mmfusion.models.captioning import FineTuningRecipe
    >>> FineTuningRecipe(lora_rank=8).learning_rate
    2e-05
    """

    epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 2e-5
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    clipnorm: float = 1.0
    lora_rank: int = 0
    freeze_encoder: bool = False
    augment: bool = False
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self):
        check_integers(self, {"epochs": 1, "batch_size": 1, "lora_rank": 0, "seed": 0})
        check_positives(self, "learning_rate", "clipnorm")
        check_non_negatives(self, "weight_decay")
        check_fractions(self, "label_smoothing")
        check_one_of(self, "dtype", DTYPES)


def fine_tune_captioner(recipe, model, train, dev, out, callbacks=()):
    """Fine-tunes a captioner and writes the preset of its best epoch on dev, by CIDEr-D.

    Args:
        recipe: `FineTuningRecipe`.
        model: `Captioner` with a preprocessor, such as
            `zoo.captioner("hf://Salesforce/blip-image-captioning-base")`. It is trained in place.
        train, dev: `CaptionPairs`.
        out: string or path. Folder of the preset.
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        The CIDEr-D of the best epoch on `dev`.

    Raises:
        ValueError: if `out` contains something other than a preset.
    """
    check_preset_target(out)
    keras.utils.set_random_seed(recipe.seed)
    warn_of_slow_float16(recipe.dtype)
    set_dtype_policy(model, recipe.dtype)
    model.image_encoder.trainable = not recipe.freeze_encoder
    if recipe.lora_rank:
        model.enable_lora(recipe.lora_rank)
    sequence = CaptionSequence(
        train,
        recipe.batch_size,
        image_size=None,
        captions_per_image=max(map(len, train.captions)),
        seed=recipe.seed,
        augment=recipe.augment,
        preprocessor=model.preprocessor,
    )
    steps = recipe.epochs * len(sequence)
    warmup = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    model.compile(
        keras.optimizers.AdamW(
            schedule, weight_decay=recipe.weight_decay, clipnorm=recipe.clipnorm
        ),
        SmoothedCrossEntropy(recipe.label_smoothing),
    )
    best = _BestEpoch(dev, out, recipe.epochs)
    # The base class's `fit` would preprocess the batches again.
    keras.Model.fit(
        model,
        sequence,
        epochs=recipe.epochs,
        shuffle=False,
        callbacks=[sequence.epoch_callback(), *callbacks, best],
        verbose=0,
    )
    return best.cider


class _BestEpoch(keras.callbacks.Callback):
    """Evaluates each epoch and writes the preset if it is the best so far."""

    def __init__(self, dev, out, epochs):
        super().__init__()
        self.dev, self.out, self.epochs = dev, out, epochs
        self.cider = float("-inf")

    def on_epoch_end(self, epoch, logs=None):
        result = evaluate_captioner(self.model, self.dev, beams=1, metrics=["cider"])
        cider = result.metrics["cider"]
        inform(
            f"Fine-tuning, epoch {epoch + 1}/{self.epochs}: loss {logs['loss']:.3f}, "
            f"CIDEr-D {cider:.3f}"
        )
        if cider > self.cider:
            self.cider = cider
            self.model.save_to_preset(self.out)
