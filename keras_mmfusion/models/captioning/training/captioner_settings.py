"""Settings of captioner training, validated without importing Keras."""

import dataclasses

from keras_mmfusion.models.runs.setting_checks import (
    check_fractions,
    check_integers,
    check_non_negatives,
    check_one_of,
    check_positives,
)

DTYPES = ("float32", "mixed_bfloat16", "mixed_float16")
_MINIMUMS = {
    "dim": 1,
    "num_layers": 1,
    "num_heads": 1,
    "graph_layers": 0,
    "sequence_length": 2,
    "min_count": 1,
    "views": 1,
    "batch_size": 1,
    "epochs": 1,
    "warmup_steps": 0,
    "fine_tune_epochs": 0,
    "fine_tune_blocks": 0,
    "self_critical_epochs": 0,
    "self_critical_blocks": 0,
    "samples": 2,
    "seed": 0,
}
_FRACTIONS = ("dropout", "label_smoothing", "self_critical_average")
_RATES = ("learning_rate", "fine_tune_learning_rate", "self_critical_learning_rate", "clipnorm")


@dataclasses.dataclass(frozen=True)
class CaptionerSettings:
    """The settings of a `CaptionerRecipe`; see there."""

    dim: int = 384
    num_layers: int = 3
    num_heads: int = 6
    dropout: float = 0.2
    graph_layers: int = 0
    sequence_length: int = 22
    min_count: int = 5
    views: int = 3
    batch_size: int = 32
    epochs: int = 8
    learning_rate: float = 8e-4
    warmup_steps: int = 200
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    clipnorm: float = 1.0
    fine_tune_epochs: int = 0
    fine_tune_learning_rate: float = 1e-4
    fine_tune_blocks: int = 4
    self_critical_epochs: int = 0
    self_critical_learning_rate: float = 1e-4
    self_critical_blocks: int = 0
    self_critical_average: float = 0.0
    samples: int = 5
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self):
        check_integers(self, _MINIMUMS)
        check_fractions(self, *_FRACTIONS)
        check_positives(self, *_RATES)
        check_non_negatives(self, "weight_decay")
        check_one_of(self, "dtype", DTYPES)
        if self.dim % self.num_heads:
            raise ValueError(
                "`num_heads` must divide `dim`. Received: "
                f"dim={self.dim}, num_heads={self.num_heads}"
            )
        if self.self_critical_blocks > self.fine_tune_blocks:
            raise ValueError(
                "`self_critical_blocks` must be from 0 to `fine_tune_blocks`. Received: "
                f"{self.self_critical_blocks}, with fine_tune_blocks={self.fine_tune_blocks}"
            )
