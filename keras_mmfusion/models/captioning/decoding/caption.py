import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr


@dataclasses.dataclass(frozen=True, repr=False)
class Caption:
    """A generated caption and how it came about.

    Attributes:
        text: string.
        score: float. In a search the log-probability over `tokens ** length_penalty`; of a drawn
            caption its log-probability.
        tokens: list of strings, the end token included where the model wrote one.
        token_log_probs: float32 array `(tokens,)`, natural logarithms.
        attention: float32 array `(tokens, rows, columns)`: where the model looked as it wrote each
            token; every map sums to 1. Mean of the cross-attention over heads and layers.
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
