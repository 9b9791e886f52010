import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr


@dataclasses.dataclass(frozen=True, repr=False)
class Caption:
    """A generated caption with its score, tokens and attention maps.

    Args:
        text: string.
        score: float. For beam search, the log-probability divided by `tokens ** length_penalty`;
            for a sampled caption, its log-probability.
        tokens: list of strings, including the end token if the model generated one.
        token_log_probs: float32 array `(tokens,)`, natural logarithms.
        attention: float32 array `(tokens, rows, columns)`: the cross-attention over the image for
            each token, averaged over heads and layers. Each map sums to 1.
    """

    text: str
    score: float
    tokens: list[str]
    token_log_probs: np.ndarray
    attention: np.ndarray

    def __repr__(self):
        shape = np.shape(self.attention)
        return short_repr(
            self, text=self.text, score=self.score, tokens=len(self.tokens), attention=shape
        )
