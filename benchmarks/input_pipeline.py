"""Measures the input pipeline next to a loop that only decodes the same photos.

    python benchmarks/input_pipeline.py

Uses generated photos of 500 x 375 pixels and, with `KERAS_MMFUSION_TEST_DATA`, those in its
`flickr8k/` (224 x 224), in their own size and enlarged, on two CPU cores. Writes
`benchmarks/results/input_pipeline.json`: images per second of `caption_dataset`, which reads,
decodes, resizes and batches, of a loop that reads and decodes, and of a plain pipeline with
`tf.image.resize`; resident memory over an epoch; and whether epochs are reproducible, also when
resumed in the middle. Linux only.
"""

import argparse
import collections
import hashlib
import os
import pathlib
import platform
import sys
import tempfile

from peer_process import seconds
from resident_memory import resident_megabytes
from synthetic_photos import write_photos
from write_results import write_results

CORES, BATCH_SIZE, SIZE, LARGER_SIZE = 2, 32, (224, 224), (260, 260)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


class DecodeInTurn:
    """Decodes one photo after another."""

    def __init__(self, paths):
        self.paths = paths

    def __iter__(self):
        import tensorflow as tf

        for path in self.paths:
            yield tf.io.decode_jpeg(tf.io.read_file(path), channels=3)


def decode_in_parallel(paths):
    """Decodes photos in parallel on all cores."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(paths).map(
        lambda path: tf.io.decode_jpeg(tf.io.read_file(path), channels=3), tf.data.AUTOTUNE
    )


def plain_batches(paths, size):
    """Returns a plain pipeline of TensorFlow operations."""
    import tensorflow as tf

    def load(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.round(tf.image.resize(image, size, antialias=True)), "uint8")

    dataset = tf.data.Dataset.from_tensor_slices(paths).map(load, tf.data.AUTOTUNE)
    return dataset.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


def our_sequence(paths, size):
    """Returns the same batches as `make_dataset`, without TensorFlow."""
    from keras_mmfusion.datasets import CaptionSequence

    return CaptionSequence(make_pairs(paths), BATCH_SIZE, size, workers=CORES)


def make_pairs(paths):
    from keras_mmfusion.datasets import CaptionPairs

    return CaptionPairs(list(paths), [["A photo."]] * len(paths))


def make_dataset(paths, size=SIZE, **options):
    """Returns the training data of a captioner."""
    from keras_mmfusion.datasets import caption_dataset

    return caption_dataset(make_pairs(paths), BATCH_SIZE, size, captions_per_image=1, **options)


def time_photos(paths, size, repeats):
    """Measures images per second of each method in its best epoch, and the share of ours."""
    ways = {
        "bare_loop_in_turn": DecodeInTurn(paths),
        "bare_loop_in_parallel": decode_in_parallel(paths),
        "plain_tf_data": plain_batches(paths, size),
        "caption_dataset": make_dataset(paths, size),
        "caption_sequence": our_sequence(paths, size),
    }
    rates = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            rate = len(paths) / seconds(lambda way=way: collections.deque(way, maxlen=0))
            # The first turn includes imports, tracing and disk access.
            rates[name] += [rate] if turn else []
    # The kernel sometimes runs all threads of an epoch on one core: medians show how often, the
    # best epoch shows what the code can do.
    rates = {name: max(each) for name, each in rates.items()}
    return {
        "images": len(paths),
        "size": size,
        "images_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "share_of_the_loop_in_parallel": round(
            rates["caption_dataset"] / rates["bare_loop_in_parallel"], 3
        ),
        "share_of_the_loop_in_turn": round(
            rates["caption_dataset"] / rates["bare_loop_in_turn"], 3
        ),
    }


def measure_epoch_memory(paths, images):
    """Returns resident megabytes after each tenth of an epoch."""
    dataset = make_dataset([paths[i % len(paths)] for i in range(images)])
    tenth, samples = max(1, len(dataset) // 10), []
    for step, _ in enumerate(dataset, start=1):
        if step % tenth == 0:
            samples.append(round(resident_megabytes(), 1))
    # The first tenth includes buffers and thread pools.
    return {
        "images": images,
        "resident_megabytes": samples,
        "growth": round((samples[-1] - samples[0]) / samples[0], 4),
    }


def hash_batches(batches):
    return [hashlib.sha256(batch["images"].numpy().tobytes()).hexdigest() for batch in batches]


def check_epochs(paths):
    """Returns whether a seed reproduces an epoch, also from a checkpoint in the middle."""
    import tensorflow as tf

    options = {"seed": 1, "augment": True}
    whole = hash_batches(make_dataset(paths, **options))
    begun = iter(make_dataset(paths, **options))
    half = len(whole) // 2
    first = hash_batches(next(begun) for _ in range(half))
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = tf.train.Checkpoint(iterator=begun).save(os.path.join(folder, "iterator"))
        resumed = iter(make_dataset(paths, **options))
        tf.train.Checkpoint(iterator=resumed).restore(checkpoint)
        rest = hash_batches(resumed)
    return {
        "again_the_same": hash_batches(make_dataset(paths, **options)) == whole,
        "another_seed_differs": hash_batches(make_dataset(paths, seed=2, augment=True)) != whole,
        "resumed_rest_the_same": first + rest == whole,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = pathlib.Path(__file__).parent / "results" / "input_pipeline.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--images", type=int, default=1000, help="that are drawn")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-images", type=int, default=20_000)
    options = parser.parse_args()
    # Must be set before TensorFlow counts the cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    import tensorflow as tf

    from keras_mmfusion._provenance import describe_machine

    with tempfile.TemporaryDirectory() as folder:
        drawn = write_photos(folder, options.images)
        photos = {"drawn, 500 x 375": (drawn, SIZE)}
        data = os.environ.get("KERAS_MMFUSION_TEST_DATA")
        if data:
            files = sorted(pathlib.Path(data, "flickr8k", "images").glob("*.jpg"))
            stored = [str(path) for path in files]
            photos |= {
                "Flickr8k's, stored as 224 x 224": (stored, SIZE),
                "Flickr8k's, to grow": (stored, LARGER_SIZE),
            }
        report = {
            "machine": {**describe_machine(), "cores": CORES},
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "batch_size": BATCH_SIZE,
            "epochs": options.repeats,
            "speed": {name: time_photos(*of, options.repeats) for name, of in photos.items()},
            "memory": measure_epoch_memory(drawn, options.memory_images),
            "same_epochs": check_epochs(drawn[:200]),
        }
    for name, speed in report["speed"].items():
        share = speed["share_of_the_loop_in_parallel"]
        print(f"{name}: {share:.2f} of the bare loop's images per second", file=sys.stderr)
    write_results(options.json, report)


if __name__ == "__main__":
    main()
