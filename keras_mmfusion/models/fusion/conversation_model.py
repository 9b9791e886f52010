import functools

import keras
from keras import ops

from keras_mmfusion.models.fusion.fusion_export import export_modalities
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.task_model import TaskModel


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ConversationModel(TaskModel, keras.Model):
    """Classifies each utterance of a conversation in the context of the others.

    ```
    h_t = utterance_model(x_t)              one vector for each utterance
    y_t = head(context(h_1, ..., h_T)_t)    in the context of all utterances
    ```

    Args:
        utterance_model: `FusionModel` without a head: it maps an utterance to a vector.
        context: layer that maps tokens `(batch, utterances, dim)` and their `mask` to tokens, such
            as `TokenEncoder`.
        head: layer applied to the tokens of the context, such as `Dense(1)`.

    Call arguments:
        inputs: dict, modality -> tensor `(batch, utterances, ...)`, for each utterance an input of
            the utterance model; and `"<modality>_mask"` -> bool tensor `(batch, utterances)`,
            `False` where the modality is missing. An utterance without modalities is padding. The
            first call needs every modality; afterwards, a modality that is missing in the whole
            batch may be `None` or omitted. Masked values, NaN included, do not affect the outputs
            of other utterances.
        training: bool.

    Output shape:
        `(batch, utterances, ...)`, the output of the head.

    Raises:
        ValueError: if `inputs` has an unknown modality, or all modalities are missing.

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
    >>> tuple(model({"text": data["text"]}).shape)  # text alone
    (2, 5, 1)

    Reference:
        Poria et al., "Context-Dependent Sentiment Analysis in User-Generated Videos", 2017, with
        a Transformer instead of the LSTM.
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
        mask = self._utterance_mask(inputs)
        flat = {name: ops.reshape(value, (-1, *value.shape[2:])) for name, value in inputs.items()}
        fused = self.utterance_model(flat, training=training)
        tokens = ops.reshape(fused, (*ops.shape(mask), fused.shape[-1]))
        tokens = self.context(tokens, mask=mask, training=training)
        return self.head(tokens, training=training)

    def _utterance_mask(self, inputs):
        """Returns which utterances have any modality: bool `(batch, utterances)`."""
        utterance_mask = None
        for name in self.modalities:
            if name in inputs:
                mask = inputs.get(f"{name}_mask")
                if mask is None:
                    mask = ops.ones(ops.shape(inputs[name])[:2], "bool")
                mask = ops.cast(mask, "bool")
                if utterance_mask is not None:
                    mask = ops.logical_or(utterance_mask, mask)
                utterance_mask = mask
        if utterance_mask is None:
            raise ValueError(
                "ConversationModel: `inputs` has none of the modalities "
                f"{', '.join(map(repr, self.modalities))}."
            )
        return utterance_mask

    def export(self, folder, inputs, manifest=None):
        """Writes the model as a SavedModel for TensorFlow Serving.

        `serving_default` takes each modality and its mask, `False` where it is missing, and returns
        `outputs`.

        Args:
            folder: string or path. The version goes into its subfolder `1`, the next one into `2`.
            inputs: dict of arrays, a batch of inputs with every modality, which sets the dtypes and
                shapes. The exported model accepts any batch size and number of masked tokens.
            manifest: dict or `None`. Further entries of `manifest.json`.

        Returns:
            The path of the new version.
        """
        functions = {"serving_default": functools.partial(self, training=False)}
        return export_modalities(self, functions, inputs, folder, manifest, mask_axes=2)

    def get_config(self):
        parts = {name: getattr(self, name) for name in ("utterance_model", "context", "head")}
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), **{name: serialize(part) for name, part in parts.items()}}

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        parts = {name: deserialize(config[name]) for name in ("utterance_model", "context", "head")}
        return cls(**{**config, **parts})
