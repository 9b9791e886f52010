import keras
import keras_hub
from keras import ops

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion.layers.sort_by_mask import sort_by_mask, take_tokens
from keras_mmfusion.layers.transformer_block import TransformerBlock
from keras_mmfusion.models.compiled_function import resolve_jit_compile
from keras_mmfusion.models.language.causal_layers import (
    add_positions,
    apply_layers,
    count_heads,
    find_backbone,
)
from keras_mmfusion.models.language.connectors import FUSION, GATED, make_connector
from keras_mmfusion.models.language.item_encoding import encode_items, join_items
from keras_mmfusion.models.language.multimodal_preprocessor import MultimodalPreprocessor
from keras_mmfusion.models.language.placeholders import mask_later_items, replace_placeholders
from keras_mmfusion.models.language.text_generation import TextGeneration
from keras_mmfusion.models.language.text_generator import TextGenerator
from keras_mmfusion.models.low_rank_adaptation import (
    add_low_rank_adapters,
    check_without_adapters,
    remove_adapters,
)
from keras_mmfusion.models.task_model import TaskModel


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class MultimodalLM(TextGeneration, TaskModel, keras_hub.models.Task):
    """Predicts and generates texts with images, tables, audio, or other items in them.

    ```
    h_m = connector_m(encoder_m(x_m))                   for each modality m
    e_t = TokenEmbedding(id_t), or the next token of h_m if id_t is the placeholder of m
    logits = LanguageModel(e_1, ..., e_n)
    ```

    A sample has any number of items of each modality, in any order, or none. With
    `fusion="gated_cross_attention"`, the embeddings stay as they are, and in front of every
    `cross_every`-th layer of the language model, each token attends to the items that are not after
    it in the text. This has no effect at first, since the gates are initialized to zero.

    Args:
        language_model: `keras_hub.models.CausalLM` or its backbone, such as `LlamaLanguageModel`
            or `Gpt2LanguageModel`; see `zoo.language_model`. Its weights are used, not copied.
        encoders: dict, modality -> layer or model that maps items `(batch, ...)` to tokens
            `(batch, tokens, dim)`, a feature map, or vectors `(batch, dim)`.
        connectors: dict, modality -> layer that maps tokens to tokens of the language model's
            size: an `MLPConnector`, a `PixelShuffleConnector`, a rule for tokens of this modality
            such as `PerceiverResampler(("image",), dim)` and `QFormer`, or any other layer. The
            items of a modality without an encoder are tokens already. Connectors that are missing
            are created by `fusion`.
        preprocessor: `MultimodalPreprocessor`, or `None` for a model of arrays.
        fusion: string. `"prefix"` (an `MLPConnector`: as many tokens as the encoder),
            `"pixel_shuffle"` (a quarter of the tokens of an image, with all information),
            `"resampler"` (64 tokens), `"qformer"` (32 tokens), or `"gated_cross_attention"` (a
            resampler with 64 tokens that do not lengthen the sequence).
        placeholders: dict, modality -> id of its placeholder token. Defaults to those of the
            preprocessor, or to the ids after the vocabulary.
        cross_every: int. With gated cross-attention, the distance of the layers with it.
        item_shapes: dict, modality -> shape of an item, such as `(224, 224, 3)`. Functional
            encoders have it. If it is known for every modality, the weights are created at once;
            otherwise in the first call, which then needs every modality.
        **kwargs: passed to `keras_hub.models.Task`.

    Call arguments:
        inputs: dict of `"token_ids"`, int `(batch, tokens)`, with one placeholder for each token of
            an item, or one for each item with gated cross-attention; `"padding_mask"`, bool of the
            same shape, `False` for padding, which may be anywhere; modality -> items
            `(batch, items, ...)`; and `"<modality>_mask"`, bool `(batch, items)`, or
            `(batch, items, tokens)` for tokens without an encoder, `False` for padding. A missing
            modality may be masked or omitted. Masked items, NaN included,
            do not affect the output.
        training: bool.

    Returns:
        Logits `(batch, tokens, vocabulary_size)`. Those of padding have no meaning.

    Raises:
        ValueError: if the language model is not supported, or an input is unknown.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.models import LlamaBackbone, MultimodalLM
    >>> backbone = LlamaBackbone(20, 1, 2, 8, 12, 1, tie_word_embeddings=True)
    >>> model = MultimodalLM(backbone, {"table": keras.layers.Dense(4)})
    >>> model.placeholders
    {'table': 20}
    >>> inputs = {"token_ids": np.array([[5, 20, 20, 7]]), "table": np.ones((1, 2, 3))}
    >>> tuple(model(inputs).shape)
    (1, 4, 20)

    Reference:
        Liu et al., "Visual Instruction Tuning", 2023, section 4.1; Li et al., "BLIP-2", 2023; gated
        cross-attention: Alayrac et al., "Flamingo: a Visual Language Model for Few-Shot Learning",
        2022, section 2.2; here with all preceding items, not only the last one.
    """

    preprocessor_cls = MultimodalPreprocessor

    def __init__(
        self,
        language_model,
        encoders=None,
        connectors=None,
        preprocessor=None,
        fusion="prefix",
        placeholders=None,
        cross_every=4,
        item_shapes=None,
        **kwargs,
    ):
        backbone = find_backbone(language_model)
        super().__init__(compile=False, autocast=False, **kwargs)
        self.backbone = backbone
        self.dtype_policy = backbone.dtype_policy
        self.preprocessor = preprocessor
        self.fusion = check_choice(self, "fusion", fusion, FUSION)
        self.cross_every = check_integer(self, "cross_every", cross_every)
        self.encoders = dict(encoders or {})
        connectors = dict(connectors or {})
        names = tuple(dict.fromkeys([*self.encoders, *connectors]))
        if not names:
            raise ValueError("MultimodalLM: `encoders` or `connectors` must have a modality.")
        self.modalities = names
        self.connectors = {
            name: connectors.get(name) or make_connector(fusion, name, backbone) for name in names
        }
        self.placeholders = self._resolve_placeholders(placeholders)
        self.cross_blocks = self._make_cross_blocks() if self.fusion == GATED else {}
        self.item_shapes = self._find_item_shapes(item_shapes or {})
        self._generator = TextGenerator(self)
        self.compile()
        if len(self.item_shapes) == len(names):
            shapes = self.item_shapes.items()
            self.build({name: (None, None, *shape) for name, shape in shapes})

    def _find_item_shapes(self, item_shapes):
        for name in item_shapes:
            if name not in self.modalities:
                raise ValueError(
                    f"MultimodalLM: `item_shapes` has {name!r}, which is not one of the modalities "
                    f"{', '.join(map(repr, self.modalities))}."
                )
        shapes = {}
        for name in self.modalities:
            encoder_shape = getattr(self.encoders.get(name), "input_shape", None)
            if name in item_shapes:
                shapes[name] = tuple(item_shapes[name])
            elif isinstance(encoder_shape, tuple):
                shapes[name] = encoder_shape[1:]
        return shapes

    def _make_cross_blocks(self):
        dim, blocks = self.backbone.hidden_dim, {}
        for i in range(0, len(self.backbone.transformer_layers), self.cross_every):
            block = TransformerBlock(
                count_heads(self.backbone),
                4 * dim,
                gated=True,
                dtype=self.dtype_policy,
                name=f"cross_block_{i}",
            )
            block.build((None, None, dim), (None, None, dim))
            blocks[str(i)] = block
        return blocks

    def _resolve_placeholders(self, placeholders):
        if placeholders is None and self.preprocessor is not None:
            placeholders = self.preprocessor.placeholders
        if placeholders is None:
            start = self.backbone.vocabulary_size
            placeholders = {name: start + i for i, name in enumerate(self.modalities)}
        if set(placeholders) != set(self.modalities):
            raise ValueError(
                "MultimodalLM: `placeholders`, or those of the preprocessor, must have an id for "
                f"each modality, {', '.join(map(repr, self.modalities))}. Received: {placeholders}"
            )
        return {name: int(placeholders[name]) for name in self.modalities}

    def build(self, inputs_shape):
        """Builds the encoders and connectors; `inputs_shape` has the shape of every modality."""
        missing = [name for name in self.modalities if inputs_shape.get(name) is None]
        if missing:
            raise ValueError(
                "The first call of the model needs every modality, to create its weights, unless "
                "`item_shapes` are given. Missing in `inputs`: "
                f"{', '.join(map(repr, missing))}."
            )
        for name in self.modalities:
            shape = (1, 1, *(size or 1 for size in inputs_shape[name][2:]))
            self._encode(name, keras.KerasTensor(shape, dtype="float32"), None, False)
            self.item_shapes[name] = tuple(inputs_shape[name][2:])
        self.built = True

    def call(self, inputs, training=None):
        self._check_inputs(inputs)
        ids = ops.cast(inputs["token_ids"], "int32")
        mask = inputs.get("padding_mask")
        mask = ops.ones_like(ids, dtype="bool") if mask is None else ops.cast(mask, "bool")
        order, ranks = sort_by_mask(mask)
        ids, mask = take_tokens(ids, order), take_tokens(mask, order)
        x, context = self.embed(ids, mask, inputs, training)
        positions = ops.broadcast_to(ops.arange(ops.shape(ids)[1]), ops.shape(ids))
        x = add_positions(self.backbone, x, positions, training)
        attend = self.make_attend(context, training=training)
        x, _ = apply_layers(self.backbone, x, mask, attend=attend, training=training)
        return self.backbone.token_embedding(take_tokens(x, ranks), reverse=True)

    def embed(self, ids, mask, inputs, training=None):
        """Embeds token ids and the items of the other modalities.

        Args:
            ids: int tensor `(batch, tokens)`.
            mask: bool tensor `(batch, tokens)`.
            inputs: dict, see `call`.
            training: bool.

        Returns:
            A tuple of embeddings `(batch, tokens, dim)` and the context of gated cross-attention:
            the tokens of all items `(batch, item tokens, dim)` and which of them each token of the
            text may attend to, bool `(batch, tokens, item tokens)`; or `None`.
        """
        in_text = {
            name: ops.logical_and(mask, ops.equal(ids, id))
            for name, id in self.placeholders.items()
        }
        is_text = ops.ones_like(mask)
        for is_placeholder in in_text.values():
            is_text = ops.logical_and(is_text, ops.logical_not(is_placeholder))
        x = self.backbone.token_embedding(ops.where(is_text, ids, 0))
        x = ops.where(ops.expand_dims(is_text, -1), x, 0)
        contexts, masks = [], []
        for name in self.modalities:
            if inputs.get(name) is None:
                continue
            item_mask = inputs.get(f"{name}_mask")
            tokens, token_mask = self._encode(name, inputs[name], item_mask, training)
            visible = mask_later_items(in_text[name], token_mask)
            tokens, token_mask = join_items(tokens), join_items(token_mask)
            if self.fusion == GATED:
                contexts.append(tokens)
                masks.append(visible)
            else:
                x = replace_placeholders(x, in_text[name], tokens, token_mask)
        if self.fusion != GATED:
            return x, None
        if not contexts:  # The MLPs of the gated blocks also apply to texts without items.
            contexts, masks = [ops.zeros_like(x[:, :1])], [ops.zeros_like(mask[:, :, None])]
        return x, (ops.concatenate(contexts, axis=1), ops.concatenate(masks, axis=2))

    def make_attend(self, context, tokens=slice(None), training=None):
        """Returns the function for gated cross-attention that `apply_layers` calls, or `None`.

        Args:
            context: tuple of items and mask, from `embed`, or `None`.
            tokens: slice of the tokens of the text that attend.
            training: bool.
        """
        if context is None:
            return None
        items, mask = context

        def attend(index, x):
            block = self.cross_blocks.get(str(index))
            if block is None:
                return x
            return block(x, items, attention_mask=mask[:, tokens], training=training)

        return attend

    def _encode(self, name, items, mask, training):
        return encode_items(
            name, self.encoders.get(name), self.connectors[name], items, mask, training
        )

    def _check_inputs(self, inputs):
        known = {"token_ids", "padding_mask"}
        known |= {*self.modalities, *(f"{name}_mask" for name in self.modalities)}
        unknown = sorted(set(inputs) - known)
        if unknown or inputs.get("token_ids") is None:
            raise ValueError(
                "MultimodalLM: `inputs` must have 'token_ids', and may have "
                f"{', '.join(map(repr, sorted(known - {'token_ids'})))}. Received: "
                f"{', '.join(map(repr, inputs))}"
            )

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        weighted_metrics="auto",
        jit_compile="auto",
        **kwargs,
    ):
        """Configures training; see `keras.Model.compile`.

        Args:
            optimizer: defaults to Adam with a learning rate of 2e-5.
            loss: defaults to the cross-entropy of the next tokens.
            weighted_metrics: defaults to the accuracy of the next tokens.
            jit_compile, **kwargs: see `keras.Model.compile`.
        """
        if optimizer == "auto":
            optimizer = keras.optimizers.Adam(2e-5)
        if loss == "auto":
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.SparseCategoricalAccuracy()]
        super().compile(
            optimizer=optimizer,
            loss=loss,
            weighted_metrics=weighted_metrics,
            jit_compile=resolve_jit_compile(jit_compile),
            **kwargs,
        )

    def fit(self, x=None, y=None, batch_size=None, epochs=1, *, validation_data=None, **kwargs):
        """Trains the model; see `keras.Model.fit`.

        Args:
            x: raw inputs, see `MultimodalPreprocessor`; or preprocessed ones, with `y`; or a
                dataset of preprocessed batches.
            y, batch_size, epochs, **kwargs: see `keras.Model.fit`.
            validation_data: raw inputs; or see `keras.Model.fit`.
        """
        if self._is_raw(x):
            x, y, kwargs["sample_weight"] = self.preprocessor(x)
        if self._is_raw(validation_data):
            validation_data = self.preprocessor(validation_data)
        return super().fit(x, y, batch_size, epochs, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """Evaluates the model on raw or preprocessed data; see `fit`."""
        if self._is_raw(x):
            x, y, kwargs["sample_weight"] = self.preprocessor(x)
        return super().evaluate(x, y, batch_size, **kwargs)

    def _is_raw(self, x):
        return isinstance(x, dict) and "prompts" in x

    def _uses_pipeline(self, y, *data):
        return False  # Items are read in Python.

    def _preprocess_data(self, data):
        return data

    def enable_lora(self, rank):
        """Freezes the language model and adds trainable low-rank adapters to its attention: LoRA.

        Connectors, gated blocks, and encoders are not changed. Compile the model afterwards. Saved
        files have the adapters merged into the weights.

        Args:
            rank: int. Rank of the adapters.

        Raises:
            ValueError: if the model has not been built, or already has adapters.
        """
        check_integer(self, "rank", rank)
        check_without_adapters(self)
        add_low_rank_adapters(self.backbone, rank, ("query", "value"))
        self.reset_compiled_functions()

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "language_model": remove_adapters(serialize(self.backbone)),
            "encoders": {
                name: remove_adapters(serialize(each)) for name, each in self.encoders.items()
            },
            "connectors": {name: serialize(each) for name, each in self.connectors.items()},
            "preprocessor": serialize(self.preprocessor),
            "fusion": self.fusion,
            "placeholders": self.placeholders,
            "cross_every": self.cross_every,
            "item_shapes": dict(self.item_shapes),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        parts = {
            argument: {name: deserialize(each) for name, each in config[argument].items()}
            for argument in ("encoders", "connectors")
        }
        for name in ("language_model", "preprocessor"):
            parts[name] = deserialize(config[name])
        return cls(**{**config, **parts})
