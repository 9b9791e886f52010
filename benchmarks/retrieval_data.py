"""Training data of retrieval models on Flickr8k, with frozen encoders applied once."""

import json

import keras
import numpy as np

from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.models.captioning.training.encoder_digest import compute_encoder_digest
from keras_mmfusion.models.captioning.training.feature_cache import (
    CAPTIONS_FILE,
    FEATURES_FILE,
    write_feature_cache,
)
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.runs.run_record import (
    check_record,
    compute_digest,
    describe_code,
    write_record,
)

CAPTIONS = 5


class RetrievalSplit:
    """The tokens of the two encoders for a split.

    Args:
        pairs: `CaptionPairs`, with five captions for each image.
        folder: path of a folder that caches the tokens.
        image_encoder: `ImageEncoder`.
        text_encoder: `TextEncoder`.
        preprocessor: `RetrievalPreprocessor`.
    """

    def __init__(self, pairs, folder, image_encoder, text_encoder, preprocessor):
        self.images = len(pairs)
        write_feature_cache(image_encoder, pairs, folder, image_encoder.image_size)
        [self.image_tokens] = np.load(folder / FEATURES_FILE, mmap_mode="r")
        captions = [text for texts in pairs.pad_captions(CAPTIONS) for text in texts]
        packed = preprocessor({"text": captions})["text"]
        self.text_mask = packed["padding_mask"] > 0
        path = folder / "text" / "tokens.npy"
        metadata = {
            **describe_code(),
            "text encoder": compute_encoder_digest(text_encoder),
            "tokens": compute_digest(packed["token_ids"].tolist()),
        }
        if path.exists():
            check_record(path.parent, metadata, "Give another `--work`.", what="text tokens")
        else:
            write_record(path.parent, metadata)
            write_text_tokens(path, packed["token_ids"], self.text_mask, text_encoder)
        self.text_tokens = np.load(path, mmap_mode="r")

    def text_inputs(self, rows):
        """Returns model inputs of captions; rows `5 i` to `5 i + 4` belong to image `i`."""
        mask = self.text_mask[rows]
        length = int(mask.sum(axis=1).max())
        tokens = self.text_tokens[rows, :length].astype("float32")
        return {"text_tokens": tokens, "text_mask": mask[:, :length]}


def write_text_tokens(path, token_ids, mask, encoder, batch_size=64):
    """Writes the tokens of all sentences as float16 `(sentences, length, dim)`."""
    with replace_file(path) as scratch:
        _write_text_tokens(scratch, token_ids, mask, encoder, batch_size)


def _write_text_tokens(path, token_ids, mask, encoder, batch_size):
    shape = (*mask.shape, encoder.token_dim)
    tokens = np.lib.format.open_memmap(path, "w+", "float16", shape)
    encode = compile_function(
        encoder, lambda ids, kept: encoder({"token_ids": ids, "padding_mask": kept})
    )
    progress = keras.utils.Progbar(len(mask), unit_name="caption")
    lengths = mask.sum(axis=1)
    by_length = np.argsort(lengths, kind="stable")  # Sorting by length minimizes padding.
    for start in range(0, len(mask), batch_size):
        rows = by_length[start : start + batch_size]
        length = int(lengths[rows].max())
        result = encode(token_ids[rows, :length], mask[rows, :length])
        tokens[rows, :length] = keras.ops.convert_to_numpy(result)
        progress.update(start + len(rows))
    tokens.flush()


class RetrievalSequence(keras.utils.PyDataset):
    """Batches of pairs: every epoch has each image once, with one of its captions.

    Each batch has a random subset of the image tokens, which makes steps faster and regularizes (Li
    et al., "Scaling Language-Image Pre-training via
    Masking", 2023). Random choices depend only on the seed and the epoch. The last incomplete batch
    is dropped.

    Args:
        split: `RetrievalSplit`.
        batch_size: int.
        tokens: int. Tokens of each image.
        seed: int.
    """

    def __init__(self, split, batch_size, tokens, seed=0):
        super().__init__()
        self.split = split
        self.batch_size = batch_size
        self.tokens = tokens
        self.seed = seed
        self.epoch = 0

    def __len__(self):
        return self.split.images // self.batch_size

    def __getitem__(self, index):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.split.images)
        images = order[index * self.batch_size : (index + 1) * self.batch_size]
        draw = np.random.default_rng([self.seed, self.epoch, index])
        captions = draw.integers(CAPTIONS, size=len(images))
        among = self.split.image_tokens.shape[1]
        cells = draw.random((len(images), among)).argsort(axis=1)[:, : self.tokens]
        tokens = self.split.image_tokens[images[:, None], cells].astype("float32")
        texts = self.split.text_inputs(images * CAPTIONS + captions)
        return ({"image_tokens": tokens, **texts},)


class ViewSequence(keras.utils.PyDataset):
    """Batches of pairs: every epoch has each image once, in one version and with one caption.

    Random choices depend only on the seed and the epoch. The last incomplete batch is dropped.

    Args:
        folder: path of the feature maps and captions from `write_feature_cache`.
        preprocessor: `RetrievalPreprocessor`.
        batch_size: int.
        seed: int.
    """

    def __init__(self, folder, preprocessor, batch_size, seed=0):
        super().__init__()
        self.maps = np.load(folder / FEATURES_FILE, mmap_mode="r")
        captions = json.loads((folder / CAPTIONS_FILE).read_text("utf-8"))
        flat = [text for view in captions for texts in view for text in texts]
        shape = (*self.maps.shape[:2], CAPTIONS, -1)
        self.packed = {
            name: ids.reshape(shape) for name, ids in preprocessor({"text": flat})["text"].items()
        }
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def __len__(self):
        return self.maps.shape[1] // self.batch_size

    def __getitem__(self, index):
        draw = np.random.default_rng([self.seed, self.epoch])
        order = draw.permutation(self.maps.shape[1])
        views = draw.integers(len(self.maps), size=len(order))
        numbers = draw.integers(CAPTIONS, size=len(order))
        images = order[index * self.batch_size : (index + 1) * self.batch_size]
        maps = self.maps[views[images], images].astype("float32")
        return ({"image": maps, "text": self.texts(views[images], images, numbers[images])},)

    def texts(self, *positions):
        """Returns token ids and mask of captions, padded to the longest caption."""
        result = {name: ids[positions] for name, ids in self.packed.items()}
        length = int(result["padding_mask"].sum(axis=-1).max())
        return {name: ids[..., :length] for name, ids in result.items()}
