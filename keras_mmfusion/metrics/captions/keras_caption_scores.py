"""Caption scores as a Keras metric and as a callback on a validation set."""

import keras
import numpy as np

from keras_mmfusion.metrics.captions.caption_inputs import as_list, check_references
from keras_mmfusion.metrics.captions.caption_scores import (
    check_metrics,
    coco_caption_scores,
    score_tokens,
)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CaptionScores(keras.metrics.Metric):
    """Computes BLEU, ROUGE-L, CIDEr and METEOR of the captions since the last reset.

    These are corpus scores, not means over batches: captions are collected, and `result` computes
    the scores of `coco_caption_scores`. A compiled graph cannot process strings, so `compile`
    needs `run_eagerly=True`. On JAX, where Keras traces metrics even then, use
    `CaptionScoresCallback` or call `update_state` yourself.

    Args:
        metrics: names of metrics, as for `coco_caption_scores`.
        tokenizer: object whose `detokenize` converts a batch of token ids to strings. Without a
            tokenizer, ids are scored as tokens without `padding_id` (not for METEOR).
        padding_id: int. The id of padding.
        name: string. The name of the metric.

    Call arguments of `update_state`:
        y_true: references. Strings `(batch, references)` or `(batch,)`, padded with empty
            strings; or ids `(batch, references, length)` or `(batch, length)`, padded with rows
            of `padding_id`.
        y_pred: candidates. Strings `(batch,)` or ids `(batch, length)`.

    Raises:
        TypeError: if the captions are symbolic tensors.
        ValueError: if the batch sizes differ, or an image has no reference.

    Example:

    >>> metric = CaptionScores(metrics=("bleu",))
    >>> metric.update_state([["A dog runs.", "The dog runs."]], ["A dog runs"])
    >>> {name: round(score, 3) for name, score in metric.result().items()}
    {'bleu_1': 1.0, 'bleu_2': 1.0, 'bleu_3': 1.0, 'bleu_4': 0.032}
    """

    def __init__(
        self,
        metrics=("bleu", "rouge_l", "cider"),
        tokenizer=None,
        padding_id=0,
        name="caption_scores",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.metrics = check_metrics(metrics)
        self.tokenizer = tokenizer
        self.padding_id = padding_id
        self._references, self._candidates = [], []

    def update_state(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise ValueError("`sample_weight` must be None: corpus scores have no weights.")
        references, candidates = (
            [values] if isinstance(values, str) else values
            for values in (_to_nested(y_true, "y_true"), _to_nested(y_pred, "y_pred"))
        )
        if len(references) != len(candidates):
            raise ValueError(
                "`y_true` and `y_pred` must have the same batch size, not "
                f"{len(references)} and {len(candidates)}."
            )
        candidates = self._to_captions(candidates)
        for captions in references:
            is_nested = isinstance(captions, list) and isinstance(captions[0], (str, list))
            each = self._to_captions(captions if is_nested else [captions])
            each = [caption for caption in each if len(caption)]
            if not each:
                raise ValueError("`y_true` must have a reference for each image; one has none.")
            self._references.append(each)
        self._candidates += candidates

    def _to_captions(self, captions):
        """Detokenizes ids or, without a tokenizer, removes their padding; keeps strings."""
        if captions and isinstance(captions[0], list):
            if self.tokenizer is None:
                return [[i for i in caption if i != self.padding_id] for caption in captions]
            return _to_nested(self.tokenizer.detokenize(np.array(captions)), "detokenize")
        return captions

    def result(self):
        """Computes the scores, a dict of floats; empty before the first caption."""
        if not self._candidates:
            return {}
        references = dict(enumerate(self._references))
        candidates = dict(enumerate(self._candidates))
        are_strings = isinstance(self._candidates[0], str)
        score = coco_caption_scores if are_strings else score_tokens
        scores = score(references, candidates, self.metrics)
        return {name: value for name, value in scores.items() if isinstance(value, float)}

    def reset_state(self):
        self._references, self._candidates = [], []

    def get_config(self):
        return super().get_config() | {
            "metrics": list(self.metrics),
            "tokenizer": keras.saving.serialize_keras_object(self.tokenizer),
            "padding_id": self.padding_id,
        }

    @classmethod
    def from_config(cls, config):
        config["tokenizer"] = keras.saving.deserialize_keras_object(config["tokenizer"])
        return super().from_config(config)


class CaptionScoresCallback(keras.callbacks.Callback):
    """Captions a validation set after each epoch and adds the scores to the epoch's logs.

    Adds `val_bleu_1`, `val_cider` and so on, for `ModelCheckpoint`, `EarlyStopping` and
    `CSVLogger` callbacks that come after this one in the list.

    Args:
        inputs: the validation inputs, in the form that `generate` accepts.
        references: list with a list of strings for each input.
        generate: function from `inputs` to a list of strings. Defaults to the model's `generate`.
        metrics: names of metrics, as for `coco_caption_scores`.

    Raises:
        ValueError: if a metric is unknown, or `generate` returns another number of captions.

    Example:

    >>> callback = CaptionScoresCallback([0], [["A dog runs."]], generate=lambda x: ["A dog runs"])
    >>> logs = {}
    >>> callback.on_epoch_end(0, logs)
    >>> round(logs["val_rouge_l"], 3)
    1.0
    """

    def __init__(self, inputs, references, generate=None, metrics=("bleu", "rouge_l", "cider")):
        super().__init__()
        self.inputs = inputs
        self.references = list(references)
        check_references(dict(enumerate(self.references)))
        self.generate = generate
        self.metrics = check_metrics(metrics)

    def on_epoch_end(self, epoch, logs=None):
        captions = as_list((self.generate or self.model.generate)(self.inputs))
        if len(captions) != len(self.references):
            raise ValueError(
                f"`generate` must return a caption for each of the {len(self.references)} "
                f"references, not {len(captions)}."
            )
        scores = coco_caption_scores(
            dict(enumerate(self.references)), dict(enumerate(captions)), self.metrics
        )
        if logs is not None:
            logs.update({f"val_{k}": v for k, v in scores.items() if isinstance(v, float)})


def _to_nested(values, argument):
    """Converts lists, NumPy arrays or eager tensors of strings or ids to nested lists."""
    if isinstance(values, (list, tuple)):
        return [
            _to_nested(v, argument)
            if hasattr(v, "__len__") and not isinstance(v, (str, bytes))
            else _decode(v)
            for v in values
        ]
    if hasattr(values, "to_list"):  # A ragged tensor.
        return _to_nested(values.to_list(), argument)
    if isinstance(values, (str, bytes)):
        return _decode(values)
    if not isinstance(values, np.ndarray):
        try:
            values = values.numpy() if hasattr(values, "numpy") else np.asarray(values)
        except (NotImplementedError, AttributeError, RuntimeError, TypeError) as error:
            raise TypeError(
                f"`{argument}` must have values, not be a symbolic tensor. Compile the model with "
                "run_eagerly=True."
            ) from error
    return _to_nested(values.tolist(), argument)


def _decode(value):
    return value.decode("utf-8") if isinstance(value, bytes) else value
