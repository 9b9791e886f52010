import inspect

import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import save_optimizer_as
from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.layers.masks import zero_masked
from keras_mmfusion.layers.modality_dropout import ModalityDropout
from keras_mmfusion.models.fusion.fusion_export import export_fusion
from keras_mmfusion.models.fusion.scaled_updates import scale_updates
from keras_mmfusion.models.low_rank_adaptation import (
    add_low_rank_adapters,
    check_without_adapters,
    remove_adapters,
)
from keras_mmfusion.models.task_model import TaskModel


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FusionModel(TaskModel, keras.Model):
    """Encodes several modalities, fuses them, and applies a head: a model for any task.

    ```
    h_m = encoder_m(x_m)            for each modality m
    y = head(fusion(h_1, ..., h_n))
    ```

    Args:
        encoders: dict, modality -> layer or model that returns tokens `(batch, tokens, dim)` or a
            vector `(batch, dim)`. Masked inputs are set to zero; `mask` is passed to encoders that
            support masking and have this call argument. A modality without an encoder is passed to
            the fusion unchanged.
        fusion: `FusionBlock`. Its `modalities` are those of the model.
        head: layer applied to the output of the fusion, such as `Dense(1)`; `None` for a late
            fusion, with `num_outputs`.
        modality_dropout: float in [0, 1). Rate at which `ModalityDropout` drops a modality in
            training, so that the model learns to handle missing modalities.

    Call arguments:
        inputs: dict, modality -> input of its encoder, and `"<modality>_mask"` -> bool tensor
            `(batch,)`, `False` where the modality is missing, or `(batch, tokens)`. The first call
            needs every modality; afterwards, a modality that is missing in the whole batch may be
            `None` or omitted. Masked values, NaN included, do not affect the output.
        training: bool.

    Output shape:
        That of the head.

    Raises:
        ValueError: if `encoders` or `inputs` has a modality that is unknown to `fusion`, if all
            modalities are missing, or if data for `fit`, `evaluate` or `predict` has NaN that is
            not masked, except for a `TableEncoder`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.encoders import TableEncoder, TokenEncoder
    >>> from keras_mmfusion.models import FusionModel
    >>> model = FusionModel(
    ...     {"notes": TokenEncoder(16, vocabulary_size=100), "record": TableEncoder(16, (None, 2))},
    ...     FusionBlock(("notes", "record"), combine="gated", dim=16),
    ...     head=keras.layers.Dense(1),
    ... )
    >>> model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    >>> data = {
    ...     "notes": np.random.randint(1, 100, (8, 5)),
    ...     "record": np.random.rand(8, 2).round(),
    ...     "record_mask": np.arange(8) > 2,  # the first three samples have no record
    ... }
    >>> history = model.fit(data, np.arange(8) % 2, verbose=0)
    >>> model.predict({"notes": data["notes"]}, verbose=0).shape
    (8, 1)

    Reference:
        Baltrušaitis et al., "Multimodal Machine Learning: A Survey and Taxonomy", 2019.
    """

    def __init__(self, encoders, fusion, head=None, modality_dropout=0.0, **kwargs):
        # No autocast: ids and unscaled numbers must not be converted to float16.
        super().__init__(autocast=False, **kwargs)
        if not isinstance(fusion, FusionBlock):
            raise ValueError(f"`fusion` must be a `FusionBlock`. Received: {fusion!r}")
        unknown = sorted(set(encoders) - set(fusion.modalities))
        if unknown:
            raise ValueError(
                f"`encoders` has {unknown[0]!r}, which is not a modality of `fusion`: "
                f"{', '.join(map(repr, fusion.modalities))}."
            )
        self.encoders = dict(encoders)
        self.fusion = fusion
        self.head = head
        self.modality_dropout = ModalityDropout(modality_dropout, name="modality_dropout")

    @property
    def modalities(self):
        """The names of the modalities, in the order of the fusion."""
        return self.fusion.modalities

    def call(self, inputs, training=False):
        values, mask = self._encode(inputs, training)
        fused = self.fusion(values, mask=mask, training=training)
        return fused if self.head is None else self.head(fused, training=training)

    def compute_shares(self, inputs):
        """Computes the share of each modality in the fused output; see `FusionBlock`.

        Args:
            inputs: see `call`.

        Returns:
            Float32 tensor `(batch, modalities)`.
        """
        values, mask = self._encode(inputs, training=False)
        return self.fusion(values, mask=mask, return_shares=True)[-1]

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
        learning_rate_multipliers=None,
    ):
        """Configures training, with optional learning rate multipliers of the encoders.

        Args:
            optimizer: as in `keras.Model.compile`, like all arguments but the last.
            learning_rate_multipliers: dict, modality -> float. Scales each update of the weights
                of the modality's encoder, for any optimizer: with 0.1, the encoder learns at a
                tenth of the learning rate, schedules and callbacks included. Defaults to 1.
        """
        multipliers = dict(learning_rate_multipliers or {})
        unknown = sorted(set(multipliers) - set(self.encoders))
        if unknown:
            raise ValueError(
                f"`learning_rate_multipliers` has {unknown[0]!r}, which has no encoder. Encoders: "
                f"{', '.join(map(repr, self.encoders))}."
            )
        optimizer = keras.optimizers.get(optimizer)
        scaled = scale_updates(optimizer, self._update_scale) if multipliers else optimizer
        super().compile(
            scaled,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )
        self.learning_rate_multipliers = multipliers
        save_optimizer_as(self, optimizer)

    def _update_scale(self, variable):
        for name, multiplier in self.learning_rate_multipliers.items():
            if any(variable is weight for weight in self.encoders[name].trainable_weights):
                return multiplier
        return 1.0

    def get_compile_config(self):
        config = super().get_compile_config()
        return config and {**config, "learning_rate_multipliers": self.learning_rate_multipliers}

    def enable_lora(self, rank):
        """Freezes the encoders and adds trainable low-rank adapters to them: LoRA.

        Fusion and head stay trainable. Compile the model afterwards. Saved files have the adapters
        merged into the weights, and load as a model without adapters.

        Args:
            rank: int. Rank of the adapters.

        Raises:
            ValueError: if the model has not been built, or already has adapters.
        """
        check_integer(self, "rank", rank)
        check_without_adapters(self)
        for encoder in {id(encoder): encoder for encoder in self.encoders.values()}.values():
            add_low_rank_adapters(encoder, rank)

    def export(self, folder, inputs, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        Both signatures take each modality and its mask, `False` where it is missing:
        `serving_default` returns `outputs`, and `shares` returns the `shares` of the modalities.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
            inputs: dict of arrays, a batch of inputs with every modality, which sets the dtypes and
                shapes. The exported model accepts any batch size and number of masked tokens.
            manifest: dict or `None`. Further entries of `manifest.json`.

        Returns:
            The path of the new version.
        """
        return export_fusion(self, folder, inputs, manifest)

    def _encode(self, inputs, training):
        """Encodes the modalities of `inputs`; returns tensors and masks, dicts by modality."""
        known = {*self.modalities, *(f"{name}_mask" for name in self.modalities)}
        unknown = sorted(set(inputs) - known)
        if unknown:
            raise ValueError(
                f"`inputs` has {unknown[0]!r}, which is neither a modality "
                f"({', '.join(map(repr, self.modalities))}) nor a mask, such as "
                f"'{self.modalities[0]}_mask'."
            )
        values, masks = {}, {}
        for name in self.modalities:
            if inputs.get(name) is not None:
                encoder, mask = self.encoders.get(name), inputs.get(f"{name}_mask")
                values[name], masks[name] = encode_modality(encoder, inputs[name], mask, training)
        return values, self.modality_dropout(values, masks, training=training)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoders": {
                name: remove_adapters(serialize(encoder)) for name, encoder in self.encoders.items()
            },
            "fusion": serialize(self.fusion),
            "head": serialize(self.head),
            "modality_dropout": self.modality_dropout.rate,
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        encoders = {name: deserialize(encoder) for name, encoder in config["encoders"].items()}
        parts = {name: deserialize(config[name]) for name in ("fusion", "head")}
        return cls(**{**config, "encoders": encoders, **parts})


def encode_modality(encoder, value, mask, training):
    """Encodes a modality.

    Args:
        encoder: layer, or `None` to return `value` unchanged.
        value: input of the encoder.
        mask: bool tensor `(batch,)` or `(batch, tokens)`, or `None`.
        training: bool. Passed explicitly: in `stateless_call`, used by `fit` on JAX, Keras does not
            pass it to the layers of a model.

    Returns:
        A tuple of the encoded tensor and its mask, a bool tensor or `None`.
    """
    if mask is not None:
        mask = ops.cast(mask, "bool")
        value = zero_masked(value, mask)
    if encoder is not None:
        arguments = inspect.signature(encoder.call).parameters
        accepts_mask = encoder.supports_masking and "mask" in arguments
        masks = {"mask": mask} if accepts_mask else {}
        encoded = encoder(value, **masks, training=training)
        # Pooling layers return no mask; missing samples stay masked.
        encoded_mask = encoder.compute_mask(value, mask)
        mask = mask if encoded_mask is None else encoded_mask
        value = encoded
    if mask is not None and len(value.shape) == 2 and len(mask.shape) == 2:
        mask = ops.any(mask, axis=1)  # The tokens were pooled.
    return value, mask
