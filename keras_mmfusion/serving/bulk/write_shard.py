"""Writes the output files of a captioned shard."""

import json
import shutil
import tempfile

from keras_mmfusion.serving.bulk.atomic_file import open_atomic


def write_shard(captioned):
    """Writes the errors and captions of a `CaptionedShard`.

    The captions are written last, since their file marks the shard as finished. File names are
    fixed, so a shard that the runner processes twice is stored once.

    Args:
        captioned: `CaptionedShard`.
    """
    from apache_beam.metrics import Metrics

    shard = captioned.shard
    if captioned.errors:
        with open_atomic(shard.errors_path) as file:
            file.writelines(map(_to_json_line, captioned.errors))
    with open_atomic(shard.captions_path) as file:
        if shard.output_format == "jsonl":
            file.writelines(map(_to_json_line, captioned.captions))
        else:
            _write_records(captioned.captions, file)
    for name in ("captions", "errors"):
        Metrics.counter("mmfusion", name).inc(len(getattr(captioned, name)))


def _to_json_line(row):
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _write_records(rows, file):
    """Writes a `tf.train.Example` for each row, through a local file as TensorFlow requires."""
    import tensorflow as tf

    with tempfile.NamedTemporaryFile() as local:
        with tf.io.TFRecordWriter(local.name) as writer:
            for row in rows:
                features = {name: _make_feature(value) for name, value in row.items()}
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
        with open(local.name, "rb") as records:
            shutil.copyfileobj(records, file)


def _make_feature(value):
    import tensorflow as tf

    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
