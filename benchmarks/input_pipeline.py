"""Measures the input pipeline next to a loop that only decodes the same photos.

    python benchmarks/input_pipeline.py

Uses generated photos of 500 x 375 and of 1,000 x 750 pixels and, with `KERAS_MMFUSION_TEST_DATA`,
those in its `flickr8k/` (224 x 224), in their own size and enlarged, on two CPU cores. The JPEG
decoder also reduces the photos of 1,000 x 750 pixels to half their size. Writes
`benchmarks/results/input_pipeline.json`: images per second of `caption_dataset`, which reads,
decodes, resizes and batches, of a loop that reads and decodes in the same way, and of a plain
pipeline with `tf.image.resize`; how much the reduction changes the resized pixels, also of the
photos in the folder `--photos`; resident memory over an epoch; and whether epochs are reproducible,
also when resumed in the middle. Photos and methods take turns, so that other programs on the
machine affect all of them. Linux only.
"""

import argparse
import collections
import dataclasses
import functools
import hashlib
import os
import pathlib
import platform
import sys
import tempfile

import numpy as np
from peer_process import measure_times
from resident_memory import resident_megabytes
from synthetic_photos import write_detailed_photos, write_photos
from write_results import write_results

CORES, BATCH_SIZE, SIZE, LARGER_SIZE = 2, 32, (224, 224), (260, 260)
LARGE, LARGE_REDUCED = "drawn, 1,000 x 750", "drawn, 1,000 x 750, decoded at half size"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@dataclasses.dataclass(frozen=True)
class Photos:
    """Photos of a row of the table.

    Args:
        paths: list of strings.
        size: tuple of ints, the height and width to which the photos are resized.
        ratio: int. The factor by which the JPEG decoder reduces the photos.
    """

    paths: list
    size: tuple = SIZE
    ratio: int = 1

    def list_ways(self):
        """Returns a dict, name of a method -> iterable that reads the photos."""
        return {
            "bare_loop_in_turn": DecodeInTurn(self.paths, self.ratio),
            "bare_loop_in_parallel": decode_in_parallel(self.paths, self.ratio),
            "plain_tf_data": plain_batches(self.paths, self.size, self.ratio),
            "caption_dataset": make_dataset(self.paths, self.size, reduce_jpegs=self.ratio > 1),
            "caption_sequence": our_sequence(self.paths, self.size, self.ratio > 1),
        }


def decode(path, ratio):
    import tensorflow as tf

    return tf.io.decode_jpeg(tf.io.read_file(path), channels=3, ratio=ratio)


class DecodeInTurn:
    """Decodes one photo after another."""

    def __init__(self, paths, ratio):
        self.paths, self.ratio = paths, ratio

    def __iter__(self):
        for path in self.paths:
            yield decode(path, self.ratio)


