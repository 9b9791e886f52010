"""Feature maps of the frozen part of an encoder, computed once and stored on disk."""

import json
import pathlib
import warnings

import keras
import numpy as np

from keras_mmfusion._progress import progress_bars
from keras_mmfusion.datasets.captions.caption_sequence import CaptionSequence
from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.models.captioning.training.encoder_digest import compute_encoder_digest
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.runs.image_digest import ImageDigests, describe_pairs
from keras_mmfusion.models.runs.run_record import (
    RECORD,
    check_record,
    compute_digest,
    describe_code,
    list_changes,
    read_record,
    write_record,
)

FEATURES_FILE = "features.npy"
CAPTIONS_FILE = "captions.json"


def write_feature_cache(encoder, pairs, folder, image_size, views=1, seed=0, batch_size=32):
    """Encodes all views of every image and writes the feature maps as float16.

    View 0 is the original image; further views are augmented (`caption_augmentation`), with their
    captions. A finished cache of the same images, captions, encoder and settings is reused.

    Args:
        encoder: model of normalized images, such as the lower part of `ImageEncoder.split`.
        pairs: `CaptionPairs`.
        folder: string or path. Folder of the cache.
        image_size: pair of ints.
        views: int. Number of views of each image.
        seed: int. Seed of the augmentation.
        batch_size: int.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        ValueError: if the folder contains a cache of other inputs; the message lists the
            differences.
    """
    settings = {"batch_size": batch_size, "image_size": image_size, "shuffle": False, "seed": seed}
    captions = []

    def batches():
        for view in range(views):
            captions.append([])
            for batch in CaptionSequence(pairs, augment=view > 0, epoch=view, **settings):
                captions[-1].extend(batch["captions"].tolist())
                yield (batch["images"].astype("float32") - 127.0) / 128.0

    metadata, known = describe_features(encoder, pairs, folder, image_size, views, seed)
    if is_finished(folder, metadata):
        return pathlib.Path(folder)
    shape = (views, len(pairs))
    return _write(encoder, batches(), shape, pathlib.Path(folder), captions, metadata, known)


def describe_features(encoder, pairs, folder, image_size, views, seed):
    """Returns the metadata of a cache, and the digests of the image files read so far."""
    digests = ImageDigests(read_record(folder).get("image_digests"))
    metadata = {
        **describe_code("captioning"),
        "encoder": compute_encoder_digest(encoder),
        **describe_pairs(pairs, digests),
        "image_size": list(image_size),
        "views": views,
        # Only augmented views depend on the seed.
        **({"seed": seed} if views > 1 else {}),
    }
    return metadata, digests.cache


def is_finished(folder, metadata):
    """Returns whether a folder contains the finished cache with this metadata.

    Raises:
        ValueError: if it contains a cache with other metadata.
    """
    # The maps are written last: without them, there is no cache.
    if not (pathlib.Path(folder) / FEATURES_FILE).exists():
        return False
    choices = (
        "Replace them with `--restart` (`restart=True`); use another `--features` (`features`); "
        "or restore the original inputs."
    )
    check_record(folder, metadata, choices, what="feature maps")
    return True


def remove_outdated(folder, metadata):
    """Removes a finished cache with other metadata."""
    if list_changes(read_record(folder).get("metadata", {}), metadata):
        for name in (FEATURES_FILE, CAPTIONS_FILE, RECORD):  # Maps first: see `is_finished`.
            (pathlib.Path(folder) / name).unlink(missing_ok=True)


def encode_feature_cache(encoder, cache, folder, batch_size=32):
    """Applies further layers of the encoder to the feature maps of a cache.

    Args:
        encoder: model of the feature maps in the cache.
        cache: string or path. Folder written by `write_feature_cache`.
        folder: string or path. Folder of the new cache.
        batch_size: int.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        ValueError: if the folder contains a cache of other inputs; the message lists the
            differences.
    """
    cache = pathlib.Path(cache)
    maps = np.load(cache / FEATURES_FILE, mmap_mode="r")
    captions = json.loads((cache / CAPTIONS_FILE).read_text("utf-8"))

    def batches():
        for view in maps:
            for start in range(0, len(view), batch_size):
                yield view[start : start + batch_size].astype("float32")

    source = read_record(cache)["metadata"]
    metadata = {
        **describe_code("captioning"),
        "encoder": compute_encoder_digest(encoder),
        "maps": compute_digest(source),
    }
    if is_finished(folder, metadata):
        return pathlib.Path(folder)
    return _write(encoder, batches(), maps.shape[:2], pathlib.Path(folder), captions, metadata, {})


