"""The attention of a model for one sample, and values of its tokens from it."""

import typing

import numpy as np

from keras_mmfusion.explain.internals.attention_streams import JOINT, find_attention_streams
from keras_mmfusion.explain.internals.score_gradients import compute_attention_gradients
from keras_mmfusion.explain.part_values import drop_class_tokens


class AttentionCall(typing.NamedTuple):
    """One call of an attention layer.

    Args:
        query: string, the stream of the queries.
        keys: tuple of strings, the streams whose concatenated tokens are the keys.
        scores: float array `(heads, query_tokens, key_tokens)`.
        gradients: float array like `scores`, the gradient of the explained score.
        stage: the layer in which several streams attend to each other at the same time, or `None`.
    """

    query: str
    keys: tuple
    scores: np.ndarray
    gradients: np.ndarray
    stage: typing.Any = None


class SampleAttention:
    """The attention of a model for one sample.

    Args:
        explainable: `Explainable`.

    Attributes:
        calls: list of `AttentionCall`, in the order of the computation.
        lengths: dict, stream -> number of tokens.
        score: float, the score of the sample.
    """

    def __init__(self, explainable):
        self.explainable = explainable
        streams = find_attention_streams(explainable)
        self.rows = streams.rows
        layers = list(streams.layers)
        calls, remaining = [], {layer: list(pairs) for layer, pairs in streams.layers.items()}
        recorded, self.score = compute_attention_gradients(explainable, layers)
        for layer, scores, gradients in recorded:
            pairs = remaining[layer]
            query, keys = pairs.pop(0) if len(pairs) > 1 else pairs[0]
            # Windows of an image are further rows of the batch; a pooling layer has own queries.
            is_pooling = (query,) == keys and scores.shape[2] != scores.shape[3]
            if len(scores) == 1 and not is_pooling:
                stage = streams.stages.get(layer)
                calls.append(AttentionCall(query, keys, scores[0], gradients[0], stage))
        self.lengths = _find_lengths(explainable, calls)
        self.calls = [call for call in calls if self._has_known_lengths(call)]

    def _has_known_lengths(self, call):
        lengths = sum(self.lengths.get(key, 0) for key in call.keys)
        return call.scores.shape[1:] == (self.lengths.get(call.query), lengths)

    def divide_keys(self, call, weights):
        """Divides weights `(query_tokens, key_tokens)` into those for each stream, a dict."""
        ends = np.cumsum([self.lengths[key] for key in call.keys])[:-1]
        return dict(zip(call.keys, np.split(weights, ends, axis=-1), strict=True))

    def read_values(self, get_map, level):
        """Computes the values of the parts of each modality from maps between streams.

        Args:
            get_map: function of two streams that returns weights `(query_tokens, key_tokens)` or
                `None`.
            level: `"token"` or `"modality"`.

        Returns:
            Dict, modality -> float array of the shape of its parts.
        """
        tokens = {}
        for query, rows in self.rows.items():
            if query not in self.lengths:
                continue
            count = self.lengths[query]
            if rows is None:
                rows = np.full(count, 1 / count)
            for key in self.lengths:
                weights = get_map(query, key)
                if weights is not None:
                    update = rows @ weights[: len(rows)]
                    tokens[key] = tokens.get(key, 0) + update
        if JOINT in tokens:
            slices = self.explainable.token_slices
            tokens = {name: tokens[JOINT][indices] for name, indices in slices.items()}
        values = {}
        for name, shape in self.explainable.get_part_shapes(level).items():
            x = tokens.get(name)
            if x is None:
                values[name] = np.zeros(shape)
            elif level == "modality":
                values[name] = np.sum(x)
            elif self.explainable.kinds[name] == "image":
                values[name] = drop_class_tokens(x, shape)
            else:
                values[name] = x
        return values


def _find_lengths(explainable, calls):
    lengths = {}
    for name in explainable.modalities:
        if explainable.kinds[name] in ("ids", "sequence"):
            lengths[name] = len(explainable.inputs[name])
    for call in calls:
        lengths.setdefault(call.query, call.scores.shape[1])
        if len(call.keys) == 1:
            lengths.setdefault(call.keys[0], call.scores.shape[2])
    return lengths
