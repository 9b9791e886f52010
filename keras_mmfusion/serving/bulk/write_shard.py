"""A captioned shard as files."""

import json
import shutil
import tempfile

from keras_mmfusion.serving.bulk.written_whole import written_whole


def write_shard(captioned):
    """Writes a `CaptionedShard`: captions, and what could not be captioned.

    The captions come last: where they are, the shard is done. The names of the files are always
    the same, so that a shard which a runner does twice is there once.

    Args:
        captioned: `CaptionedShard`.
    """
    from apache_beam.metrics import Metrics

    shard = captioned.shard
    if captioned.errors:
        with written_whole(shard.errors_path) as file:
            file.writelines(map(_line, captioned.errors))
    with written_whole(shard.captions_path) as file:
        if shard.output_format == "jsonl":
            file.writelines(map(_line, captioned.captions))
        else:
            _write_records(captioned.captions, file)
    for name in ("captions", "errors"):
        Metrics.counter("mmfusion", name).inc(len(getattr(captioned, name)))


def _line(row):
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _write_records(rows, file):
    """A `tf.train.Example` for each row. TensorFlow writes them to files of this machine."""
    import tensorflow as tf

    with tempfile.NamedTemporaryFile() as local:
        with tf.io.TFRecordWriter(local.name) as writer:
            for row in rows:
                features = {name: _feature(value) for name, value in row.items()}
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
        with open(local.name, "rb") as written:
            shutil.copyfileobj(written, file)


def _feature(value):
    import tensorflow as tf

    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
