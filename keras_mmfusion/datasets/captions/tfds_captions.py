"""Captions that TensorFlow Datasets loads, as batches of raw images and captions."""

from keras_mmfusion.datasets.captions.caption_pipeline import caption_batches
from keras_mmfusion.datasets.images.image_resizing import resize_image_tensor

SHUFFLED = 2048


def tfds_caption_dataset(
    examples,
    batch_size=32,
    image_size=(224, 224),
    captions_per_image=5,
    shuffle=True,
    seed=0,
    augment=False,
    cache=False,
):
    """Batches as `caption_dataset` makes them, of a captioning data set of TensorFlow Datasets.

    Args:
        examples: `tf.data.Dataset` of dicts with `"image"`, uint8 `(height, width, 3)`, and
            `"captions"`, strings `(captions,)`, alone or as `"text"` of a dict: what `tfds.load`
            returns for `"coco_captions"`, or for this package's `"flickr8k"`.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`.
        captions_per_image: int. Further captions of an image are left out; missing ones are
            empty strings, which a `CaptioningPreprocessor` gives no weight.
        shuffle: bool. Shuffle 2,048 images at a time, anew each epoch; `tfds.load` shuffles
            files by `shuffle_files=True`.
        seed: int. Seeds the order and the augmentation.
        augment: bool. Crop, recolour and flip images at random; see `caption_dataset`.
        cache: bool. Keep the resized images in memory after the first epoch.

    Returns:
        A `tf.data.Dataset` of dicts: `"images"`, uint8 `(batch, height, width, 3)`, and
        `"captions"`, strings `(batch, captions_per_image)`.

    Example:

    >>> import tensorflow as tf
    >>> from keras_mmfusion.datasets import tfds_caption_dataset
    >>> example = {"image": tf.zeros((40, 60, 3), "uint8"), "captions": {"text": ["A dog."]}}
    >>> dataset = tfds_caption_dataset(
    ...     tf.data.Dataset.from_tensors(example), image_size=(32, 32), captions_per_image=2
    ... )
    >>> batch = next(dataset.as_numpy_iterator())
    >>> batch["images"].shape, batch["captions"].tolist()
    ((1, 32, 32, 3), [[b'A dog.', b'']])
    """
    import tensorflow as tf

    spec = examples.element_spec
    if not isinstance(spec, dict) or not {"image", "captions"} <= set(spec):
        raise ValueError(f"`examples` must have 'image' and 'captions'. Received: {spec}")

    def pair(example):
        texts = example["captions"]
        texts = (texts["text"] if isinstance(texts, dict) else texts)[:captions_per_image]
        texts = tf.concat([texts, tf.fill([captions_per_image - tf.size(texts)], "")], axis=0)
        return {
            "images": resize_image_tensor(example["image"], image_size),
            "captions": tf.ensure_shape(texts, (captions_per_image,)),
        }

    dataset = examples.map(pair, tf.data.AUTOTUNE)
    if cache:
        dataset = dataset.cache()
    if shuffle:
        dataset = dataset.shuffle(SHUFFLED, seed=seed)
    return caption_batches(dataset, batch_size, seed, augment)
