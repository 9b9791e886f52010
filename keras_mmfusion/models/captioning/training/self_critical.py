"""Self-critical training: captions that the model draws, rewarded by CIDEr-D."""

import keras
import numpy as np

from keras_mmfusion.metrics.cider import CiderD
from keras_mmfusion.models.captioning.decoding.decoding_settings import DecodingSettings


class SelfCriticalSequence(keras.utils.PyDataset):
    """Turns batches of images into batches of the model's own captions, weighted by their reward.

    Of every image, `samples` captions are drawn. With the reward `r_i`, the CIDEr-D of caption
    `i` against the image's references, and the mean reward of the image's other samples as its
    baseline, the loss to minimize is

    ```
    - Σ_i (r_i - mean_{j ≠ i} r_j) log p(caption_i)
    ```

    which is cross-entropy towards the drawn tokens with the advantage as sample weight. The model
    must be compiled with `SelfCriticalLoss(special_tokens.never_drawn)`; the weights are divided
    by the number of drawn tokens. Captions are scored as token ids, the end token included, so
    that an unfinished sentence costs reward.

    Batches are drawn from the model as it is at that moment: take one, train on it, take the next.

    Args:
        sequence: `FeatureSequence`: the encoded images and their references.
        model: `ImageCaptioningModel`.
        special_tokens: `SpecialTokens`.
        samples: int. Captions drawn for each image, at least 2.
        seed: int.

    Reference:
        Rennie et al., "Self-critical Sequence Training for Image Captioning", 2017; the baseline:
        Luo, "A Better Variant of Self-Critical Sequence Training", 2020, equation 3.
    """

    def __init__(self, sequence, model, special_tokens, samples=5, seed=0):
        super().__init__()
        self.sequence = sequence
        self.model = model
        self.special_tokens = special_tokens
        self.seed = seed
        self.settings = DecodingSettings(
            max_length=sequence.caption_length, samples=samples, min_length=1
        )
        self.scorer = CiderD(dict(enumerate(sequence.reference_ids())))
        self.mean_reward = 0.0

    @property
    def epoch(self):
        return self.sequence.epoch

    def __len__(self):
        return len(self.sequence)

    def __getitem__(self, index):
        x, _, _ = self.sequence[index]
        places = self.sequence.places(index)
        shape = (len(places), self.settings.samples, self.settings.max_length)
        noise = np.random.default_rng([self.seed, self.epoch, index]).random(shape, "float32")
        ids, _ = self.model.generator.generate_tokens(
            x["images"], self.settings, self.special_tokens, noise
        )
        ids = _trimmed(ids, self.special_tokens.pad)
        rewards = self._rewards(ids, places)
        self.mean_reward = float(rewards.mean())
        inputs, weights = self_critical_targets(ids, rewards, self.special_tokens)
        return {**x, "captions": inputs}, ids, weights

    def _rewards(self, ids, places):
        captions = [
            row[row != self.special_tokens.pad].tolist() for row in ids.reshape(-1, ids.shape[-1])
        ]
        images = np.repeat(places, ids.shape[1]).tolist()
        return self.scorer.score(images, captions).reshape(ids.shape[:2])

    def on_epoch_end(self):
        self.sequence.on_epoch_end()


def self_critical_targets(ids, rewards, special_tokens):
    """What to train on drawn captions: see `SelfCriticalSequence`.

    Args:
        ids: int array `(images, samples, length)`, the drawn captions.
        rewards: float array `(images, samples)`.
        special_tokens: `SpecialTokens`.

    Returns:
        The decoder's inputs, of the shape of `ids`, and the float32 weights of the drawn tokens.
    """
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    drawn = (ids != special_tokens.pad).astype("float32")
    weights = (rewards - others)[..., np.newaxis] * drawn / drawn.sum()
    inputs = np.roll(ids, 1, axis=-1)
    inputs[..., 0] = special_tokens.start
    return inputs, weights.astype("float32")


def _trimmed(ids, pad, multiple=4):
    """Without the padding that all captions end in; of few lengths, each of which may compile."""
    longest = np.flatnonzero((ids != pad).any(axis=(0, 1)))[-1] + 1
    return ids[..., : -(-longest // multiple) * multiple]
