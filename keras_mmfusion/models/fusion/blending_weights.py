import keras
import numpy as np

from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.fusion.modality_alone import ModalityAlone

FUSED = "fused"


def estimate_blending_weights(model, x, y, validation_data, epochs=1, batch_size=32):
    """Estimates the loss weights of a `GradientBlendingModel` from generalization and overfitting.

    Each modality's encoder with its head, and the fused model, are trained separately for a few
    epochs, starting from the current weights, which are restored afterwards. The losses before and
    after, `T` on training and `V` on validation data, give

    ```
    G_k = V_before - V_after                              generalization
    O_k = (V_after - T_after) - (V_before - T_before)     overfitting
    w_k = (G_k / O_k²) / Σ_j (G_j / O_j²)
    ```

    A part that does not improve, `G_k <= 0`, gets weight 0. Call the function before `fit` for
    fixed weights, or every few epochs to update them.

    Args:
        model: compiled `GradientBlendingModel` that has been called.
        x: dict of arrays, as for `fit`.
        y: array.
        validation_data: tuple of `x` and `y`, not used for training.
        epochs, batch_size: ints. Settings of the training of each part.

    Returns:
        Dict, modality or `"fused"` -> weight, a float.

    Raises:
        ValueError: if no part improves.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.models import GradientBlendingModel, estimate_blending_weights
    >>> model = GradientBlendingModel({}, FusionBlock(("face", "voice"), dim=8),
    ...     head=keras.layers.Dense(1))
    >>> model.compile("sgd", "mse")
    >>> data = {"face": np.random.rand(16, 5), "voice": np.random.rand(16, 3)}
    >>> labels = data["face"][:, :1] + 1
    >>> output = model(data)
    >>> held_out = ({name: value[8:] for name, value in data.items()}, labels[8:])
    >>> train = {name: value[:8] for name, value in data.items()}
    >>> weights = estimate_blending_weights(model, train, labels[:8], held_out)
    >>> sorted(weights), round(sum(weights.values()), 3)
    (['face', 'fused', 'voice'], 1.0)

    Reference:
        Wang et al., "What Makes Training Multi-modal Classification Networks Hard?", 2020,
        section 3.2 and algorithm 1.
    """
    parts = {
        name: ModalityAlone(name, model.encoders.get(name), model.modality_heads[name])
        for name in model.modalities
    }
    parts[FUSED] = FusionModel(
        model.encoders, model.fusion, model.head, model.modality_dropout.rate
    )
    before = model.get_weights()
    ratios = []
    for name, part in parts.items():
        train, held_out = (
            data if name == FUSED else _select_modality(name, *data)
            for data in ((x, y), validation_data)
        )
        part.compile(
            keras.optimizers.deserialize(model.get_compile_config()["optimizer"]),
            model.loss,
            run_eagerly=model.run_eagerly,
            jit_compile=model.jit_compile,
        )
        try:
            ratios.append(_compute_ratio(part, train, held_out, epochs, batch_size))
        finally:
            model.set_weights(before)
    if not any(ratios):
        raise ValueError(
            f"No part of the model improves on `validation_data` in {epochs} epochs. Increase "
            "`epochs`, or change the learning rate."
        )
    weights = np.array(ratios) / sum(ratios)
    model.blending_weights.assign(weights)
    return dict(zip(parts, weights.tolist(), strict=True))


def _compute_ratio(part, train, held_out, epochs, batch_size):
    """Trains a part and returns `G / O²`, or 0 if it does not improve."""

    def losses():
        settings = {"batch_size": batch_size, "verbose": 0, "return_dict": True}
        return [part.evaluate(*data, **settings)["loss"] for data in (train, held_out)]

    train_before, held_out_before = losses()
    part.fit(*train, epochs=epochs, batch_size=batch_size, verbose=0)
    train_after, held_out_after = losses()
    gain = held_out_before - held_out_after
    overfitting = (held_out_after - train_after) - (held_out_before - train_before)
    return max(gain, 0.0) / max(overfitting**2, 1e-12)


def _select_modality(name, x, y):
    """Returns the inputs of a modality, and `y`, for the samples that have the modality."""
    inputs = {key: value for key, value in x.items() if key in (name, f"{name}_mask")}
    sample_mask = np.ones(len(y), "bool")
    if inputs.get(f"{name}_mask") is not None:
        mask = np.asarray(inputs[f"{name}_mask"], "bool")
        sample_mask = mask.reshape(len(mask), -1).any(axis=1)
    return keras.tree.map_structure(lambda value: np.asarray(value)[sample_mask], (inputs, y))
