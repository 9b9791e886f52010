"""`tf.data` pipeline of images and captions."""

import os

from keras_mmfusion.datasets.captions.caption_augmentation import DRAWS, augment_tensor
from keras_mmfusion.datasets.images.load_image_tensor import load_image_tensor


def caption_dataset(
    pairs,
    batch_size=32,
    image_size=(224, 224),
    captions_per_image=5,
    shuffle=True,
    seed=0,
    augment=False,
    cache=False,
    drop_alpha=False,
    reduce_jpegs=False,
):
    """Decodes images in parallel and batches them with their captions.

    All images are resized to `image_size` without preserving the aspect ratio. Pixels are not
    scaled and captions not tokenized, which is done by the preprocessor of the model. Use
    `CaptionSequence` without TensorFlow.

    Args:
        pairs: `CaptionPairs`.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`.
        captions_per_image: int. Additional captions are dropped; missing captions are empty
            strings, to which a `CaptioningPreprocessor` assigns no weight.
        shuffle: bool. Whether to visit the images in a new random order each epoch.
        seed: int. The seed of the order and the augmentation.
        augment: bool. Whether to randomly crop, recolor and flip images. "left" and "right" are
            swapped in the captions of flipped images.
        cache: bool. Whether to keep the resized images in memory after the first epoch.
        drop_alpha: bool. Whether to ignore the transparency of images instead of blending them with
            white; `True` for the models of public checkpoints.
        reduce_jpegs: bool. Whether JPEG files of at least twice `image_size` are decoded at 1/2,
            1/4 or 1/8 of their size before they are resized. This is faster, but pixels differ
            slightly: use it in training, not in evaluation.

    Returns:
        A `tf.data.Dataset` of dicts: `"images"`, uint8 `(batch, height, width, 3)`, and
        `"captions"`, strings `(batch, captions_per_image)`. The last batch may be smaller.
    """
    import tensorflow as tf

    parallel = tf.data.AUTOTUNE
    dataset = tf.data.Dataset.from_tensor_slices(
        {
            "images": [os.fsencode(image) for image in pairs.images],
            "captions": pairs.pad_captions(captions_per_image),
        }
    )
    # A cached data set is decoded in a fixed order and shuffled after the cache.
    if shuffle and not cache:
        dataset = dataset.shuffle(len(pairs), seed=seed)

    def load(pair):
        image = load_image_tensor(pair["images"], image_size, drop_alpha, reduce_jpegs)
        return {**pair, "images": image}

    dataset = dataset.map(load, parallel)
    if cache:
        dataset = dataset.cache()
    if shuffle and cache:
        dataset = dataset.shuffle(len(pairs), seed=seed)
    return batch_captions(dataset, batch_size, seed, augment)


def batch_captions(dataset, batch_size, seed, augment):
    """Batches pairs of images and captions, optionally augmented; see `caption_dataset`."""
    import tensorflow as tf

    parallel = tf.data.AUTOTUNE
    if augment:
        seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
        dataset = tf.data.Dataset.zip(dataset, seeds).map(_augment, parallel)
    return dataset.batch(batch_size).prefetch(parallel)


def _augment(pair, seed):
    import tensorflow as tf

    draws = tf.random.stateless_uniform([DRAWS], seed)
    image, captions = augment_tensor(pair["images"], pair["captions"], draws)
    return {"images": image, "captions": captions}
