"""Images and captions as a tf.data pipeline."""

import os

from keras_mmfusion.datasets.caption_augmentation import DRAWS, augment_tensor
from keras_mmfusion.datasets.read_image import read_image


def caption_dataset(
    pairs,
    batch_size=32,
    image_size=(224, 224),
    captions_per_image=5,
    shuffle=True,
    seed=0,
    augment=False,
    cache=False,
):
    """Decodes images in parallel and batches them with their captions.

    All images are stretched to `image_size`. Images and captions stay raw: the model's
    preprocessor scales and tokenizes them. Without TensorFlow use `CaptionSequence`.

    Args:
        pairs: `CaptionPairs`.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`.
        captions_per_image: int. Further captions of an image are left out; missing ones are
            empty strings, which a `CaptioningPreprocessor` gives no weight.
        shuffle: bool. Visit all images in a new random order each epoch.
        seed: int. Seeds the order and the augmentation.
        augment: bool. Crop, recolour and flip images at random, with "left" and "right" swapped
            in the captions of flipped ones; see `caption_augmentation`.
        cache: bool. Keep the resized images in memory after the first epoch.

    Returns:
        A `tf.data.Dataset` of dicts: `"images"`, uint8 `(batch, height, width, 3)`, and
        `"captions"`, strings `(batch, captions_per_image)`. The last batch may be smaller.
    """
    import tensorflow as tf

    parallel = tf.data.AUTOTUNE
    dataset = tf.data.Dataset.from_tensor_slices(
        {
            "images": [os.fsencode(image) for image in pairs.images],
            "captions": pairs.fixed_captions(captions_per_image),
        }
    )
    # The images of a cached data set are decoded in one order, then shuffled.
    if shuffle and not cache:
        dataset = dataset.shuffle(len(pairs), seed=seed)
    dataset = dataset.map(
        lambda pair: {**pair, "images": _load(pair["images"], image_size)}, parallel
    )
    if cache:
        dataset = dataset.cache()
    if shuffle and cache:
        dataset = dataset.shuffle(len(pairs), seed=seed)
    if augment:
        seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
        dataset = tf.data.Dataset.zip(dataset, seeds).map(_augment, parallel)
    return dataset.batch(batch_size).prefetch(parallel)


def _load(path, image_size):
    import tensorflow as tf

    content = tf.io.read_file(path)
    image = tf.cond(
        _is_plain_jpeg(content),
        lambda: tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.numpy_function(
            lambda name: read_image(os.fsdecode(name)), [path], "uint8", stateful=False
        ),
    )
    image.set_shape((None, None, 3))
    # Floating point even where nothing is to be resized.
    image = tf.image.resize(tf.cast(image, "float32"), image_size, antialias=True)
    return tf.cast(tf.round(image), "uint8")


def _is_plain_jpeg(content):
    """Whether TensorFlow reads the file as `read_image` would, only faster.

    So it is for a whole JPEG file (it ends with its end marker) that opens with a JFIF header
    (grey or colour, never CMYK) and no EXIF header, which may ask for rotation, after it.
    """
    import tensorflow as tf

    padded = tf.strings.join([content, bytes(22)])
    opens = tf.strings.substr(padded, 0, 6) == b"\xff\xd8\xff\xe0\x00\x10"
    no_exif = tf.strings.substr(padded, 20, 2) != b"\xff\xe1"
    ends = tf.strings.substr(tf.strings.join([bytes(2), content]), -2, 2) == b"\xff\xd9"
    return opens & no_exif & ends


def _augment(pair, seed):
    import tensorflow as tf

    draws = tf.random.stateless_uniform([DRAWS], seed)
    image, captions = augment_tensor(pair["images"], pair["captions"], draws)
    return {"images": image, "captions": captions}
