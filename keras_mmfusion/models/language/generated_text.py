import dataclasses

import numpy as np

from keras_mmfusion._short_repr import short_repr


@dataclasses.dataclass(frozen=True, repr=False)
class GeneratedText:
    """A generated text with its score and the log-probabilities of its tokens.

    Args:
        text: string.
        score: float. For a search, the log-probability divided by `tokens ** length_penalty`; for
            a sampled text, its log-probability.
        tokens: list of strings, including the end token if the model generated one.
        token_log_probs: float32 array `(tokens,)`, natural logarithms.
    """

    text: str
    score: float
    tokens: list[str]
    token_log_probs: np.ndarray

    def __repr__(self):
        return short_repr(self, text=self.text, score=self.score, tokens=len(self.tokens))
