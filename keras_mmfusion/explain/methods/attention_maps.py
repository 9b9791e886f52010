"""The method `AttentionMaps`."""

import numpy as np

from keras_mmfusion.explain.internals.sample_attention import SampleAttention
from keras_mmfusion.explain.methods.attention_method import AttentionMethod
from keras_mmfusion.explain.methods.explanation_method import Attribution


class AttentionMaps(AttentionMethod):
    """The attention from the tokens of the output, averaged over layers and heads.

    ```
    value_j = mean over layers, heads, and output tokens i of A_ij
    ```

    In a captioner, the output tokens are those that predict the explained words. If they attend to
    a modality only through another one, the two attention maps are multiplied. Attention shows
    where a layer takes information from, not what the information changes: `AttentionRelevance`
    weighs it by gradients.

    Example:

    >>> from keras_mmfusion.explain import AttentionMaps
    >>> AttentionMaps()
    AttentionMaps()

    Reference:
        Xu et al., "Show, Attend and Tell: Neural Image Caption Generation with Visual Attention",
        2015, section 5.4.
    """

    name = "attention"

    def attribute(self, explainable, level, batch_size):
        maps = SampleAttention(explainable)
        collected = {}
        for call in maps.calls:
            for key, weights in maps.divide_keys(call, call.scores.mean(axis=0)).items():
                collected.setdefault((call.query, key), []).append(weights)
        means = {pair: np.mean(each, axis=0) for pair, each in collected.items()}

        def get_map(query, key):
            if (query, key) in means:
                return means[query, key]
            between = (other for one, other in means if one == query and (other, key) in means)
            return next((means[query, each] @ means[each, key] for each in between), None)

        return Attribution(maps.read_values(get_map, level), maps.score)
