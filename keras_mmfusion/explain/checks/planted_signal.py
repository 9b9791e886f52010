"""Data whose label is decided by one known token of one known modality."""

import typing

import keras
import numpy as np

from keras_mmfusion.encoders.token_encoder import TokenEncoder
from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.models.fusion.fusion_model import FusionModel

WORDS, STEPS, FEATURES = 8, 6, 4
VOCABULARY_SIZE = 24
KEYWORDS = (1, 2)  # The words that decide for class 0 and for class 1; 0 is padding.


class PlantedSamples(typing.NamedTuple):
    """Samples with two modalities, and what decides about their class.

    Args:
        inputs: list of dicts, one for each sample: `"words"`, int32 array `(8,)`, and `"steps"`,
            float32 array `(6, 4)`.
        labels: int array `(samples,)`, 0 or 1.
        truths: list of dicts: the modality that decides -> bool array of its tokens.
    """

    inputs: list
    labels: np.ndarray
    truths: list

    def stack(self):
        """Returns the inputs as a dict of arrays with a batch axis."""
        return {name: np.stack([each[name] for each in self.inputs]) for name in self.inputs[0]}


def make_planted_samples(count, seed=0):
    """Creates samples whose class one token decides.

    In half of the samples, the class is given by a keyword among random words. In the others, it is
    the sign of a peak in the first feature of one of the steps. All else is noise.

    Args:
        count: int. Number of samples.
        seed: int.

    Returns:
        `PlantedSamples`.

    Example:

    >>> from keras_mmfusion.explain import make_planted_samples
    >>> data = make_planted_samples(4)
    >>> [list(truth) for truth in data.truths]
    [['words'], ['steps'], ['words'], ['steps']]
    """
    rng = np.random.default_rng(seed)
    inputs, truths, labels = [], [], rng.integers(2, size=count)
    for index, label in enumerate(labels):
        words = rng.integers(len(KEYWORDS) + 1, VOCABULARY_SIZE, WORDS).astype("int32")
        steps = rng.normal(scale=0.5, size=(STEPS, FEATURES)).astype("float32")
        name, length = (("words", WORDS), ("steps", STEPS))[index % 2]
        position = rng.integers(length)
        if name == "words":
            words[position] = KEYWORDS[label]
        else:
            steps[position, 0] = 4.0 if label else -4.0
        inputs.append({"words": words, "steps": steps})
        truths.append({name: np.arange(length) == position})
    return PlantedSamples(inputs, labels, truths)


def train_planted_model(count=2000, epochs=8, dim=16, seed=0):
    """Trains a `FusionModel` on planted samples: Transformer encoders and a hybrid fusion.

    Args:
        count: int. Number of training samples.
        epochs: int.
        dim: int. The size of the tokens.
        seed: int.

    Returns:
        A tuple of the model, with one logit per class, and its accuracy on 500 other samples.
    """
    keras.utils.set_random_seed(seed)
    names = ("words", "steps")
    model = FusionModel(
        {
            "words": TokenEncoder(dim, num_heads=2, vocabulary_size=VOCABULARY_SIZE),
            "steps": TokenEncoder(dim, num_heads=2),
        },
        FusionBlock(names, "hybrid", "concat", dim=dim, num_stages=1, num_heads=2),
        keras.layers.Dense(2),
    )
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    data, test = make_planted_samples(count, seed), make_planted_samples(500, seed + 1)
    model.fit(data.stack(), data.labels, batch_size=50, epochs=epochs, verbose=0)
    scores = model.evaluate(test.stack(), test.labels, 500, verbose=0, return_dict=True)
    return model, float(scores["accuracy"])
