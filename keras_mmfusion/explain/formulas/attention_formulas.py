"""Attention over several layers: rollout, and relevance weighted by gradients."""

import numpy as np


def roll_out_attention(attention):
    """Combines the attention of the layers of a Transformer (attention rollout).

    ```
    R = Ã_L ··· Ã_1          Ã_l = (A_l + I) / 2 with rows of sum 1, A_l the mean over heads
    ```

    Args:
        attention: sequence of float arrays `(heads, tokens, tokens)`, one per layer, first to last.

    Returns:
        Float64 array `(tokens, tokens)`: how much of each output token, a row, comes from each
        input token, a column.

    Example:

    >>> import numpy as np
    >>> roll_out_attention([np.array([[[1.0, 0.0], [1.0, 0.0]]])] * 2).tolist()
    [[1.0, 0.0], [0.75, 0.25]]

    Reference:
        Abnar and Zuidema, "Quantifying Attention Flow in Transformers", 2020, equation 1.
    """
    rollout = None
    for scores in attention:
        mixed = np.float64(scores).mean(axis=0) + np.eye(np.shape(scores)[-1])
        mixed /= mixed.sum(axis=-1, keepdims=True)
        rollout = mixed if rollout is None else mixed @ rollout
    return rollout


def weigh_attention(scores, gradients):
    """Averages positive products of attention and its gradients over heads: `E_h[(∇A ⊙ A)⁺]`.

    Args:
        scores, gradients: float arrays `(heads, query_tokens, key_tokens)`.

    Returns:
        Float64 array `(query_tokens, key_tokens)`.
    """
    return np.maximum(np.float64(scores) * np.float64(gradients), 0).mean(axis=0)


class TokenRelevance:
    """Relevance of the tokens of each modality for those of each other, updated layer by layer.

    With `Ā = E_h[(∇A ⊙ A)⁺]` of an attention layer and `R[s, q]`, the relevance of the tokens of
    `q` for the current tokens of `s`, initially the identity for `s = q` and 0 otherwise:

    ```
    self-attention of s:              R[s, x] += Ā R[s, x]                   for all x
    attention of s to another, q:     R[s, q] += R̄[s, s]ᵀ Ā R̄[q, q]
                                      R[s, x] += Ā R[q, x]                   for all x ≠ q
    ```

    `R̄` is the identity plus `R - I` with rows of sum 1.

    Args:
        lengths: dict, modality -> number of tokens.

    Example:

    >>> import numpy as np
    >>> relevance = TokenRelevance({"text": 1, "image": 2})
    >>> relevance.attend("text", {"image": np.array([[0.5, 0.0]])})
    >>> relevance.get("text", "image").tolist()
    [[0.5, 0.0]]

    Reference:
        Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and
        Encoder-Decoder Transformers", 2021, equations 5 to 11. Equation 11 is applied to all
        modalities but `q`, where the paper has two.
    """

    def __init__(self, lengths):
        self.lengths = dict(lengths)
        self.maps = {
            (one, other): np.eye(rows) if one == other else np.zeros((rows, columns))
            for one, rows in self.lengths.items()
            for other, columns in self.lengths.items()
        }

    def attend(self, query, weights, key_maps=None):
        """Adds the attention of a layer.

        Args:
            query: string, the modality of the queries.
            weights: dict, modality -> float array `(query_tokens, its tokens)`, from
                `weigh_attention`. Several modalities are keys of one softmax; if `query` is one of
                them, this is self-attention of their joint sequence.
            key_maps: dict, the `maps` when the keys of other modalities were computed, if they have
                been updated since: modalities that attend to each other at the same time see each
                other's tokens from before. Defaults to the current ones.
        """
        key_maps = self.maps if key_maps is None else key_maps
        updated = {other: self.maps[query, other] for other in self.lengths}
        for key, each in weights.items():
            maps = self.maps if key == query else key_maps
            for other in self.lengths:
                added = each @ maps[key, other]
                if query not in weights and other == key:
                    own, others = _normalize(self.maps[query, query]), _normalize(maps[key, key])
                    added = own.T @ each @ others
                updated[other] = updated[other] + added
        for other, relevance in updated.items():
            self.maps[query, other] = relevance

    def get(self, query, key):
        """Returns the relevance `(query_tokens, key_tokens)` of the tokens of `key`."""
        return self.maps[query, key]


def _normalize(relevance):
    identity = np.eye(len(relevance))
    rest = relevance - identity
    sums = rest.sum(axis=-1, keepdims=True)
    return identity + rest / np.where(sums == 0, 1.0, sums)
