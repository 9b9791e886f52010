"""Self-critical training: sampled captions, rewarded by CIDEr-D."""

import keras
import numpy as np

from keras_mmfusion.metrics.captions.cider import CiderD
from keras_mmfusion.models.captioning.decoding.decoding_settings import DecodingSettings


class SelfCriticalSequence(keras.utils.PyDataset):
    """Batches of captions sampled from the model, weighted by their reward.

    For every image, `samples` captions are sampled. With the reward `r_i`, the CIDEr-D of caption
    `i` against the references of the image, and the mean reward of the image's other samples as
    the baseline, the loss to minimize is

    ```
    - Σ_i (r_i - mean_{j ≠ i} r_j) log p(caption_i)
    ```

    This is the cross-entropy of the sampled tokens with the advantage as sample weight. The model
    must be compiled with `SelfCriticalLoss(special_tokens.suppressed_token_ids)`; the weights are
    divided by the number of sampled tokens. Captions are scored as token ids, including the end
    token, so unfinished captions get a lower reward.

    Each batch is sampled from the current model, so train on a batch before getting the next one.

    Args:
        sequence: `FeatureSequence` of the encoded images and their references.
        model: `Captioner`.
        special_tokens: `SpecialTokens`.
        samples: int. Captions sampled for each image, at least 2.
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
        images = self.sequence.image_indices(index)
        shape = (len(images), self.settings.samples, self.settings.max_length)
        noise = np.random.default_rng([self.seed, self.epoch, index]).random(shape, "float32")
        ids, _ = self.model.generate_tokens(x["images"], self.settings, self.special_tokens, noise)
        ids = _trim_padding(ids, self.special_tokens)
        rewards = self._compute_rewards(ids, images)
        self.mean_reward = float(rewards.mean())
        inputs, weights = self_critical_targets(ids, rewards, self.special_tokens)
        return {**x, "captions": inputs}, ids, weights

    def _compute_rewards(self, ids, images):
        rows = ids.reshape(-1, ids.shape[-1])
        masks = _mask_tokens(rows, self.special_tokens)
        captions = [row[mask].tolist() for row, mask in zip(rows, masks, strict=True)]
        references = np.repeat(images, ids.shape[1]).tolist()
        return self.scorer.score(references, captions).reshape(ids.shape[:2])

    def on_epoch_end(self):
        self.sequence.on_epoch_end()


def self_critical_targets(ids, rewards, special_tokens):
    """Computes training inputs and weights for sampled captions; see `SelfCriticalSequence`.

    Args:
        ids: int array `(images, samples, length)`, the sampled captions.
        rewards: float array `(images, samples)`.
        special_tokens: `SpecialTokens`.

    Returns:
        A tuple: the decoder's inputs and the float32 token weights, both of the shape of `ids`.
    """
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    mask = _mask_tokens(ids, special_tokens).astype("float32")
    weights = (rewards - others)[..., np.newaxis] * mask / mask.sum()
    inputs = np.roll(ids, 1, axis=-1)
    inputs[..., 0] = special_tokens.start
    return inputs, weights.astype("float32")


def _mask_tokens(ids, special_tokens):
    """Finds the tokens of captions, up to and including the end token: a bool array."""
    return keras.ops.convert_to_numpy(special_tokens.mask_tokens(ids))


def _trim_padding(ids, special_tokens, multiple=4):
    """Removes common padding, to a multiple of 4, since each length may be compiled separately."""
    longest = np.flatnonzero(_mask_tokens(ids, special_tokens).any(axis=(0, 1)))[-1] + 1
    return ids[..., : -(-longest // multiple) * multiple]
