"""Images and captions as a keras.utils.PyDataset: no TensorFlow."""

import collections
import math
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_mmfusion.datasets.captions.caption_augmentation import DRAWS, augment_array
from keras_mmfusion.datasets.images.read_image import read_image, resize_image


class CaptionSequence(keras.utils.PyDataset):
    """Batches of images and captions, decoded in threads by Pillow.

    What `caption_dataset` does, without TensorFlow, and resumable: a batch depends only on
    `seed`, the number of the epoch and its own index. For a `fit` that can be repeated and
    resumed, leave the shuffling to the sequence and let it know the epoch:

        model.fit(
            sequence, shuffle=False, initial_epoch=3, epochs=9,
            callbacks=[sequence.epoch_callback()],
        )

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
        cache: bool. Keep the resized images in memory once they are decoded.
        preprocessor: a `CaptioningPreprocessor` or `None`. With it, batches are what it returns.
        epoch: int. The number of the first epoch; an attribute that may be set.
        workers: int. The number of threads that prepare batches ahead.
        **kwargs: passed to `keras.utils.PyDataset`.

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
        workers=4,
        **kwargs,
    ):
        super().__init__(workers=workers, **kwargs)
        self.pairs = pairs
        self.captions = pairs.fixed_captions(captions_per_image)
        self.batch_size = batch_size
        self.image_size = tuple(image_size)
        self.shuffle = shuffle
        self.seed = seed
        self.augment = augment
        self.preprocessor = preprocessor
        self.epoch = epoch
        self._images = {} if cache else None
        self._order = None, None

    def __len__(self):
        return math.ceil(len(self.pairs) / self.batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be from 0 to {len(self) - 1}. Received: {index}")
        epoch = self.epoch
        places = self._places(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        samples = [self._sample(place, epoch) for place in places]
        images, captions = zip(*samples, strict=True)
        batch = {"images": np.stack(images), "captions": np.array(captions)}
        if self.preprocessor is None:
            return batch
        # Keras takes batches as host memory and moves them to the accelerator itself.
        with keras.device("cpu"):
            return keras.tree.map_structure(np.asarray, self.preprocessor(batch))

    def __iter__(self):
        return self.batches()

    def batches(self, start=0):
        """Iterates over the epoch's batches from index `start`, preparing some ahead."""
        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            ahead = collections.deque()
            for index in range(start, len(self)):
                ahead.append(pool.submit(self.__getitem__, index))
                if len(ahead) > 2 * self.workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def on_epoch_end(self):
        # Keras also calls this when it builds the model from a first batch, so that without the
        # callback epochs differ but their numbers are not those of `fit`.
        self.epoch += 1

    def epoch_callback(self):
        """A Keras callback that sets `epoch` to the number of each epoch of `fit`."""
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: setattr(self, "epoch", epoch)
        )

    def _places(self, epoch):
        """The order of the images in an epoch."""
        if not self.shuffle:
            return range(len(self.pairs))
        last_epoch, order = self._order
        if last_epoch != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pairs))
            self._order = epoch, order
        return order

    def _sample(self, place, epoch):
        image = self._load(int(place))
        captions = self.captions[place]
        if not self.augment:
            return image, captions
        draws = np.random.default_rng([self.seed, epoch, place]).random(DRAWS)
        return augment_array(image, captions, draws)

    def _load(self, place):
        if self._images is not None and place in self._images:
            return self._images[place]
        image = resize_image(read_image(self.pairs.images[place]), self.image_size)
        if self._images is not None:
            self._images[place] = image
        return image
