"""Feature maps of an encoder's frozen part, computed once and kept on disk for all epochs."""

import json
import os
import pathlib
import warnings

import keras
import numpy as np

from keras_mmfusion.datasets.captions.caption_sequence import CaptionSequence
from keras_mmfusion.models.captioning.training.encoder_digest import encoder_digest
from keras_mmfusion.models.compiled_function import compiled_function
from keras_mmfusion.models.runs.image_digest import ImageDigests, pairs_facts
from keras_mmfusion.models.runs.run_record import (
    RECORD,
    changed_facts,
    check_record,
    code_facts,
    digest_of,
    read_record,
    write_record,
)

FEATURES_FILE = "features.npy"
CAPTIONS_FILE = "captions.json"


def write_feature_cache(encoder, pairs, folder, image_size, views=1, seed=0, batch_size=32):
    """Encodes every image once for each view and writes what it gives as float16.

    View 0 is the image as it is, further views are augmented (`caption_augmentation`), with their
    captions. A folder that holds the finished cache of the same images, captions, encoder and
    settings is left as it is.

    Args:
        encoder: model of normalized images, such as the lower part of `ImageEncoder.split`.
        pairs: `CaptionPairs`.
        folder: string or path, where the cache goes.
        image_size: pair of ints.
        views: int.
        seed: int. Seeds the augmentation.
        batch_size: int.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        ValueError: if the folder holds the cache of something else; the message says what differs.
    """
    settings = {"batch_size": batch_size, "image_size": image_size, "shuffle": False, "seed": seed}
    captions = []

    def batches():
        for view in range(views):
            captions.append([])
            for batch in CaptionSequence(pairs, augment=view > 0, epoch=view, **settings):
                captions[-1].extend(batch["captions"].tolist())
                yield (batch["images"].astype("float32") - 127.0) / 128.0

    facts, known = feature_facts(encoder, pairs, folder, image_size, views, seed)
    if is_finished(folder, facts):
        return pathlib.Path(folder)
    shape = (views, len(pairs))
    return _write(encoder, batches(), shape, pathlib.Path(folder), captions, facts, known)


def feature_facts(encoder, pairs, folder, image_size, views, seed):
    """What a cache is made from, and the digests of the image lists that are known by then."""
    digests = ImageDigests(read_record(folder).get("known_images"))
    facts = {
        **code_facts("captioning"),
        "encoder": encoder_digest(encoder),
        **pairs_facts(pairs, digests),
        "image_size": list(image_size),
        "views": views,
        # Only augmented views draw anything.
        **({"seed": seed} if views > 1 else {}),
    }
    return facts, digests.known


def is_finished(folder, facts):
    """Whether a folder holds the finished cache of these facts.

    Raises:
        ValueError: if it holds a cache of others.
    """
    # The maps are written last: without them nothing is there that could be stale.
    if not (pathlib.Path(folder) / FEATURES_FILE).exists():
        return False
    choices = (
        "Start over with `--restart` (`restart=True`), which replaces them; or give another "
        "`--features` (`features`); or go back to what they were made from."
    )
    check_record(folder, facts, choices, what="feature maps")
    return True


def remove_unless_of(folder, facts):
    """Removes a finished cache that was made from something else."""
    if changed_facts(read_record(folder).get("facts", {}), facts):
        for name in (FEATURES_FILE, CAPTIONS_FILE, RECORD):  # The maps first: see `is_finished`.
            (pathlib.Path(folder) / name).unlink(missing_ok=True)


def encode_feature_cache(encoder, cache, folder, batch_size=32):
    """Takes the maps of a cache further, through more of the encoder, and writes what it gives.

    Args:
        encoder: model of the cache's feature maps.
        cache: string or path, from `write_feature_cache`.
        folder: string or path, where the new cache goes, as for `write_feature_cache`.
        batch_size: int.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        ValueError: if the folder holds the cache of something else; the message says what differs.
    """
    cache = pathlib.Path(cache)
    maps = np.load(cache / FEATURES_FILE, mmap_mode="r")
    captions = json.loads((cache / CAPTIONS_FILE).read_text("utf-8"))

    def batches():
        for view in maps:
            for start in range(0, len(view), batch_size):
                yield view[start : start + batch_size].astype("float32")

    source = read_record(cache)["facts"]
    facts = {
        **code_facts("captioning"),
        "encoder": encoder_digest(encoder),
        "maps": digest_of(source),
    }
    if is_finished(folder, facts):
        return pathlib.Path(folder)
    return _write(encoder, batches(), maps.shape[:2], pathlib.Path(folder), captions, facts, {})