def decode_in_parallel(paths, ratio):
    """Decodes photos in parallel on all cores."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(paths).map(
        lambda path: decode(path, ratio), tf.data.AUTOTUNE
    )


def plain_batches(paths, size, ratio):
    """Returns a plain pipeline of TensorFlow operations."""
    import tensorflow as tf

    def load(path):
        image = decode(path, ratio)
        return tf.cast(tf.round(tf.image.resize(image, size, antialias=True)), "uint8")

    dataset = tf.data.Dataset.from_tensor_slices(paths).map(load, tf.data.AUTOTUNE)
    return dataset.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


def our_sequence(paths, size, reduce_jpegs):
    """Returns the same batches as `make_dataset`, without TensorFlow."""
    from keras_mmfusion.datasets import CaptionSequence

    return CaptionSequence(
        make_pairs(paths), BATCH_SIZE, size, workers=CORES, reduce_jpegs=reduce_jpegs
    )


def make_pairs(paths):
    from keras_mmfusion.datasets import CaptionPairs

    return CaptionPairs(list(paths), [["A photo."]] * len(paths))


def make_dataset(paths, size=SIZE, **options):
    """Returns the training data of a captioner."""
    from keras_mmfusion.datasets import caption_dataset

    return caption_dataset(make_pairs(paths), BATCH_SIZE, size, captions_per_image=1, **options)


def time_photos(rows, repeats):
    """Measures images per second of each method in its best epoch, and the share of ours.

    Args:
        rows: dict, name -> `Photos`.
        repeats: int. The number of epochs that are measured of each method.

    Returns:
        A dict, name -> results.
    """
    ways = {name: photos.list_ways() for name, photos in rows.items()}
    times = {name: collections.defaultdict(list) for name in rows}
    for turn in range(repeats + 1):
        for name in rows:
            for way, iterable in ways[name].items():
                read = functools.partial(collections.deque, iterable, maxlen=0)
                # The first turn includes imports, tracing and disk access.
                times[name][way] += [measure_times(read)][:turn]
    return {name: describe_rates(rows[name], times[name]) for name in rows}


def describe_rates(photos, times):
    # The kernel sometimes runs all threads of an epoch on one core: medians show how often, the
    # best epoch shows what the code can do. CPU time depends less on other programs.
    best, best_cpu = (
        {
            way: len(photos.paths) / min(each[unit] for each in epochs)
            for way, epochs in times.items()
        }
        for unit in ("seconds", "cpu_seconds")
    )
    return {
        "images": len(photos.paths),
        "kilobytes_per_image": round(np.mean(list(map(os.path.getsize, photos.paths))) / 1000, 1),
        "size": photos.size,
        "ratio": photos.ratio,
        "images_per_second": {name: round(rate, 1) for name, rate in best.items()},
        "images_per_cpu_second": {name: round(rate, 1) for name, rate in best_cpu.items()},
        "share_of_the_loop_in_parallel": round(
            best["caption_dataset"] / best["bare_loop_in_parallel"], 3
        ),
        "share_of_the_loop_in_cpu_time": round(
            best_cpu["caption_dataset"] / best_cpu["bare_loop_in_parallel"], 3
        ),
        "share_of_the_loop_in_turn": round(best["caption_dataset"] / best["bare_loop_in_turn"], 3),
    }


def compare_rates(run, other, way):
    """Returns how many times as fast a method is in `run` as in `other`, in wall and CPU time."""
    return {
        unit: round(run[unit][way] / other[unit][way], 2)
        for unit in ("images_per_second", "images_per_cpu_second")
    }


def measure_differences(paths):
    """Returns how much the reduction by the decoder changes the resized pixels, of 255 levels."""
    means, maxima = [], []
    both = [make_dataset(paths, shuffle=False, reduce_jpegs=each) for each in (False, True)]
    for full, reduced in zip(*both, strict=True):
        differences = np.abs(full["images"].numpy().astype(int) - reduced["images"].numpy())
        means += differences.mean(axis=(1, 2, 3)).tolist()
        maxima += differences.max(axis=(1, 2, 3)).tolist()
    return {
        "images": len(paths),
        "mean": round(float(np.mean(means)), 3),
        "mean_of_the_worst_image": round(max(means), 3),
        "maximum": max(maxima),
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


def list_photos(folder):
    return [str(path) for path in sorted(pathlib.Path(folder).glob("*.jpg"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    results = pathlib.Path(__file__).parent / "results" / "input_pipeline.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--images", type=int, default=1000, help="of each smaller size")
    parser.add_argument("--large-images", type=int, default=200, help="of 1,000 x 750 pixels")
    parser.add_argument("--photos", help="folder of real photos, for the differences of pixels")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-images", type=int, default=20_000)
    options = parser.parse_args()
    # Must be set before TensorFlow counts the cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    import tensorflow as tf

    from keras_mmfusion._provenance import describe_machine

    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as large_folder:
        drawn = write_photos(folder, options.images)
        large = write_detailed_photos(large_folder, options.large_images)
        rows = {
            "drawn, 500 x 375": Photos(drawn),
            LARGE: Photos(large),
            LARGE_REDUCED: Photos(large, ratio=2),
        }
        data = os.environ.get("KERAS_MMFUSION_TEST_DATA")
        if data:
            stored = list_photos(pathlib.Path(data, "flickr8k", "images"))[: options.images]
            rows["Flickr8k's, stored as 224 x 224"] = Photos(stored)
            rows["Flickr8k's, to grow"] = Photos(stored, LARGER_SIZE)
        differences = {LARGE: measure_differences(large)}
        if options.photos:
            differences["real photos"] = measure_differences(list_photos(options.photos))
        speed = time_photos(rows, options.repeats)
        report = {
            "machine": {**describe_machine(), "cores": CORES},
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "batch_size": BATCH_SIZE,
            "epochs": options.repeats,
            "speed": speed,
            "times_faster_by_reduction": compare_rates(
                speed[LARGE_REDUCED], speed[LARGE], "caption_dataset"
            ),
            "differences_by_reduction": differences,
            "memory": measure_epoch_memory(drawn, options.memory_images),
            "same_epochs": check_epochs(drawn[:200]),
            "load_average": [round(each, 2) for each in (load, os.getloadavg()[0])],
        }
    for name, speed in report["speed"].items():
        share = speed["share_of_the_loop_in_parallel"]
        print(f"{name}: {share:.2f} of the bare loop's images per second", file=sys.stderr)
    write_results(options.json, report)


if __name__ == "__main__":
    main()