def _write(encoder, batches, views_and_images, folder, captions, metadata, known):
    """Writes captions, record and feature maps; each file atomically, the maps last.

    Args:
        encoder: model.
        batches: iterator of arrays, the inputs of the encoder, by view and image.
        views_and_images: tuple of two ints.
        folder: `pathlib.Path`.
        captions: list by view of lists by image, complete once `batches` is exhausted.
        metadata, known: for the record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = (*views_and_images, *encoder.output_shape[1:])
    encode = compile_function(encoder, lambda x: encoder(x, training=False))
    with replace_file(folder / FEATURES_FILE) as scratch:
        features = np.lib.format.open_memmap(scratch, mode="w+", dtype="float16", shape=shape)
        rows = features.reshape(-1, *shape[2:])
        start = 0
        with progress_bars() as bars:
            task = bars.add_task("Encoding images", total=len(rows))
            for batch in batches:
                end = start + len(batch)
                encoded = keras.ops.cast(encode(batch), "float32")
                rows[start:end] = keras.ops.convert_to_numpy(encoded)
                bars.update(task, completed=end)
                start = end
        features.flush()
        with replace_file(folder / CAPTIONS_FILE) as scratch_captions:
            scratch_captions.write_text(json.dumps(captions), "utf-8")
        write_record(folder, metadata, image_digests=known)
    return folder


class FeatureSequence(keras.utils.PyDataset):
    """Training batches `(x, y, sample_weight)` of a feature cache.

    The feature maps are the `"images"` of `x`, for a captioner whose encoder takes them. Each
    epoch samples one view of every image; order and views depend only on `seed` and the epoch.

    Args:
        folder: string or path. Folder written by `write_feature_cache`.
        preprocessor: `CaptioningPreprocessor`.
        batch_size: int. Number of images in a batch.
        shuffle: bool.
        seed: int.
        epoch: int. Index of the first epoch.
    """

    def __init__(self, folder, preprocessor, batch_size=32, shuffle=True, seed=0, epoch=0):
        super().__init__()
        folder = pathlib.Path(folder)
        self.features = np.load(folder / FEATURES_FILE, mmap_mode="r")
        captions = json.loads((folder / CAPTIONS_FILE).read_text("utf-8"))
        self.packed = preprocessor.pack_captions(captions)
        _check_words(captions[0], preprocessor.count_known_words(self.packed[1][0]))
        self.caption_length = preprocessor.sequence_length
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = epoch

    def __len__(self):
        return -(-self.features.shape[1] // self.batch_size)

    def __getitem__(self, index):
        images = self.image_indices(index)
        rows = (self._sample_views()[images], images)
        inputs, targets, weights = (part[rows] for part in self.packed)
        features = self.features[rows].astype("float32")
        return {"images": features, "captions": inputs}, targets, weights

    def image_indices(self, index):
        """Returns the indices of the images in batch `index` of the current epoch."""
        indices = np.arange(self.features.shape[1])
        if self.shuffle:
            indices = np.random.default_rng([self.seed, self.epoch]).permutation(indices)
        return indices[index * self.batch_size : (index + 1) * self.batch_size]

    def _sample_views(self):
        views, images = self.features.shape[:2]
        if not self.shuffle:
            return np.zeros(images, "int64")
        return np.random.default_rng([self.seed, self.epoch, 1]).integers(views, size=images)

    def reference_ids(self):
        """Returns the token ids of the original captions (view 0) of every image."""
        _, targets, weights = self.packed
        return [
            [ids[mask > 0].tolist() for ids, mask in zip(captions, masks, strict=True)]
            for captions, masks in zip(targets[0], weights[0], strict=True)
        ]

    def on_epoch_end(self):
        self.epoch += 1


def _check_words(captions, known_words):
    """Warns about captions without words of the vocabulary; raises if there are no others."""
    unknown = [
        caption
        for each, counts in zip(captions, known_words, strict=True)
        for caption, count in zip(each, counts, strict=True)
        if caption.strip() and not count
    ]
    if not known_words.any():
        raise ValueError(
            "No caption contains a word of the tokenizer's vocabulary, so there is nothing to "
            "learn. Check that the captions are in the language of the vocabulary. The first are "
            f"{unknown[:3]!r:.300}"
        )
    if unknown:
        warnings.warn(
            f"{len(unknown)} captions contain no word of the tokenizer's vocabulary and are "
            f"ignored, such as {unknown[:3]!r:.300}",
            stacklevel=3,
        )
