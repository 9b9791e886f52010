import functools
import inspect

import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.layers.masks import zero_masked
from keras_mmfusion.layers.modality_dropout import ModalityDropout
from keras_mmfusion.models.fusion.fusion_export import export_fusion
from keras_mmfusion.models.fusion.low_rank_adaptation import add_low_rank_adapters, without_adapters
from keras_mmfusion.models.fusion.scaled_updates import scaled_updates
from keras_mmfusion.models.known_inputs import KnownInputs
from keras_mmfusion.models.presets.preset_folder import PresetModel
from keras_mmfusion.models.steps_by_rank import StepsByRank


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FusionModel(PresetModel, StepsByRank, KnownInputs, keras.Model):
    """Any task on several modalities: encode each, align and fuse them, decide.

    ```
    h_m = encoder_m(x_m)            for each modality m
    y = head(fusion(h_1, ..., h_n))
    ```

    Args:
        encoders: dict, modality -> layer or model that gives tokens `(batch, tokens, dim)` or a
            vector `(batch, dim)`. What is masked is zeros, and `mask` is passed, if it supports
            masking and its call has that argument. No entry for a modality whose tensor goes to
            the fusion as it is.
        fusion: `FusionBlock`. Its `modalities` are the model's.
        head: layer of what the fusion gives, such as `Dense(1)`; `None` for a fusion that
            decides, with `num_outputs`.
        modality_dropout: float in [0, 1). How often `ModalityDropout` drops a modality in
            training, so that the model learns to do without.

    Call arguments:
        inputs: dict, modality -> what its encoder takes, and `"<modality>_mask"` -> bool tensor
            `(batch,)`, `False` where a sample is without the modality, or `(batch, tokens)`. In
            the first call every modality is there; later, `None` or no entry for one that the
            whole batch is without. Whatever stands in a masked place, NaN included, never
            reaches the output.
        training: bool.

    Output shape:
        That of the head.

    Raises:
        ValueError: if `encoders` or `inputs` has a modality that `fusion` has not, if all are
            missing, or if data for `fit`, `evaluate` or `predict` has NaN that no mask leaves out
            (`KnownInputs`), except for a `TableEncoder`.

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
    ...     "record_mask": np.arange(8) > 2,  # the first three have no record
    ... }
    >>> history = model.fit(data, np.arange(8) % 2, verbose=0)
    >>> model.predict({"notes": data["notes"]}, verbose=0).shape
    (8, 1)

    Reference:
        Baltrušaitis et al., "Multimodal Machine Learning: A Survey and Taxonomy", 2019.
    """

    def __init__(self, encoders, fusion, head=None, modality_dropout=0.0, **kwargs):
        # What is raw stays as it is until an encoder has scaled it.
        super().__init__(autocast=False, **kwargs)
        if not isinstance(fusion, FusionBlock):
            raise ValueError(f"`fusion` must be a `FusionBlock`. Received: {fusion!r}")
        unknown = sorted(set(encoders) - set(fusion.modalities))
        if unknown:
            raise ValueError(
                f"`encoders` has {unknown[0]!r}, which is not one of the modalities of `fusion`: "
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

    def shares(self, inputs):
        """How much each modality has to do with what the head gets; see `FusionBlock`.

        Args:
            inputs: as for the call.

        Returns:
            Float32 tensor `(batch, modalities)`.
        """
        values, mask = self._encode(inputs, training=False)
        return self.fusion(values, mask=mask, return_shares=True)[-1]

    def compile(self, optimizer="rmsprop", *args, learning_rate_multipliers=None, **kwargs):
        """Keras's `compile`, where encoders may learn faster or slower than the rest.

        Args:
            optimizer, *args, **kwargs: as for `keras.Model.compile`.
            learning_rate_multipliers: dict, modality -> float. Scales each update of the weights
                of that modality's encoder, by any optimizer: with 0.1 it learns at a tenth of the
                learning rate, schedules and callbacks included. 1 for those without an entry.
        """
        multipliers = dict(learning_rate_multipliers or {})
        unknown = sorted(set(multipliers) - set(self.encoders))
        if unknown:
            raise ValueError(
                f"`learning_rate_multipliers` has {unknown[0]!r}, which has no encoder. Those "
                f"that have one: {', '.join(map(repr, self.encoders))}."
            )
        optimizer = keras.optimizers.get(optimizer)
        scaled = scaled_updates(optimizer, self._update_scale) if multipliers else optimizer
        super().compile(scaled, *args, **kwargs)
        self.learning_rate_multipliers = multipliers
        self._compile_config.config["optimizer"] = optimizer

    def _update_scale(self, variable):
        for name, multiplier in self.learning_rate_multipliers.items():
            if any(variable is weight for weight in self.encoders[name].trainable_weights):
                return multiplier
        return 1.0

    def get_compile_config(self):
        config = super().get_compile_config()
        return config and {**config, "learning_rate_multipliers": self.learning_rate_multipliers}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)  # To be loaded, too.

    def enable_lora(self, rank):
        """Trains adapters of low rank in place of the encoders' weights: LoRA.

        Fusion and head train as before. Compile the model afterwards. What is saved has the
        adapters merged into the weights, and loads as a model without.

        Args:
            rank: int. The rank of the adapters.

        Raises:
            ValueError: if the model has not been called, or has adapters already.
        """
        check_integer(self, "rank", rank)
        if not self.built:
            raise ValueError("Call the model once, so that it has weights, before `enable_lora`.")
        encoders = {id(encoder): encoder for encoder in self.encoders.values()}.values()
        if any(getattr(x, "lora_enabled", False) for e in encoders for x in e._flatten_layers()):
            raise ValueError("The model has adapters already; saving it and loading merges them.")
        for encoder in encoders:
            add_low_rank_adapters(encoder, rank)

    def export(self, folder, inputs, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        Signatures take each modality and its mask, `False` where a sample is without:
        `serving_default` returns `outputs`, and `shares` the `shares` of the modalities.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
            inputs: dict of arrays, a batch as the model takes it, with every modality: it tells
                dtypes and shapes. Batches of any size are served, and masked tokens of any number.
            manifest: dict or `None`. What else `manifest.json` is to say.

        Returns:
            The path of the new version.
        """
        functions = {
            "serving_default": functools.partial(self, training=False),
            "shares": lambda inputs: {"shares": self.shares(inputs)},
        }
        return export_fusion(self, functions, inputs, folder, manifest)

    def _encode(self, inputs, training):
        """The encoded modalities that are there, and their masks."""
        known = {*self.modalities, *(f"{name}_mask" for name in self.modalities)}
        unknown = sorted(set(inputs) - known)
        if unknown:
            raise ValueError(
                f"`inputs` has {unknown[0]!r}, which is none of the modalities "
                f"{', '.join(map(repr, self.modalities))} nor a mask of one, such as "
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
                name: without_adapters(serialize(encoder))
                for name, encoder in self.encoders.items()
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
    """What an encoder makes of a modality, and the mask of that.

    Args:
        encoder: layer, or `None` for a modality that stays as it is.
        value: what the encoder takes.
        mask: bool tensor `(batch,)` or `(batch, tokens)`, or `None`.
        training: bool. Passed on explicitly: in `stateless_call`, with which `fit` trains on JAX,
            Keras does not pass it on to the layers of a model.

    Returns:
        A tuple of a tensor and a bool tensor or `None`.
    """
    if mask is not None:
        mask = ops.cast(mask, "bool")
        value = zero_masked(value, mask)
    if encoder is not None:
        arguments = inspect.signature(encoder.call).parameters
        takes_mask = encoder.supports_masking and "mask" in arguments
        masks = {"mask": mask} if takes_mask else {}
        encoded = encoder(value, **masks, training=training)
        # Layers that pool have no mask for their output, but what is missing stays missing.
        encoded_mask = encoder.compute_mask(value, mask)
        mask = mask if encoded_mask is None else encoded_mask
        value = encoded
    if mask is not None and len(value.shape) == 2 and len(mask.shape) == 2:
        mask = ops.any(mask, axis=1)  # Of tokens that were pooled.
    return value, mask
