"""Peer of checkpoints.py: this package on TensorFlow. The argument is the folder of checkpoints."""

import functools
import gc
import pathlib
import statistics
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf
from captioner_sizes import THREADS
from parity_cases import CASES
from peer_process import measure_times, seconds, serve
from resident_memory import peak_megabytes, resident_megabytes

from keras_mmfusion.checkpoints.checkpoint_loading import load_checkpoint
from keras_mmfusion.models import Captioner, ContrastiveModel
from keras_mmfusion.models.captioning import DecodingSettings, SpecialTokens
from keras_mmfusion.models.compiled_function import compile_function

FOLDER = pathlib.Path(sys.argv[1])
LOADED = {}


def load(architecture, dtype):
    """Loads a model with its tokenizer and image converter."""
    LOADED.clear()
    _compile_encoder.cache_clear()
    gc.collect()
    LOADED["case"] = CASES[architecture]
    folder = FOLDER / architecture
    before = resident_megabytes()
    taken = seconds(lambda: LOADED.update(model=load_checkpoint(folder, dtype=dtype)))
    return {"seconds": taken, "megabytes_before": before, "peak_megabytes": peak_megabytes()}


def time_preset(dtype, repeats):
    """Returns the median seconds of loading the preset of the loaded model."""
    model_class = ContrastiveModel if LOADED["case"].kind == "contrastive" else Captioner
    times = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "preset")
        LOADED["model"].save_to_preset(path)
        for _ in range(repeats):
            times.append(seconds(lambda: model_class.from_preset(path, dtype=dtype)))
            gc.collect()
    return statistics.median(times)


def _read_photos(batch_size):
    return np.load(FOLDER / "photos.npy", mmap_mode="r")[:batch_size]


def _preprocess(batch_size):
    return LOADED["model"].preprocessor.generate_preprocess(np.array(_read_photos(batch_size)))


def encode(batch_size):
    """Returns the CPU time of preprocessing and of the image encoder."""
    images, encoder = [], _compile_encoder(LOADED["model"])
    preprocessing = measure_times(lambda: images.append(_preprocess(batch_size)))
    encoding = measure_times(lambda: encoder(images[0]).numpy())
    return {"preprocessing": preprocessing["cpu_seconds"], "encoder": encoding["cpu_seconds"]}


@functools.lru_cache(maxsize=1)
def _compile_encoder(model):
    return compile_function(model, lambda images: model.encode(images, training=False))


def generate(batch_size, beams, tokens):
    special = LOADED["model"].preprocessor.get_special_tokens()
    special = SpecialTokens(special.start, special.end, special.pad, suppress_start_and_pad=False)
    settings = DecodingSettings(tokens, min_length=tokens - 1, beams=beams, length_penalty=1.0)
    results = []

    def run():
        images = _preprocess(batch_size)
        results.append(LOADED["model"].generate_tokens(images, settings, special)[0])

    times = measure_times(run)
    return {**times, "ids": results[0][:, 0].tolist()}


def embed(count, batch_size):
    photos, vectors = _read_photos(batch_size), []
    images = [photos[index % len(photos)] for index in range(count)]
    taken = seconds(
        lambda: vectors.append(LOADED["model"].embed("image", images, batch_size=batch_size))
    )
    return {"seconds": taken, "vectors": vectors[0][:batch_size].tolist()}


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    serve(
        {"keras": keras.__version__, "tensorflow": tf.__version__},
        {
            "load": load,
            "time_preset": time_preset,
            "encode": encode,
            "generate": generate,
            "embed": embed,
            "get_memory": peak_megabytes,
        },
    )
