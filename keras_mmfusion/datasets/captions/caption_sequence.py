"""`keras.utils.PyDataset` of images and captions, which does not need TensorFlow."""

import collections
import math
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_mmfusion.datasets.captions.caption_augmentation import DRAWS, augment_array
from keras_mmfusion.datasets.images.read_image import read_image, resize_image
from keras_mmfusion.datasets.images.transparency import drops_alpha


class CaptionSequence(keras.utils.PyDataset):
    """Batches of images and captions, decoded in threads by Pillow.

    Does the same as `caption_dataset` without TensorFlow. A batch depends only on `seed`, the
    epoch and its index, so that training can be resumed at any batch. For a reproducible `fit`,
    disable the shuffling of `fit` and add the callback that sets the epoch:

        model.fit(
            sequence, shuffle=False, initial_epoch=3, epochs=9,
            callbacks=[sequence.epoch_callback()],
        )

    Args:
        pairs: `CaptionPairs`.
        batch_size: int.
        image_size: tuple of ints, `(height, width)`; or `None`, if the `preprocessor` resizes
            images of different sizes.
        captions_per_image: int. Additional captions are dropped; missing captions are empty
            strings, to which a `CaptioningPreprocessor` assigns no weight.
        shuffle: bool. Whether to visit the images in a new random order each epoch.
        seed: int. The seed of the order and the augmentation.
        augment: bool. Whether to randomly crop, recolor and flip images. "left" and "right" are
            swapped in the captions of flipped images.
        cache: bool. Whether to keep the resized images in memory.
        preprocessor: `CaptioningPreprocessor` that is applied to each batch, or `None`.
        epoch: int. The index of the first epoch; an attribute that can be changed.
        drop_alpha: bool. Whether to ignore the transparency of images, also if the `preprocessor`
            does not ask for it; see `caption_dataset`.
        reduce_jpegs: bool. Whether JPEG files of at least twice `image_size`, which must not be
            `None`, are decoded at a smaller size; see `caption_dataset`.
        workers: int. The number of threads that prepare batches.
        use_multiprocessing, max_queue_size: see `keras.utils.PyDataset`.

    Returns:
        `sequence[index]` is a dict of `"images"`, uint8 `(batch, height, width, 3)`, and
        `"captions"`, a string array `(batch, captions_per_image)`; or, with a preprocessor, a
        tuple `(x, y, sample_weight)` of NumPy arrays.
    """

    def __init__(
        self,
        pairs,
        batch_size=32,
        image_size=(224, 224),
        captions_per_image=5,
        shuffle=True,
        seed=0,
        augment=False,
        cache=False,
        preprocessor=None,
        epoch=0,
        drop_alpha=False,
        reduce_jpegs=False,
        workers=4,
        use_multiprocessing=False,
        max_queue_size=10,
    ):
        super().__init__(workers, use_multiprocessing, max_queue_size)
        if reduce_jpegs and image_size is None:
            raise ValueError("CaptionSequence: `reduce_jpegs` needs an `image_size`.")
        self.pairs = pairs
        self.captions = pairs.pad_captions(captions_per_image)
        self.batch_size = batch_size
        self.image_size = None if image_size is None else tuple(image_size)
        self.shuffle = shuffle
        self.seed = seed
        self.augment = augment
        self.preprocessor = preprocessor
        self.epoch = epoch
        self.drop_alpha = drop_alpha or drops_alpha(preprocessor)
        self.reduce_jpegs = reduce_jpegs
        self._images = {} if cache else None
        self._order = None, None

    def __len__(self):
        return math.ceil(len(self.pairs) / self.batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be from 0 to {len(self) - 1}. Received: {index}")
        epoch = self.epoch
        rows = self._order_rows(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        samples = [self._load_sample(row, epoch) for row in rows]
        images, captions = zip(*samples, strict=True)
        images = list(images) if self.image_size is None else np.stack(images)
        batch = {"images": images, "captions": np.array(captions)}
        if self.preprocessor is None:
            return batch
        # Keras expects batches in host memory and copies them to the accelerator.
        with keras.device("cpu"):
            return keras.tree.map_structure(np.asarray, self.preprocessor(batch))

    def __iter__(self):
        return self.iterate_batches()

    def iterate_batches(self, start=0):
        """Iterates over the batches of the epoch from index `start`, with prefetching."""
        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            ahead = collections.deque()
            for index in range(start, len(self)):
                ahead.append(pool.submit(self.__getitem__, index))
                if len(ahead) > 2 * self.workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def on_epoch_end(self):
        # Keras also calls this after building the model from a first batch. Without the callback,
        # the epochs therefore differ, but are not numbered as in `fit`.
        self.epoch += 1

    def epoch_callback(self):
        """Returns a Keras callback that sets `epoch` to the current epoch of `fit`."""
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: setattr(self, "epoch", epoch)
        )

    def _order_rows(self, epoch):
        """Returns the order of the images in an epoch."""
        if not self.shuffle:
            return range(len(self.pairs))
        last_epoch, order = self._order
        if last_epoch != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pairs))
            self._order = epoch, order
        return order

    def _load_sample(self, row, epoch):
        image = self._load_image(int(row))
        captions = self.captions[row]
        if not self.augment:
            return image, captions
        draws = np.random.default_rng([self.seed, epoch, row]).random(DRAWS)
        return augment_array(image, captions, draws)

    def _load_image(self, row):
        if self._images is not None and row in self._images:
            return self._images[row]
        image = read_image(
            self.pairs.images[row],
            drop_alpha=self.drop_alpha,
            reduce_to=self.image_size if self.reduce_jpegs else None,
        )
        if self.image_size is not None:
            image = resize_image(image, self.image_size)
        if self._images is not None:
            self._images[row] = image
        return image
