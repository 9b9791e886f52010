"""Responses that a multimodal language model writes."""

import numpy as np

from keras_mmfusion.explain.adapters.image_inputs import (
    GIVEN,
    MEDIAN_COLOR,
    fill_with_median,
    find_image_grid,
)
from keras_mmfusion.explain.adapters.sample_checks import check_baselines, check_modalities
from keras_mmfusion.explain.adapters.target_log_probs import sum_log_probs
from keras_mmfusion.explain.adapters.text_inputs import find_removal_id, list_tokens
from keras_mmfusion.explain.explainable import Explainable
from keras_mmfusion.explain.internals.token_embeddings import find_token_embedding

PROMPT = "prompt"


class ExplainableResponse(Explainable):
    """The log-probability of a response of a `MultimodalLM` to a prompt with one item of each kind.

    The modalities are `"prompt"` and those of the items. The placeholders of the items in the
    prompt are never removed.
    """

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a sample.

        Args:
            model: `MultimodalLM`.
            inputs: dict of `"prompt"`, a string with a marker such as `"<image>"` for each item,
                and modality -> item.
            target: string, the response.
            baselines: dict, modality of an item -> array like the converted item, or `None`.
        """
        check_modalities(model, inputs, (PROMPT,), model.modalities, preprocessor=True)
        if not isinstance(target, str) or not target:
            raise ValueError(
                f"`target` must be the response to explain, a string. Received: {target!r}"
            )
        preprocessor = model.preprocessor
        items = {name: [item] for name, item in inputs.items() if name != PROMPT}
        sample = preprocessor.encode_text(inputs[PROMPT], items, target)
        for name, arrays in sample.items.items():
            if len(arrays) != 1:
                raise ValueError(
                    f"`inputs[{name!r}]` must be converted to one array; its parts cannot be "
                    f"explained otherwise. Received: {len(arrays)} arrays"
                )
        arrays = {name: np.asarray(each[0], "float32") for name, each in sample.items.items()}
        baselines = check_baselines(baselines, arrays)
        kinds = {name: _find_kind(x) for name, x in arrays.items()}
        defaults = {
            name: fill_with_median(x) if kinds[name] == "image" else np.zeros_like(x)
            for name, x in arrays.items()
        }
        tokenizer = preprocessor.tokenizer
        removal_id, removal = find_removal_id(tokenizer)
        all_ids, is_answer = np.array(sample.token_ids, "int32"), np.array(sample.is_answer)
        ids = all_ids[:-1]  # The last token predicts none.
        fixed = is_answer[:-1] | np.isin(ids, list(model.placeholders.values()))
        image = next((name for name, kind in kinds.items() if kind == "image"), None)
        encoder = model.encoders.get(image)
        return cls(
            model,
            {**arrays, PROMPT: ids},
            {**kinds, PROMPT: "ids"},
            {**defaults, **baselines, PROMPT: np.where(fixed, ids, removal_id).astype("int32")},
            {"target_ids": all_ids[1:], "target_weights": is_answer[1:].astype("float32")},
            f'the log-probability of the response "{target}"',
            {
                **{
                    name: MEDIAN_COLOR if kind == "image" else "replaced by 0"
                    for name, kind in kinds.items()
                },
                **dict.fromkeys(baselines, GIVEN),
                PROMPT: removal,
            },
            fixed={PROMPT: fixed},
            labels={PROMPT: _list_labels(model, tokenizer, ids)},
            grid=None if image is None else find_image_grid(encoder, arrays[image]),
            image_encoder=encoder,
        )

    def get_embedding(self, name):
        return find_token_embedding(self.model.backbone) if name == PROMPT else None

    def _compute(self, values, keep, constants):
        values = dict(values)
        if len(values[PROMPT].shape) == 2:
            values[PROMPT] = self.replace_removed(PROMPT, values[PROMPT], keep, constants)
        inputs = {
            name: self.replace_removed(name, x, keep, constants)[:, None]
            for name, x in values.items()
            if name != PROMPT
        }
        with self.use_ids(PROMPT, values, constants) as ids:
            logits = self.model({**inputs, "token_ids": ids}, training=False)
        return sum_log_probs(logits, constants)


def _find_kind(array):
    if array.ndim == 1:
        return "vector"
    return "image" if array.ndim == 3 else "sequence"


def _list_labels(model, tokenizer, ids):
    names = {each: f"<{name}>" for name, each in model.placeholders.items()}
    return [
        names[each] if each in names else list_tokens(tokenizer, [each])[0]
        for each in map(int, ids)
    ]
