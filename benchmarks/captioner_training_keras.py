"""Peer of captioning.py: captioner training with Keras on PyTorch, and the time of its parts."""

import functools
import pathlib
import sys
import tempfile

import keras
import numpy as np
import torch
from captioner_sizes import (
    CAPTIONS,
    DIM,
    DROPOUT,
    HEADS,
    IMAGE_DIM,
    IMAGE_SIZE,
    IMAGE_TOKENS,
    LABEL_SMOOTHING,
    LAYERS,
    LEARNING_RATE,
    LENGTH,
    MLP_DIM,
    THREADS,
    TRAINING_BATCH,
    VOCABULARY_SIZE,
    WEIGHT_DECAY,
)
from peer_process import seconds, serve
from synthetic_photos import write_photos

from keras_mmfusion import ImageEncoder, TextDecoder, TransformerCaptioner
from keras_mmfusion.datasets.captions.caption_pairs import CaptionPairs
from keras_mmfusion.datasets.captions.caption_sequence import CaptionSequence
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.compiled_function import compile_function


@functools.cache
def captioner(dtype):
    keras.utils.set_random_seed(0)
    decoder = TextDecoder(
        VOCABULARY_SIZE,
        dim=DIM,
        num_layers=LAYERS,
        num_heads=HEADS,
        mlp_dim=MLP_DIM,
        sequence_length=LENGTH,
        dropout=DROPOUT,
        cross_attention=True,
        dtype=dtype,
    )
    encoder = ImageEncoder("lite2", image_size=IMAGE_SIZE, trainable=False)
    model = TransformerCaptioner(encoder, decoder)
    model.compile(
        optimizer=keras.optimizers.AdamW(
            LEARNING_RATE, weight_decay=WEIGHT_DECAY, global_clipnorm=1.0, beta_2=0.98
        ),
        loss=SmoothedCrossEntropy(LABEL_SMOOTHING),
        weighted_metrics=[],  # Like the peer, compute no accuracy.
    )
    return model


@functools.cache
def batch():
    rng = np.random.default_rng(0)
    tokens = np.clip(rng.normal(size=(TRAINING_BATCH, IMAGE_TOKENS, IMAGE_DIM)), 0, 6)
    shape = (TRAINING_BATCH, CAPTIONS, LENGTH)
    captions, targets = rng.integers(VOCABULARY_SIZE, size=(2, *shape)).astype("int32")
    inputs = {"image_tokens": tokens.astype("float32"), "captions": captions}
    return inputs, targets, np.ones(shape, "float32")


def time_training(dtype):
    return seconds(lambda: captioner(dtype).train_on_batch(*batch()))


@functools.cache
def photo_batches():
    folder = pathlib.Path(tempfile.mkdtemp())
    paths = write_photos(folder, TRAINING_BATCH)
    pairs = CaptionPairs(paths, [["a dog runs"]] * TRAINING_BATCH)
    return CaptionSequence(pairs, TRAINING_BATCH, (IMAGE_SIZE, IMAGE_SIZE), workers=THREADS)


def time_input_pipeline():
    """Returns the seconds to decode and resize a batch of photos."""
    batches = photo_batches()
    batches.on_epoch_end()
    return seconds(lambda: batches[0])


def time_encoder():
    return seconds(lambda: encode()(images()))


@functools.cache
def images():
    shape = (TRAINING_BATCH, IMAGE_SIZE, IMAGE_SIZE, 3)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


@functools.cache
def encode():
    model = captioner("float32")
    return compile_function(model, lambda x: model.encode(x, training=False))


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    serve(
        {"keras": keras.__version__, "torch": torch.__version__, "python": sys.version.split()[0]},
        {
            "time_training": time_training,
            "time_input_pipeline": time_input_pipeline,
            "time_encoder": time_encoder,
        },
    )
