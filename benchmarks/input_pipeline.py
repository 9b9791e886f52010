"""Times the input pipeline beside a bare loop that decodes the same photos, and tests its promises.

    python benchmarks/input_pipeline.py

Photos of 500 x 375 are drawn; with `KERAS_MMFUSION_TEST_DATA` those of its `flickr8k/`, 224 x 224,
are read, too, as large as they are and larger. All runs on two CPU cores. Writes to
`benchmarks/results/input_pipeline.json`: images per second of `caption_dataset`, which reads,
decodes, resizes and batches, beside a loop that reads and decodes alone and beside a plain pipeline
of `tf.image.resize`; resident memory over an epoch; and whether epochs are the same again, also
when they are taken up in the middle. Linux only.
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
    """One photo after the other."""

    def __init__(self, paths):
        self.paths = paths

    def __iter__(self):
        import tensorflow as tf

        for path in self.paths:
            yield tf.io.decode_jpeg(tf.io.read_file(path), channels=3)


def decode_in_parallel(paths):
    """As many photos at a time as there are cores."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(paths).map(
        lambda path: tf.io.decode_jpeg(tf.io.read_file(path), channels=3), tf.data.AUTOTUNE
    )


def plain_batches(paths, size):
    """A pipeline of TensorFlow's own operations, as one would write it."""
    import tensorflow as tf

    def load(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.round(tf.image.resize(image, size, antialias=True)), "uint8")

    dataset = tf.data.Dataset.from_tensor_slices(paths).map(load, tf.data.AUTOTUNE)
    return dataset.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


def our_sequence(paths, size):
    """The same as `dataset_of` without TensorFlow."""
    from keras_mmfusion.datasets import CaptionSequence

    return CaptionSequence(pairs_of(paths), BATCH_SIZE, size, workers=CORES)


def pairs_of(paths):
    from keras_mmfusion.datasets import CaptionPairs

    return CaptionPairs(list(paths), [["A photo."]] * len(paths))


def dataset_of(paths, size=SIZE, **options):
    """What a captioner is trained on."""
    from keras_mmfusion.datasets import caption_dataset

    return caption_dataset(pairs_of(paths), BATCH_SIZE, size, captions_per_image=1, **options)


def time_photos(paths, size, repeats):
    """Images per second of each way in the best of its epochs, and what is the share of ours."""
    ways = {
        "bare_loop_in_turn": DecodeInTurn(paths),
        "bare_loop_in_parallel": decode_in_parallel(paths),
        "plain_tf_data": plain_batches(paths, size),
        "caption_dataset": dataset_of(paths, size),
        "caption_sequence": our_sequence(paths, size),
    }
    rates = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            rate = len(paths) / seconds(lambda way=way: collections.deque(way, maxlen=0))
            # The first turn pays for imports, traces and the disk.
            rates[name] += [rate] if turn else []
    # Now and then the kernel leaves the threads of an epoch on one core, whatever the way: medians
    # tell how often, the best what the code can do.
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


def memory_of_an_epoch(paths, images):
    """Resident megabytes after each tenth of an epoch."""
    dataset = dataset_of([paths[i % len(paths)] for i in range(images)])
    tenth, samples = max(1, len(dataset) // 10), []
    for step, _ in enumerate(dataset, start=1):
        if step % tenth == 0:
            samples.append(round(resident_megabytes(), 1))
    # The first tenth pays for buffers and thread pools.
    return {
        "images": images,
        "resident_megabytes": samples,
        "growth": round((samples[-1] - samples[0]) / samples[0], 4),
    }


def digests(batches):
    return [hashlib.sha256(batch["images"].numpy().tobytes()).hexdigest() for batch in batches]


def same_epochs(paths):
    """Whether a seed gives an epoch again, and the rest of one from a checkpoint in its middle."""
    import tensorflow as tf

    options = {"seed": 1, "augment": True}
    whole = digests(dataset_of(paths, **options))
    begun = iter(dataset_of(paths, **options))
    half = len(whole) // 2
    first = digests(next(begun) for _ in range(half))
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = tf.train.Checkpoint(iterator=begun).save(os.path.join(folder, "iterator"))
        resumed = iter(dataset_of(paths, **options))
        tf.train.Checkpoint(iterator=resumed).restore(checkpoint)
        rest = digests(resumed)
    return {
        "again_the_same": digests(dataset_of(paths, **options)) == whole,
        "another_seed_differs": digests(dataset_of(paths, seed=2, augment=True)) != whole,
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
    # Before TensorFlow counts the cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    import tensorflow as tf

    from keras_mmfusion._provenance import machine

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
            "machine": {**machine(), "cores": CORES},
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "batch_size": BATCH_SIZE,
            "epochs": options.repeats,
            "speed": {name: time_photos(*of, options.repeats) for name, of in photos.items()},
            "memory": memory_of_an_epoch(drawn, options.memory_images),
            "same_epochs": same_epochs(drawn[:200]),
        }
    for name, speed in report["speed"].items():
        share = speed["share_of_the_loop_in_parallel"]
        print(f"{name}: {share:.2f} of the bare loop's images per second", file=sys.stderr)
    write_results(options.json, report)


if __name__ == "__main__":
    main()
