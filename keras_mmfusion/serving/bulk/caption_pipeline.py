"""Captions image files or TFRecords on any Apache Beam runner."""

import hashlib
import json
import os

from keras_mmfusion._checks import check_choice, check_integer
from keras_mmfusion._extras import require_extra
from keras_mmfusion.models.export.saved_model_folder import MANIFEST
from keras_mmfusion.serving.bulk.atomic_file import remove_partial_files
from keras_mmfusion.serving.bulk.progress_report import ProgressReport
from keras_mmfusion.serving.bulk.shard_plan import SUFFIXES, make_plan, read_pending_shards
from keras_mmfusion.serving.bulk.write_shard import write_shard


def caption_in_bulk(
    images, out, model, pipeline_options=(), images_per_shard=1000, output_format="jsonl"
):
    """Captions all images that match a pattern, each exactly once, on Apache Beam.

    The images are divided into shards, and the division is stored in a plan. Each worker captions
    one shard at a time and writes its output atomically, so an interrupted run can be resumed with
    the same call: it captions the missing shards. The folder `out` contains

    - `captions-00000-of-00012.jsonl`, ...: a line with `image`, `caption` and `score` for each
      image; or TFRecords with a `tf.train.Example` of the same features for each image,
    - `errors-00000-of-00012.jsonl`, ..., if there are errors: lines with `image` and `error`,
    - `plan.jsonl`: the settings and the shards.

    `image` is the path of the file; for records the path, `#` and the index of the record.

    Needs the extra `beam`.

    Args:
        images: string. A pattern of image files such as `"photos/**/*.jpg"`, or of TFRecords, which
            have "tfrecord" in their names. The longest leading part of the pattern that exists as
            a path is taken literally. A record is a `tf.train.Example` with the image file in the
            feature `"image/encoded"` and optionally a name in `"image/filename"`, which is copied
            to the output as `filename`. Each file of TFRecords is one shard.
        out: string or path. The output folder.
        model: string or path. The folder of a version that a captioner's `export` wrote,
            accessible to every worker.
        pipeline_options: string or sequence of strings. Beam flags such as
            `"--runner=FlinkRunner"`. Without a runner, the pipeline runs in this process.
        images_per_shard: int. Image files per shard: the work that is lost if a worker fails.
        output_format: string, `"jsonl"` or `"tfrecords"`.

    Returns:
        A dict: the number of `shards`, and the numbers of `captions` and `errors` that this run
        wrote.

    Raises:
        MissingExtraError: if Apache Beam is not installed.
        ValueError: if no file matches, `out` contains captions with other settings, an argument
            is invalid, or a Beam flag is unknown.
    """
    require_extra("beam", "Bulk captioning", "apache_beam")
    import apache_beam as beam
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.ml.inference.base import RunInference

    from keras_mmfusion.serving.bulk.captioner_handler import CaptionerHandler

    check_choice(None, "output_format", output_format, SUFFIXES)
    check_integer(None, "images_per_shard", images_per_shard)
    if isinstance(pipeline_options, str):
        pipeline_options = (pipeline_options,)
    # Beam's default, DirectRunner, would first download another runner.
    options = _parse_options(["--runner=FnApiRunner", *pipeline_options])
    FileSystems.set_options(options)
    # Workers may have another working directory.
    images, out, model = map(_make_absolute, (images, os.fspath(out), os.fspath(model)))
    if not FileSystems.exists(out):
        FileSystems.mkdirs(out)
    manifest = _read_manifest(model)
    digest = hashlib.sha256(manifest).hexdigest()  # The manifest has the hashes of all files.
    plan, shards = make_plan(images, out, digest, images_per_shard, output_format)
    handler = CaptionerHandler(model, json.loads(manifest).get("drop_alpha", False))
    pipeline = beam.Pipeline(options=options)
    (
        pipeline
        | "Plan" >> beam.Create([plan])
        | "Select pending shards" >> beam.FlatMap(read_pending_shards)
        | "Distribute" >> beam.Reshuffle()
        | "Caption" >> RunInference(handler)
        | "Write" >> beam.Map(write_shard)
    )
    with ProgressReport(plan, out):
        result = pipeline.run()
        result.wait_until_finish()
    remove_partial_files(out)
    return {
        "shards": shards,
        **{name: _read_counter(result, name) for name in ("captions", "errors")},
    }


def _parse_options(flags):
    """Parses Beam flags; raises an error for unknown flags, for which Beam only warns."""
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions(list(flags))
    known = options.get_all_options(drop_default=True)
    unknown = set(options.get_all_options(drop_default=True, retain_unknown_options=True))
    unknown -= set(known)
    if unknown:
        raise ValueError(f"Unknown Apache Beam flags: {', '.join(sorted(unknown))}")
    return options


def _make_absolute(path):
    from apache_beam.io.filesystems import FileSystems

    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


def _read_manifest(model):
    """Returns the content of the manifest of an exported model."""
    from apache_beam.io.filesystems import FileSystems

    path = FileSystems.join(model, MANIFEST)
    if not FileSystems.exists(path):
        raise ValueError(
            "`model` must be the folder of a version that a captioner's `export` wrote, such as "
            f"'served/captioner/1'. Received: {model!r}"
        )
    with FileSystems.open(path) as file:
        return file.read()


def _read_counter(result, name):
    from apache_beam.metrics import MetricsFilter

    counters = result.metrics().query(MetricsFilter().with_name(name))["counters"]
    return sum(counter.result for counter in counters)
