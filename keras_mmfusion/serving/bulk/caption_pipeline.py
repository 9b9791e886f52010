"""Image files or TFRecords in, files of captions out, on whatever runs Apache Beam."""

import hashlib
import os

from keras_mmfusion._extras import require_extra
from keras_mmfusion.models.export.saved_model_folder import MANIFEST
from keras_mmfusion.serving.bulk.progress_report import ProgressReport
from keras_mmfusion.serving.bulk.shard_plan import SUFFIXES, make_plan, shards_to_do
from keras_mmfusion.serving.bulk.write_shard import write_shard
from keras_mmfusion.serving.bulk.written_whole import remove_parts


def caption_in_bulk(
    images, out, model, pipeline_options=(), images_per_shard=1000, output_format="jsonl"
):
    """Captions all images of a pattern, once each, on Apache Beam.

    The images are divided into shards, and the division is written down. A worker captions a
    shard at a time and writes it whole or not at all, so that what was killed goes on, called
    again, with the shards that are not there yet. Into `out` go

    - `captions-00000-of-00012.jsonl`, ...: for each image a line with `image`, `caption` and
      `score`; or TFRecords, a `tf.train.Example` of the same for each image,
    - `errors-00000-of-00012.jsonl`, ..., where there are any: `image` and `error`, the reason,
    - `plan.jsonl`: the settings and the shards.

    `image` is the file's path; of a record its file's, `#` and its number.

    Needs the extra `beam`.

    Args:
        images: string. A pattern of image files, `"photos/**/*.jpg"`, whose beginning, as far as
            it exists under that very name, is no pattern; or of TFRecords, told by "tfrecord" in
            the name: each record a `tf.train.Example` with the file in the feature
            `"image/encoded"` and, if you like, a name for it in `"image/filename"`, which then
            stands beside the caption as `filename`. A file of TFRecords is one shard.
        out: string or path. A folder.
        model: string or path. The folder of a version that a captioner's `export` wrote, where
            every worker finds it.
        pipeline_options: sequence of strings: flags of Beam, such as `"--runner=FlinkRunner"`, or
            one of them. Without a runner, the pipeline runs in this process.
        images_per_shard: int. Image files of a shard: what is lost, at most, when a worker is.
        output_format: string, `"jsonl"` or `"tfrecords"`.

    Returns:
        A dict: how many `shards` there are, and how many `captions` and `errors` this run wrote.

    Raises:
        MissingExtraError: without Apache Beam.
        ValueError: if no file matches, `out` holds other work, a setting is unfit, or Beam does
            not know a flag.
    """
    require_extra("beam", "Captioning in bulk", "apache_beam")
    import apache_beam as beam
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.ml.inference.base import RunInference

    from keras_mmfusion.serving.bulk.captioner_handler import CaptionerHandler

    if output_format not in SUFFIXES:
        raise ValueError(
            f"`output_format` must be one of {', '.join(map(repr, SUFFIXES))}. "
            f"Received: {output_format!r}"
        )
    if images_per_shard < 1:
        raise ValueError(f"`images_per_shard` must be at least 1. Received: {images_per_shard!r}")
    if isinstance(pipeline_options, str):
        pipeline_options = (pipeline_options,)
    # Beam's own default, DirectRunner, would download another runner first.
    options = _known_options(["--runner=FnApiRunner", *pipeline_options])
    FileSystems.set_options(options)
    # The workers may stand in other folders.
    images, out, model = map(_absolute, (images, os.fspath(out), os.fspath(model)))
    if not FileSystems.exists(out):
        FileSystems.mkdirs(out)
    plan, shards = make_plan(images, out, _fingerprint(model), images_per_shard, output_format)
    pipeline = beam.Pipeline(options=options)
    (
        pipeline
        | "Plan" >> beam.Create([plan])
        | "Shards to do" >> beam.FlatMap(shards_to_do)
        | "To all workers" >> beam.Reshuffle()
        | "Caption" >> RunInference(CaptionerHandler(model))
        | "Write" >> beam.Map(write_shard)
    )
    with ProgressReport(plan, out):
        result = pipeline.run()
        result.wait_until_finish()
    remove_parts(out)
    return {"shards": shards, **{name: _count(result, name) for name in ("captions", "errors")}}


def _known_options(flags):
    """Beam's options; Beam itself would only warn of a flag that it does not know."""
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions(list(flags))
    known = options.get_all_options(drop_default=True)
    unknown = set(options.get_all_options(drop_default=True, retain_unknown_options=True))
    unknown -= set(known)
    if unknown:
        raise ValueError(f"Apache Beam does not know: {', '.join(sorted(unknown))}")
    return options


def _absolute(path):
    from apache_beam.io.filesystems import FileSystems

    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


def _fingerprint(model):
    """What tells an exported model: its manifest has the hashes of all its files."""
    from apache_beam.io.filesystems import FileSystems

    path = FileSystems.join(model, MANIFEST)
    if not FileSystems.exists(path):
        raise ValueError(
            "`model` must be the folder of a version that a captioner's `export` wrote, such as "
            f"'served/captioner/1'. Received: {model!r}"
        )
    with FileSystems.open(path) as file:
        return hashlib.sha256(file.read()).hexdigest()


def _count(result, name):
    from apache_beam.metrics import MetricsFilter

    counters = result.metrics().query(MetricsFilter().with_name(name))["counters"]
    return sum(counter.result for counter in counters)
