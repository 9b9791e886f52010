"""`tf.data` pipeline of captioning data sets that are loaded by TensorFlow Datasets."""

from keras_mmfusion.datasets.captions.caption_pipeline import batch_captions
from keras_mmfusion.datasets.images.image_resizing import resize_image_tensor

SHUFFLE_BUFFER = 2048


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
    """Batches a captioning data set of TensorFlow Datasets like `caption_dataset`.

    Args:
        examples: `tf.data.Dataset` of dicts with `"image"`, uint8 `(height, width, 3)`, and
            `"captions"`, strings `(captions,)` or a dict with them as `"text"`, as returned by
            `tfds.load` for `"coco_captions"`, or for this package's `"flickr8k"`.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`.
        captions_per_image: int. Additional captions are dropped; missing captions are empty
            strings, to which a `CaptioningPreprocessor` assigns no weight.
        shuffle: bool. Whether to shuffle with a buffer of 2,048 images, differently each epoch.
            Pass `shuffle_files=True` to `tfds.load` to shuffle files, too.
        seed: int. The seed of the order and the augmentation.
        augment: bool. Whether to randomly crop, recolor and flip images; see `caption_dataset`.
        cache: bool. Whether to keep the resized images in memory after the first epoch.

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

    def build_pair(example):
        texts = example["captions"]
        texts = (texts["text"] if isinstance(texts, dict) else texts)[:captions_per_image]
        texts = tf.concat([texts, tf.fill([captions_per_image - tf.size(texts)], "")], axis=0)
        return {
            "images": resize_image_tensor(example["image"], image_size),
            "captions": tf.ensure_shape(texts, (captions_per_image,)),
        }

    dataset = examples.map(build_pair, tf.data.AUTOTUNE)
    if cache:
        dataset = dataset.cache()
    if shuffle:
        dataset = dataset.shuffle(SHUFFLE_BUFFER, seed=seed)
    return batch_captions(dataset, batch_size, seed, augment)
