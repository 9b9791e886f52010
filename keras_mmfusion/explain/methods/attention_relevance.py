"""The method `AttentionRelevance`."""

from keras_mmfusion.explain.formulas.attention_formulas import TokenRelevance, weigh_attention
from keras_mmfusion.explain.internals.sample_attention import SampleAttention
from keras_mmfusion.explain.methods.attention_method import AttentionMethod
from keras_mmfusion.explain.methods.explanation_method import Attribution


class AttentionRelevance(AttentionMethod):
    """Attention weighted by its gradients, added up over all layers.

    ```
    Ā = E_h[(∇A ⊙ A)⁺]                          ∇A = ∂f / ∂A
    self-attention of s:            R[s, x] += Ā R[s, x]                   for all x
    attention of s to another, q:   R[s, q] += R̄[s, s]ᵀ Ā R̄[q, q],  R[s, x] += Ā R[q, x],  x ≠ q
    ```

    `R[s, q]`, the relevance of the tokens of `q` for those of `s`, is the identity at first. `R̄` is
    the identity plus `R - I` with rows of sum 1. The values are the rows of the output tokens.

    Example:

    >>> from keras_mmfusion.explain import AttentionRelevance
    >>> AttentionRelevance()
    AttentionRelevance()

    Reference:
        Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and
        Encoder-Decoder Transformers", 2021, equations 5 to 11.
    """

    name = "attention_relevance"

    def attribute(self, explainable, level, batch_size):
        maps = SampleAttention(explainable)
        relevance = TokenRelevance(maps.lengths)
        stage, before = None, None
        for call in maps.calls:
            if call.stage is not stage:  # Its streams attend to what the others were before it.
                stage = call.stage
                before = None if stage is None else dict(relevance.maps)
            weights = weigh_attention(call.scores, call.gradients)
            relevance.attend(call.query, maps.divide_keys(call, weights), before)
        return Attribution(maps.read_values(relevance.get, level), maps.score)
