"""The method `AttentionRollout`."""

import numpy as np

from keras_mmfusion.explain.formulas.attention_formulas import roll_out_attention
from keras_mmfusion.explain.internals.sample_attention import SampleAttention
from keras_mmfusion.explain.methods.attention_method import AttentionMethod
from keras_mmfusion.explain.methods.explanation_method import Attribution


class AttentionRollout(AttentionMethod):
    """Attention multiplied over layers, with the residual connections.

    ```
    R = Ã_L ··· Ã_1             Ã_l = (A_l + I) / 2, A_l the mean over heads
    R[s, q] = R[s, s]ᵀ A R[q, q]                A the last attention of s to another modality q
    ```

    `R` is computed for each modality from its self-attention. For a joint sequence of all
    modalities, only the first line applies.

    Example:

    >>> from keras_mmfusion.explain import AttentionRollout
    >>> AttentionRollout()
    AttentionRollout()

    Reference:
        Abnar and Zuidema, "Quantifying Attention Flow in Transformers", 2020, equation 1; between
        modalities: Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting
        Bi-Modal and Encoder-Decoder Transformers", 2021, section 4, baselines.
    """

    name = "attention_rollout"

    def attribute(self, explainable, level, batch_size):
        maps = SampleAttention(explainable)
        own, cross = {}, {}
        for call in maps.calls:
            divided = maps.divide_keys(call, call.scores)
            for key, scores in divided.items():
                if key == call.query:
                    own.setdefault(key, []).append(scores)
                else:
                    cross[call.query, key] = scores.mean(axis=0)

        def get_own(stream):
            if stream in own:
                return roll_out_attention(own[stream])
            return np.eye(maps.lengths[stream])

        def get_map(query, key):
            if query == key:
                return get_own(query)
            if (query, key) in cross:
                return get_own(query).T @ cross[query, key] @ get_own(key)
            between = (other for one, other in cross if one == query and (other, key) in cross)
            each = next(between, None)
            return None if each is None else get_map(query, each) @ cross[each, key] @ get_own(key)

        return Attribution(maps.read_values(get_map, level), maps.score)
