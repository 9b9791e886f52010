import keras
from keras import ops

from keras_mmfusion._keras_internals import aggregate_loss
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.pooled_projection import PooledProjection
from keras_mmfusion.losses.info_nce_loss import InfoNCELoss
from keras_mmfusion.losses.pair_loss import cosine_similarities
from keras_mmfusion.models.retrieval.contrastive_model import ContrastiveModel
from keras_mmfusion.models.retrieval.pair_matching import match_pairs, rerank_candidates

NO_MATCH, MATCH = 0, 1  # Indices of the logits.
_EXCLUDED = -1e9


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BlipMatcher(ContrastiveModel):
    """BLIP for image-text retrieval: embeddings for search, and a classifier of pairs.

    ```
    image_tokens = image_encoder(images)                              # VisionTransformer
    e_image = W_image image_tokens_first,  e_text = W_text text_encoder(texts)_first
    match_logits = W text_encoder(texts, image_tokens)_first          # (no match, match)
    ```

    The embeddings (ITC in the paper) are those of a `ContrastiveModel`, with all of its methods.
    `match` attends from the text to the image (ITM), which is more accurate, and computes every
    pair anew: `rerank` applies it to the nearest candidates of `retrieve`.

    `fit` trains both: the loss of the embeddings, plus the cross-entropy of the match logits of
    each pair, and of each image and each text with a hard negative. Negatives are drawn from the
    batch in proportion to their probabilities by the embeddings; `evaluate` takes the most
    probable. Under `tf.distribute` they are drawn from the same replica. There are no momentum
    encoders and no queue.

    Args:
        image_encoder: `VisionTransformer`.
        text_encoder: `BertTextEncoder`.
        dim: int. Size of the embeddings.
        loss: see `ContrastiveModel`. Its temperature is not part of BLIP's checkpoints.
        preprocessor: `RetrievalPreprocessor` or `None`.

    Call arguments:
        inputs: dict with `"image"`, float `(batch, height, width, 3)`, or `"image_tokens"`; and
            `"text"`, a dict of int `"token_ids"` and bool `"padding_mask"`, `(batch, tokens)`.

    Output shape:
        A dict of `"image"` and `"text"`, `(batch, dim)`, not normalized. With `training=True`,
        also `"match_logits"`, `(3 * batch, 2)`: those of the pairs, of each text with a negative
        image, and of each image with a negative text.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.encoders import VisionTransformer
    >>> from keras_mmfusion.models import BertTextEncoder, BlipMatcher
    >>> model = BlipMatcher(
    ...     VisionTransformer(
    ...         image_size=32, patch_size=16, dim=8, num_layers=1, num_heads=2, mlp_dim=16),
    ...     BertTextEncoder(50, dim=8, num_layers=1, num_heads=2, image_dim=8),
    ...     dim=4,
    ... )
    >>> images, ids = np.zeros((2, 32, 32, 3), "float32"), np.array([[1, 4, 2], [1, 2, 0]])
    >>> text = {"token_ids": ids, "padding_mask": ids > 0}
    >>> tuple(model({"image": images, "text": text})["text"].shape)
    (2, 4)
    >>> tuple(model.compute_match_logits(model.image_encoder(images), text).shape)
    (2, 2)

    Reference:
        Li et al., "BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language
        Understanding and Generation", 2022, sections 3.2 and 5.1.
    """

    parts = ("image_encoder", "text_encoder", "loss", "preprocessor")

    def __init__(
        self, image_encoder, text_encoder, dim=256, loss=None, preprocessor=None, **kwargs
    ):
        projectors = {
            name: PooledProjection(
                dim, "first", use_bias=True, dtype=encoder.dtype_policy, name=f"{name}_projector"
            )
            for name, encoder in (("image", image_encoder), ("text", text_encoder))
        }
        super().__init__(
            {"image": image_encoder, "text": text_encoder},
            InfoNCELoss() if loss is None else loss,
            projectors,
            preprocessor,
            **kwargs,
        )
        self.dim = dim
        self.match_head = Dense(2, dtype=text_encoder.dtype_policy, name="match_head")
        self.seed_generator = keras.random.SeedGenerator()
        self.build()

    def build(self, inputs_shape=None):
        """Builds every part by a symbolic call, so that all weights exist before loading."""
        images = keras.KerasTensor((None, *self.image_encoder.input_shape[1:]), dtype="float32")
        text = {
            "token_ids": keras.KerasTensor((None, 2), dtype="int32"),
            "padding_mask": keras.KerasTensor((None, 2), dtype="bool"),
        }
        image_tokens = self.image_encoder(images)
        self.compute_embeddings({"image_tokens": image_tokens, "text": text})
        self.compute_match_logits(image_tokens, text)
        self.built = True

    def call(self, inputs, training=None):
        if not training:
            return super().call(inputs, training=training)
        inputs = dict(inputs)
        if "image_tokens" not in inputs and "image" in inputs:
            inputs["image_tokens"] = self.image_encoder(inputs["image"], training=training)
        outputs = super().call(inputs, training=training)
        outputs["match_logits"] = self._compute_training_logits(inputs, outputs, training)
        return outputs

    def _encode(self, name, inputs, training):
        if name == "image":
            return super()._encode(name, inputs, training)
        mask = inputs.get("padding_mask")
        return self.text_encoder(inputs["token_ids"], padding_mask=mask, training=training)

    def compute_match_logits(self, image_tokens, text, training=None):
        """Computes the match logits of pairs.

        Args:
            image_tokens: float tensor `(pairs, image_tokens, image_dim)`.
            text: dict of `"token_ids"` and `"padding_mask"`, `(pairs, tokens)`.
            training: bool. Whether dropout is active.

        Returns:
            Tensor `(pairs, 2)`: the logits of no match and of a match.
        """
        tokens = self.text_encoder(
            text["token_ids"],
            image_tokens,
            padding_mask=text.get("padding_mask"),
            training=training,
        )
        return self.match_head(tokens[:, 0])

    def _compute_training_logits(self, inputs, embeddings, training):
        images, texts = (ops.cast(embeddings[name], "float32") for name in ("image", "text"))
        similarities = cosine_similarities(images, texts)
        rows = ops.arange(ops.shape(similarities)[0])
        negative_texts = self._draw_negatives(similarities, training)
        negative_images = self._draw_negatives(ops.transpose(similarities), training)
        image_rows = ops.concatenate([rows, negative_images, rows])
        text_rows = ops.concatenate([rows, rows, negative_texts])
        return self.compute_match_logits(
            ops.take(inputs["image_tokens"], image_rows, axis=0),
            {name: ops.take(x, text_rows, axis=0) for name, x in inputs["text"].items()},
            training,
        )

    def _draw_negatives(self, similarities, training):
        """Returns a column for each row, but not the one on the diagonal."""
        logits = similarities
        if training:
            if self.pair_loss.logit_scale is not None:
                logits = self.pair_loss.logit_scale(logits)
            shape = ops.shape(similarities)
            uniform = keras.random.uniform(shape, 1e-6, 1.0 - 1e-6, seed=self.seed_generator)
            logits = logits - ops.log(-ops.log(uniform))  # Gumbel noise: draws by the softmax.
        logits = logits + _EXCLUDED * ops.eye(ops.shape(logits)[0], dtype=logits.dtype)
        rows = ops.arange(ops.shape(logits)[0])
        return ops.cast(ops.argmax(logits, axis=1), rows.dtype)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        logits = y_pred.get("match_logits")
        if logits is None:
            x = {"image_tokens": self.image_encoder(x["image"], training=False), **x}
            logits = self._compute_training_logits(x, y_pred, training=False)
        log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        pairs, *negatives = ops.split(log_probs, 3)
        negative = sum(each[:, NO_MATCH] for each in negatives)
        # The only pair of a batch has no negatives.
        negative = ops.where(ops.shape(pairs)[0] > 1, negative, 0.0)
        losses = -(pairs[:, MATCH] + negative) / 3
        if sample_weight is not None:
            losses = losses * ops.cast(sample_weight, losses.dtype)
        return loss + aggregate_loss(self, ops.mean(losses))

    def match(self, images, texts, batch_size=32):
        """Computes the probabilities that images match texts.

        Args:
            images: one image or several, as for `embed`.
            texts: string or strings, one for each image; several texts may share one image, and
                several images one text.
            batch_size: int. Number of images or pairs that are computed at once.

        Returns:
            A float32 NumPy array `(pairs,)`.

        Raises:
            ValueError: if the numbers of images and texts differ, an image cannot be read, or the
                model has no preprocessor.
        """
        return match_pairs(self, images, texts, batch_size)

    def rerank(self, queries, candidates, indices, cosines, batch_size=32):
        """Sorts the candidates of `retrieve` again by their match logits.

        As in BLIP's evaluation, the score is the logit of a match plus the cosine.

        ```python
        indices, cosines = model.retrieve({"text": texts}, vectors, k=20)
        indices, scores = model.rerank({"text": texts}, {"image": paths}, indices, cosines)
        ```

        Args:
            queries, candidates: dicts of one modality with raw data, as for `retrieve`.
            indices, cosines: arrays `(queries, k)`, the results of `retrieve`.
            batch_size: int. Number of images or pairs that are computed at once.

        Returns:
            Two NumPy arrays `(queries, k)`: the indices, best first, and their scores.
        """
        return rerank_candidates(self, queries, candidates, indices, cosines, batch_size)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "image_encoder": serialize(self.image_encoder),
            "text_encoder": serialize(self.text_encoder),
            "dim": self.dim,
            "loss": serialize(self.pair_loss),
            "preprocessor": serialize(self.preprocessor),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for part in cls.parts:
            if isinstance(config[part], dict):
                config[part] = keras.saving.deserialize_keras_object(config[part])
        return cls(**config)
