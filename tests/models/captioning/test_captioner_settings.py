import math

import pytest

from keras_mmfusion.models.captioning.training.captioner_settings import CaptionerSettings


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("epochs", (0, -1, 1.5, True)),
        ("batch_size", (0, -3)),
        ("views", (0,)),
        ("dim", (0,)),
        ("num_layers", (0,)),
        ("num_heads", (0,)),
        ("graph_layers", (-1,)),
        ("sequence_length", (1,)),
        ("samples", (1,)),
        ("fine_tune_epochs", (-1,)),
        ("fine_tune_blocks", (-1,)),
        ("self_critical_epochs", (-1,)),
        ("self_critical_blocks", (-1, 5)),
        ("seed", (-1,)),
        ("dropout", (1.0, -0.1, math.nan, "0.1", None, False)),
        ("label_smoothing", (1.0,)),
        ("self_critical_average", (1.0,)),
        ("learning_rate", (0.0, -1.0, math.inf, math.nan, "fast")),
        ("fine_tune_learning_rate", (0.0,)),
        ("self_critical_learning_rate", (-0.1,)),
        ("weight_decay", (-0.1,)),
        ("clipnorm", (0.0,)),
        ("dtype", ("float16", "mixed_float8")),
    ],
)
def test_invalid_settings_raise_errors(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {value!r}"):
            CaptionerSettings(**{name: value})


def test_num_heads_must_divide_dim():
    with pytest.raises(ValueError, match="`num_heads` must divide `dim`.*dim=8, num_heads=3"):
        CaptionerSettings(dim=8, num_heads=3)


def test_boundary_settings_are_valid():
    CaptionerSettings(epochs=1, dropout=0.0, weight_decay=0.0, fine_tune_blocks=0, warmup_steps=0)