def _write(encoder, batches, views_and_images, folder, captions, facts, known):
    """Writes captions, record and maps, each file whole or not at all, the maps last.

    Args:
        encoder: model.
        batches: iterator of arrays, the encoder's inputs: view by view, image by image.
        views_and_images: tuple of two ints.
        folder: `pathlib.Path`.
        captions: list by view, of lists by image, complete once `batches` is through.
        facts, known: for the record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = (*views_and_images, *encoder.output_shape[1:])
    encode = compiled_function(encoder, lambda x: encoder(x, training=False))
    scratch = folder / f".{FEATURES_FILE}.{os.getpid()}"
    scratch_captions = folder / f".{CAPTIONS_FILE}.{os.getpid()}"
    try:
        features = np.lib.format.open_memmap(scratch, mode="w+", dtype="float16", shape=shape)
        rows = features.reshape(-1, *shape[2:])
        progress = keras.utils.Progbar(len(rows), unit_name="image")
        start = 0
        for batch in batches:
            end = start + len(batch)
            rows[start:end] = keras.ops.convert_to_numpy(keras.ops.cast(encode(batch), "float32"))
            progress.update(end)
            start = end
        features.flush()
        scratch_captions.write_text(json.dumps(captions), "utf-8")
        os.replace(scratch_captions, folder / CAPTIONS_FILE)
        write_record(folder, facts, known_images=known)
        os.replace(scratch, folder / FEATURES_FILE)
    finally:
        scratch.unlink(missing_ok=True)
        scratch_captions.unlink(missing_ok=True)
    return folder


class FeatureSequence(keras.utils.PyDataset):
    """Training batches out of a feature cache: `(x, y, sample_weight)` with the features as
    `"images"`, for a captioner whose encoder takes them.

    Each epoch draws, for every image, one of the views; order and views depend on `seed` and the
    epoch alone.

    Args:
        folder: string or path, from `write_feature_cache`.
        preprocessor: `CaptioningPreprocessor`.
        batch_size: int. Images of a batch.
        shuffle: bool.
        seed: int.
        epoch: int. The number of the first epoch.
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
        places = self.places(index)
        picked = (self._views()[places], places)
        inputs, targets, weights = (part[picked] for part in self.packed)
        features = self.features[picked].astype("float32")
        return {"images": features, "captions": inputs}, targets, weights

    def places(self, index):
        """Numbers of the images in batch `index` of this epoch."""
        places = np.arange(self.features.shape[1])
        if self.shuffle:
            places = np.random.default_rng([self.seed, self.epoch]).permutation(places)
        return places[index * self.batch_size : (index + 1) * self.batch_size]

    def _views(self):
        views, images = self.features.shape[:2]
        if not self.shuffle:
            return np.zeros(images, "int64")
        return np.random.default_rng([self.seed, self.epoch, 1]).integers(views, size=images)

    def reference_ids(self):
        """For every image the token ids of its captions as they were written (view 0)."""
        _, targets, weights = self.packed
        return [
            [ids[kept > 0].tolist() for ids, kept in zip(captions, mask, strict=True)]
            for captions, mask in zip(targets[0], weights[0], strict=True)
        ]

    def on_epoch_end(self):
        self.epoch += 1


def _check_words(captions, known_words):
    """Warns of captions without a word of the vocabulary, and raises if there are no others."""
    unknown = [
        caption
        for each, counts in zip(captions, known_words, strict=True)
        for caption, count in zip(each, counts, strict=True)
        if caption.strip() and not count
    ]
    if not known_words.any():
        raise ValueError(
            "No caption has a word that the tokenizer knows, so that there is nothing to learn: "
            "check that the captions are in the language of its vocabulary. The first are "
            f"{unknown[:3]!r:.300}"
        )
    if unknown:
        warnings.warn(
            f"{len(unknown)} captions have no word that the tokenizer knows, and teach nothing, "
            f"such as {unknown[:3]!r:.300}",
            stacklevel=3,
        )
