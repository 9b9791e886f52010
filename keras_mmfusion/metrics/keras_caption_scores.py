"""Caption scores as a Keras metric, and as a callback on a dev set."""

import keras
import numpy as np

from keras_mmfusion.metrics.caption_inputs import as_list, check_references
from keras_mmfusion.metrics.caption_scores import check_metrics, coco_caption_scores, score_tokens


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class CaptionScores(keras.metrics.Metric):
    """BLEU, ROUGE-L, CIDEr and METEOR of the captions seen since the last reset.

    The scores are of the whole set and no mean over batches: captions are kept, and scored when
    the result is asked for, with the numbers of `coco_caption_scores`. Strings are no tensors
    that a compiled graph could count, so `compile` needs `run_eagerly=True` for it; on JAX, where
    Keras traces metrics all the same, use `CaptionScoresCallback` or call `update_state` yourself.

    Args:
        metrics: names of metrics, as for `coco_caption_scores`.
        tokenizer: object whose `detokenize` turns a batch of token ids into strings, for
            captions that come as ids. Without one, ids are themselves the tokens that are scored
            (not for METEOR), `padding_id` dropped.
        padding_id: int. The id that fills captions up to one length.
        name: string. The name of the metric.

    Call arguments of `update_state`:
        y_true: references. Strings `(batch, references)` or `(batch,)`, an empty string where an
            image has fewer references; or ids `(batch, references, length)` or
            `(batch, length)`, a row of padding where it has fewer.
        y_pred: candidates. Strings `(batch,)` or ids `(batch, length)`.

    Raises:
        TypeError: if the captions are symbolic tensors of a compiled graph.
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
                "`y_true` and `y_pred` must have one batch size, not "
                f"{len(references)} and {len(candidates)}."
            )
        candidates = self._captions(candidates)
        for captions in references:
            several = isinstance(captions, list) and isinstance(captions[0], (str, list))
            each = self._captions(captions if several else [captions])
            each = [caption for caption in each if len(caption)]
            if not each:
                raise ValueError("`y_true` must have a reference for each image; one has none.")
            self._references.append(each)
        self._candidates += candidates

    def _captions(self, captions):
        """Strings as they are, ids as strings or, without a tokenizer, without their padding."""
        if captions and isinstance(captions[0], list):
            if self.tokenizer is None:
                return [[i for i in caption if i != self.padding_id] for caption in captions]
            return _to_nested(self.tokenizer.detokenize(np.array(captions)), "detokenize's result")
        return captions

    def result(self):
        """The scores: a dict of floats, empty before the first caption."""
        if not self._candidates:
            return {}
        references = dict(enumerate(self._references))
        candidates = dict(enumerate(self._candidates))
        strings = isinstance(self._candidates[0], str)
        score = coco_caption_scores if strings else score_tokens
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
    """Captions a dev set after each epoch and puts its scores among the epoch's logs.

    The logs get `val_bleu_1`, `val_cider` and so on, which `ModelCheckpoint`, `EarlyStopping` and
    `CSVLogger` that come after this callback can use.

    Args:
        inputs: what `generate` takes for the whole dev set.
        references: list, an image's list of strings for each input.
        generate: function from `inputs` to a list of strings. Without one, the model's `generate`.
        metrics: names of metrics, as for `coco_caption_scores`.

    Raises:
        ValueError: if a metric is not known, or `generate` gives another number of captions.

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
                f"`generate` must give a caption for each of the {len(self.references)} "
                f"references, not {len(captions)}."
            )
        scores = coco_caption_scores(
            dict(enumerate(self.references)), dict(enumerate(captions)), self.metrics
        )
        if logs is not None:
            logs.update({f"val_{k}": v for k, v in scores.items() if isinstance(v, float)})


def _to_nested(values, argument):
    """Strings or ids as nested lists, out of lists, NumPy arrays or eager tensors."""
    if isinstance(values, (list, tuple)):
        return [
            _to_nested(v, argument)
            if hasattr(v, "__len__") and not isinstance(v, (str, bytes))
            else _plain(v)
            for v in values
        ]
    if hasattr(values, "to_list"):  # A ragged tensor.
        return _to_nested(values.to_list(), argument)
    if isinstance(values, (str, bytes)):
        return _plain(values)
    if not isinstance(values, np.ndarray):
        try:
            values = values.numpy() if hasattr(values, "numpy") else np.asarray(values)
        except (NotImplementedError, AttributeError, RuntimeError, TypeError) as error:
            raise TypeError(
                f"`{argument}` must have values, not be a symbolic tensor: compile the model with "
                "run_eagerly=True."
            ) from error
    return _to_nested(values.tolist(), argument)


def _plain(value):
    return value.decode("utf-8") if isinstance(value, bytes) else value
