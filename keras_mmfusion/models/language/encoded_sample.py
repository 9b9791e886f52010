"""Samples of a multimodal language model as token ids and arrays."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class EncodedSample:
    """A text with the items of other modalities in it.

    Args:
        token_ids: list of ints, with one placeholder for each token of an item.
        is_answer: list of bools of the same length. The tokens that the model learns to predict.
        items: dict, modality -> list of arrays, in the order of their placeholders.
    """

    token_ids: list
    is_answer: list
    items: dict

    def __len__(self):
        return len(self.token_ids)


def pack_samples(samples, length, pad_id):
    """Pads samples at the end, and stacks them.

    Args:
        samples: list of `EncodedSample`s.
        length: int, at least the number of tokens of the longest sample.
        pad_id: int.

    Returns:
        Dict of `"token_ids"`, int32 `(batch, length)`; `"padding_mask"`, bool of the same shape;
        and, for each modality of any sample, an array `(batch, items, ...)` and
        `"<modality>_mask"`, bool `(batch, items)`.

    Raises:
        ValueError: if the items of a modality have different shapes.
    """
    ids = np.full((len(samples), length), pad_id, "int32")
    mask = np.zeros((len(samples), length), bool)
    for row, sample in enumerate(samples):
        ids[row, : len(sample)] = sample.token_ids
        mask[row, : len(sample)] = True
    packed = {"token_ids": ids, "padding_mask": mask}
    for name in sorted({name for sample in samples for name, each in sample.items.items() if each}):
        items = [sample.items.get(name, []) for sample in samples]
        packed[name], packed[f"{name}_mask"] = _pack_items(name, items)
    return packed


def _pack_items(name, items):
    arrays = [array for each in items for array in each]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(
            f"The items of modality {name!r} must have one shape. Received shapes: {shapes}. Add a "
            "converter for it to the preprocessor, or check that each part has the right `type`."
        )
    count = max(map(len, items))
    packed = np.zeros((len(items), count, *shapes[0]), arrays[0].dtype)
    mask = np.zeros((len(items), count), bool)
    for row, each in enumerate(items):
        mask[row, : len(each)] = True
        for index, array in enumerate(each):
            packed[row, index] = array
    return packed, mask
