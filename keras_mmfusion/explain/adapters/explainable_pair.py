"""Similarities of pairs, such as an image and a text."""

import contextlib

import keras
import numpy as np
from keras import ops

from keras_mmfusion.explain.adapters.image_inputs import (
    GIVEN,
    MEDIAN_COLOR,
    fill_with_median,
    find_image_grid,
)
from keras_mmfusion.explain.adapters.sample_checks import check_baselines
from keras_mmfusion.explain.adapters.text_inputs import find_removal_id, list_tokens
from keras_mmfusion.explain.explainable import Explainable
from keras_mmfusion.explain.internals.token_embeddings import find_token_embedding
from keras_mmfusion.models.retrieval.blip_matcher import BlipMatcher
from keras_mmfusion.models.retrieval.embedding import prepare_batches

TARGETS = ("similarity", "match")


class ExplainablePair(Explainable):
    """The cosine similarity of two modalities in a `ContrastiveModel`, or BLIP's match logit."""

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a pair.

        Args:
            model: `ContrastiveModel`.
            inputs: dict of two of the model's modalities.
            target: `"similarity"`, the default, or, for a `BlipMatcher`, `"match"`: the difference
                of the logits of a match and of no match.
            baselines: dict, modality -> array like the preprocessed input, or `None`.
        """
        names = tuple(inputs) if isinstance(inputs, dict) else ()
        if len(names) != 2 or not set(names) <= set(model.modalities):
            raise ValueError(
                "`inputs` must be a dict of two modalities of the model "
                f"({', '.join(map(repr, model.modalities))}). Received: "
                f"{sorted(names) if isinstance(inputs, dict) else type(inputs).__name__}"
            )
        targets = TARGETS if isinstance(model, BlipMatcher) else TARGETS[:1]
        target = TARGETS[0] if target is None else target
        if target not in targets:
            raise ValueError(
                f"`target` must be {' or '.join(map(repr, targets))} for a "
                f"{type(model).__name__}. Received: {target!r}"
            )
        arrays, kinds, masks, fixed, labels = {}, {}, {}, {}, {}
        defaults, removal, grid, image_encoder = {}, {}, None, None
        for name in names:
            raw = inputs[name] if model.preprocessor is not None else _add_axis(inputs[name])
            x = next(prepare_batches(model, name, raw, 1))
            if isinstance(x, dict):
                masks[f"{name}_mask"] = np.asarray(x["padding_mask"][0])
                x = x["token_ids"]
            arrays[name] = array = np.asarray(x[0])
            kinds[name] = "ids" if array.dtype.kind in "iu" and array.ndim == 1 else "sequence"
            if array.ndim == 1 and kinds[name] != "ids":
                kinds[name] = "vector"
            defaults[name], removal[name] = np.zeros_like(array), "replaced by 0"
            if array.ndim == 3 and array.shape[-1] == 3:
                kinds[name] = "image"
                defaults[name], removal[name] = fill_with_median(array), MEDIAN_COLOR
                image_encoder = getattr(model, f"{name}_encoder")
                grid = find_image_grid(image_encoder, array)
            elif kinds[name] == "ids" and model.preprocessor is not None:
                tokenizer = model.preprocessor.tokenizer
                labels[name] = list_tokens(tokenizer, array)
                fixed[name] = _find_special(tokenizer, array, masks.get(f"{name}_mask"))
                removal_id, removal[name] = find_removal_id(tokenizer)
                defaults[name] = np.where(fixed[name], array, removal_id).astype(array.dtype)
        given = check_baselines(baselines, arrays)
        defaults |= given
        removal |= dict.fromkeys(given, GIVEN)
        explainable = cls(
            model,
            arrays,
            kinds,
            defaults,
            masks,
            "the cosine similarity" if target == TARGETS[0] else "the logit of a match",
            removal,
            fixed=fixed,
            labels=labels,
            grid=grid,
            image_encoder=image_encoder,
        )
        explainable.scores_match = target == TARGETS[1]
        return explainable

    def get_embedding(self, name):
        return find_token_embedding(getattr(self.model, f"{name}_encoder"))

    def cache_function(self, key, make):
        return super().cache_function((self.scores_match, key), make)

    def _compute(self, values, keep, constants):
        values = dict(values)
        with contextlib.ExitStack() as stack:
            inputs = {}
            for name in self.modalities:
                if len(values[name].shape) == self.inputs[name].ndim + 1:  # Not embeddings.
                    values[name] = self.replace_removed(name, values[name], keep, constants)
                inputs[name] = values[name]
                if self.kinds[name] != "ids":
                    continue
                ids = stack.enter_context(self.use_ids(name, values, constants))
                inputs[name] = ids
                if f"{name}_mask" in constants:
                    mask = ops.cast(constants[f"{name}_mask"], "int32")
                    mask = ops.broadcast_to(mask, ops.shape(ids))
                    inputs[name] = {"token_ids": ids, "padding_mask": mask}
            if self.scores_match:
                tokens = self.model.image_encoder(inputs["image"], training=False)
                logits = self.model.compute_match_logits(tokens, inputs["text"], training=False)
                return ops.cast(logits[:, 1] - logits[:, 0], "float32")
            embeddings = self.model.compute_embeddings(inputs, training=False)
        first, second = (ops.cast(embeddings[name], "float32") for name in self.modalities)
        return ops.sum(ops.normalize(first, axis=-1) * ops.normalize(second, axis=-1), axis=-1)


def _add_axis(inputs):
    return keras.tree.map_structure(lambda x: np.asarray(x)[np.newaxis], inputs)


def _find_special(tokenizer, ids, mask):
    """Returns which tokens are no words: the first and last special tokens and the padding."""
    names = ("cls_token_id", "start_token_id", "sep_token_id", "end_token_id", "pad_token_id")
    special = {getattr(tokenizer, name, None) for name in names} - {None}
    is_special = np.isin(ids, list(special))
    return is_special if mask is None else is_special | (mask == 0)
