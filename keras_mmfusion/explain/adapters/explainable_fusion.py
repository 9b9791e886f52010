"""Outputs of models that fuse modalities."""

import contextlib

import numpy as np
from keras import ops

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.explain.adapters.image_inputs import (
    GIVEN,
    MEDIAN_COLOR,
    MISSING,
    fill_with_median,
    find_image_grid,
)
from keras_mmfusion.explain.adapters.sample_checks import check_baselines
from keras_mmfusion.explain.explainable import Explainable
from keras_mmfusion.explain.internals.token_embeddings import find_token_embedding
from keras_mmfusion.models.fusion.conversation_model import ConversationModel


class ExplainableFusion(Explainable):
    """An output of a `FusionModel`, or of an utterance of a `ConversationModel`."""

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a sample.

        Args:
            model: `FusionModel` or `ConversationModel`.
            inputs: dict of one sample, without a batch axis: the inputs of the model and their
                masks.
            target: int, the index of an output; of a `ConversationModel`, the index of an utterance
                or a tuple of an utterance and an output. Defaults to the largest output.
            baselines: dict, modality -> array like the input, or `None`.
        """
        arrays, masks = _split_inputs(model, inputs)
        is_conversation = isinstance(model, ConversationModel)
        kinds, defaults, removal, constants, fixed = {}, {}, {}, {}, {}
        for name, array in arrays.items():
            encoder = model.encoders.get(name)
            kinds[name] = "sequence" if is_conversation else _find_kind(array, encoder)
            if kinds[name] in ("vector", "image"):
                arrays[name] = array = array.astype("float32")
            defaults[name], parts = _make_baseline(array, kinds[name], encoder)
            removal[name] = f"{MISSING}; {parts}"
            mask = masks.get(name)
            if kinds[name] in ("ids", "sequence"):
                fixed[name] = ~np.broadcast_to(True if mask is None else mask, array.shape[:1])
                mask = None if mask is None else ~fixed[name]
            if mask is not None:
                constants[f"{name}_mask"] = mask
        baselines = check_baselines(baselines, arrays, model.modalities)
        defaults |= baselines
        removal |= dict.fromkeys(baselines, GIVEN)
        first = next(iter(arrays.values()))
        image = next((name for name, kind in kinds.items() if kind == "image"), None)
        image_encoder = model.encoders.get(image)
        explainable = cls(
            model,
            arrays,
            kinds,
            defaults,
            constants,
            "",
            removal,
            fixed=fixed,
            replaced=sorted(baselines),
            grid=None if image is None else find_image_grid(image_encoder, arrays[image]),
            image_encoder=image_encoder,
        )
        explainable._set_target(target, len(first) if is_conversation else None)
        return explainable

    def _set_target(self, target, utterances):
        batch = {name: x[np.newaxis] for name, x in self.inputs.items()}
        self.constants["target_index"] = np.array(0, "int32")
        outputs = ops.convert_to_numpy(self._call(batch, {}, self._add_axis(self.constants)))[0]
        number = outputs.shape[-1] if outputs.ndim else 1
        prefix, utterance = "", None
        if utterances is not None:
            utterance, target = target if isinstance(target, tuple) else (target, None)
            check_index("target", utterance, utterances, "utterances")
            prefix = f" of utterance {utterance}"
            outputs = outputs[utterance]
        if target is None:
            target = int(np.argmax(outputs))
        check_index("target", target, number, "outputs")
        index = target if utterance is None else utterance * number + target
        self.constants["target_index"] = np.array(index, "int32")
        self.target_name = f"output {target}{prefix}"

    def _add_axis(self, constants):
        return {name: ops.convert_to_tensor(np.asarray(x)[None]) for name, x in constants.items()}

    def get_embedding(self, name):
        return find_token_embedding(self.model.encoders.get(name))

    def _compute(self, values, keep, constants):
        outputs = self._call(values, keep, constants)
        outputs = ops.reshape(outputs, (ops.shape(outputs)[0], -1))
        return ops.take(outputs, constants["target_index"][0], axis=1)

    def _call(self, values, keep, constants):
        """Calls the model; returns float32 outputs."""
        with contextlib.ExitStack() as stack:
            inputs = self._make_inputs(values, keep, constants, stack)
            return ops.cast(self.model(inputs, training=False), "float32")

    def make_batch(self):
        """Returns the sample as a batch of one: the inputs of the model."""
        constants = self._add_axis(self.constants)
        values = {name: x[np.newaxis] for name, x in self.inputs.items()}
        with contextlib.ExitStack() as stack:
            return self._make_inputs(values, {}, constants, stack)

    def _make_inputs(self, values, keep, constants, stack):
        inputs = {}
        for name in values:
            x, mask = values[name], constants.get(f"{name}_mask")
            rows = ops.shape(x)[0]
            if mask is not None:
                mask = ops.broadcast_to(mask, (rows, *mask.shape[1:]))
            if self.kinds[name] == "ids":
                x = stack.enter_context(self.use_ids(name, values, constants))
            kept = keep.get(name)
            is_masked = kept is not None and name not in self.replaced
            if is_masked and (len(kept.shape) == 1 or name in self.fixed):
                if name in self.fixed and len(kept.shape) == 1:
                    kept = ops.broadcast_to(kept[:, None], (rows, x.shape[1]))
                mask = kept if mask is None else ops.logical_and(mask, kept)
            else:
                x = self.replace_removed(name, x, keep, constants)
            inputs[name] = x
            if mask is not None:  # Without one, the model has less to compute.
                inputs[f"{name}_mask"] = mask
        return inputs


def check_index(argument, index, count, what):
    """Raises a `ValueError` if `index` is not the index of one of `count` things.

    Args:
        argument: string, the name of the argument.
        index: the argument.
        count: int.
        what: string, the plural of what is counted, such as `"outputs"`.
    """
    is_integer = isinstance(index, (int, np.integer)) and not isinstance(index, bool)
    if not is_integer or not 0 <= index < count:
        raise ValueError(
            f"`{argument}` must be the index of one of {count} {what}, from 0 to {count - 1}. "
            f"Received: {index!r}"
        )


def _split_inputs(model, inputs):
    """Returns the arrays of the modalities that are not missing, and their masks."""
    names = model.modalities
    if not isinstance(inputs, dict) or set(inputs) - {*names, *(f"{name}_mask" for name in names)}:
        raise ValueError(
            "`inputs` must be a dict of one sample without a batch axis, with the modalities "
            f"{', '.join(map(repr, names))} and optionally their masks, such as "
            f"'{names[0]}_mask'. Received: "
            f"{sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__}"
        )
    arrays, masks = {}, {}
    for name in names:
        mask = inputs.get(f"{name}_mask")
        if inputs.get(name) is None or (mask is not None and not np.any(mask)):
            continue
        arrays[name] = np.asarray(inputs[name])
        if arrays[name].ndim == 0:
            raise ValueError(f"`inputs[{name!r}]` must have at least one axis. Received a number")
        if mask is not None:
            masks[name] = np.asarray(mask, "bool")
    if not arrays:
        raise ValueError(
            "`inputs` must have at least one modality that is not missing: there is nothing to "
            f"explain. Modalities of the model: {', '.join(map(repr, names))}"
        )
    return arrays, masks


def _find_kind(array, encoder):
    if array.dtype.kind in "iu" and find_token_embedding(encoder) is not None:
        return "ids" if array.ndim == 1 else "sequence"
    if array.ndim == 1:
        return "vector"
    return "image" if array.ndim == 3 and array.shape[-1] <= 4 else "sequence"


def _make_baseline(array, kind, encoder):
    """Returns the baseline of a modality and how it replaces parts of it."""
    if kind == "image":
        return fill_with_median(array), f"pixels {MEDIAN_COLOR}"
    if kind != "vector":
        return np.zeros_like(array), "tokens masked"
    layers = flatten_layers(encoder) if hasattr(encoder, "call") else ()
    if any(getattr(layer, "allows_nan", False) for layer in layers):
        return np.full_like(array, np.nan), "features as empty cells (NaN)"
    return np.zeros_like(array), "features replaced by 0"
