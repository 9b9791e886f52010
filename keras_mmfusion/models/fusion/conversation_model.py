import functools

import keras
from keras import ops

from keras_mmfusion.models.fusion.fusion_export import export_fusion
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.known_inputs import KnownInputs
from keras_mmfusion.models.presets.preset_folder import PresetModel
from keras_mmfusion.models.steps_by_rank import StepsByRank


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ConversationModel(PresetModel, StepsByRank, KnownInputs, keras.Model):
    """Decides on each utterance of a conversation, with the others in view.

    ```
    h_t = utterance_model(x_t)              each utterance alone
    y_t = head(context(h_1, ..., h_T)_t)    what was said before and after
    ```

    Args:
        utterance_model: `FusionModel` that gives a vector of an utterance: one without a head.
        context: layer, tokens `(batch, utterances, dim)` and their `mask` to tokens, such as
            `TokenEncoder`.
        head: layer of the context's tokens, such as `Dense(1)`.

    Call arguments:
        inputs: dict, modality -> tensor `(batch, utterances, ...)`, behind the second dim what
            the utterance model takes; and `"<modality>_mask"` -> bool tensor `(batch,
            utterances)`, `False` where an utterance is without the modality. An utterance
            without any is padding. In the first call every modality is there; later, `None` or
            no entry for one that the whole batch is without. Whatever stands in a masked place,
            NaN included, never reaches the output of another utterance.
        training: bool.

    Output shape:
        `(batch, utterances, ...)`, as the head gives.

    Raises:
        ValueError: if `inputs` has a modality that the utterance model has not, or all are
            missing.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
    >>> from keras_mmfusion.models import ConversationModel, FusionModel
    >>> utterance_model = FusionModel(
    ...     {"text": VectorEncoder(16), "audio": VectorEncoder(16)},
    ...     FusionBlock(("text", "audio"), combine="concat", dim=16),
    ... )
    >>> model = ConversationModel(utterance_model, TokenEncoder(16), keras.layers.Dense(1))
    >>> data = {"text": np.ones((2, 5, 8)), "audio": np.ones((2, 5, 6))}
    >>> tuple(model(data).shape)
    (2, 5, 1)
    >>> tuple(model({"text": data["text"]}).shape)  # a silent film
    (2, 5, 1)

    Reference:
        Poria et al., "Context-Dependent Sentiment Analysis in User-Generated Videos", 2017, with
        a Transformer in the place of the LSTM.
    """

    def __init__(self, utterance_model, context, head, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if not isinstance(utterance_model, FusionModel):
            raise ValueError(
                f"`utterance_model` must be a `FusionModel`. Received: {utterance_model!r}"
            )
        self.utterance_model = utterance_model
        self.context = context
        self.head = head

    @property
    def modalities(self):
        """The names of the modalities, in the order of the fusion."""
        return self.utterance_model.modalities

    @property
    def encoders(self):
        """The encoders of the utterances, a dict by modality."""
        return self.utterance_model.encoders

    def call(self, inputs, training=False):
        inputs = {name: value for name, value in inputs.items() if value is not None}
        present = self._present(inputs)
        flat = {name: ops.reshape(value, (-1, *value.shape[2:])) for name, value in inputs.items()}
        fused = self.utterance_model(flat, training=training)
        tokens = ops.reshape(fused, (*ops.shape(present), fused.shape[-1]))
        tokens = self.context(tokens, mask=present, training=training)
        return self.head(tokens, training=training)

    def _present(self, inputs):
        """Which utterances have any modality: bool `(batch, utterances)`."""
        present = None
        for name in self.modalities:
            if name in inputs:
                mask = inputs.get(f"{name}_mask")
                if mask is None:
                    mask = ops.ones(ops.shape(inputs[name])[:2], "bool")
                mask = ops.cast(mask, "bool")
                present = mask if present is None else ops.logical_or(present, mask)
        if present is None:
            raise ValueError(
                "ConversationModel: `inputs` has none of the modalities "
                f"{', '.join(map(repr, self.modalities))}."
            )
        return present

    def export(self, folder, inputs, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes each modality and its mask, `False` where an utterance is without,
        and returns `outputs`.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
            inputs: dict of arrays, a batch as the model takes it, with every modality: it tells
                dtypes and shapes. Batches of any size are served, and masked tokens of any number.
            manifest: dict or `None`. What else `manifest.json` is to say.

        Returns:
            The path of the new version.
        """
        functions = {"serving_default": functools.partial(self, training=False)}
        return export_fusion(self, functions, inputs, folder, manifest, mask_axes=2)

    def get_config(self):
        parts = {name: getattr(self, name) for name in ("utterance_model", "context", "head")}
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), **{name: serialize(part) for name, part in parts.items()}}

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        parts = {name: deserialize(config[name]) for name in ("utterance_model", "context", "head")}
        return cls(**{**config, **parts})
