"""Averages the weights of captioners of which one was trained further from another.

    python zoo/average_captioners.py runs/average runs/further zoo/captioner_flickr8k_lite2 \\
        --shares 0.5 0.5

The average keeps more of what the first captioner had learned than the further training alone
does (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022). The vocabulary is that of
the first preset, which begins with those of the others. Words that the others lack keep their
weights.
"""

import argparse

import keras
import numpy as np

from keras_mmfusion.models import Captioner


def average_captioners(captioners, shares):
    """Assigns the weighted mean of the weights of several captioners to the first one.

    Args:
        captioners: list of `Captioner` of equal architecture, whose vocabularies are beginnings of
            that of the first.
        shares: list of positive floats, one for each.

    Raises:
        ValueError: if architectures or vocabularies differ in another way, or a share is missing.
    """
    if len(shares) != len(captioners) or min(shares) <= 0:
        raise ValueError(
            f"`shares` must have a positive number for each of the {len(captioners)} captioners. "
            f"Received: {shares}"
        )
    first, *others = captioners
    words = first.preprocessor.tokenizer.get_vocabulary()
    for other in others:
        known = other.preprocessor.tokenizer.get_vocabulary()
        if words[: len(known)] != known or len(other.weights) != len(first.weights):
            raise ValueError(
                "All `captioners` must have the architecture of the first, and vocabularies that "
                f"are beginnings of its vocabulary. Received {len(first.weights)} and "
                f"{len(other.weights)} weights, {len(words)} and {len(known)} words."
            )
    for weights in zip(*(captioner.weights for captioner in captioners), strict=True):
        arrays = [keras.ops.convert_to_numpy(weight) for weight in weights]
        weights[0].assign(average_rows(arrays, shares))


def average_rows(arrays, shares):
    """Computes the weighted mean of arrays; a row that some lack is the mean of the others'.

    Example:

    >>> average_rows([np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0])], [0.5, 0.5])
    array([2., 3., 3.])
    """
    total = np.zeros(arrays[0].shape)
    share_of_row = np.zeros((len(total), *[1] * (total.ndim - 1)))
    for array, share in zip(arrays, shares, strict=True):
        total[: len(array)] += share * array
        share_of_row[: len(array)] += share
    return total / share_of_row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out")
    parser.add_argument("presets", nargs="+", metavar="PRESET")
    parser.add_argument("--shares", nargs="+", type=float, required=True)
    arguments = parser.parse_args()
    models = [Captioner.from_preset(preset) for preset in arguments.presets]
    average_captioners(models, arguments.shares)
    models[0].save_to_preset(arguments.out)
