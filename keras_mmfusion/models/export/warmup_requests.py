"""Warmup requests, which TensorFlow Serving runs before a model accepts client requests."""

import pathlib


def write_warmup_requests(version, requests):
    """Adds warmup requests to a SavedModel.

    Each record of the file is a `PredictionLog`. Its few fields are encoded here, so that the
    export does not depend on the TensorFlow Serving API.

    Args:
        version: string or path. The SavedModel's folder.
        requests: sequence of (signature, dict: input -> array or list).
    """
    import tensorflow as tf

    folder = pathlib.Path(version) / "assets.extra"
    folder.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for signature, inputs in requests:
            writer.write(_encode_prediction_log(signature, inputs))


def make_photo_requests(rows, frames=None, **texts):
    """Creates requests of `serving_default` with one image and with `rows` images.

    Args:
        rows: int.
        frames: int or `None`. The number of images per row, for videos.
        **texts: strings, the values of further inputs, the same for each image.
    """
    import tensorflow as tf

    photo = tf.io.encode_png(tf.zeros((8, 8, 3), "uint8")).numpy()
    inputs = {"image_bytes": [photo] * frames if frames else photo, **texts}
    return [
        ("serving_default", {name: [value] * count for name, value in inputs.items()})
        for count in (1, rows)
    ]


def _encode_prediction_log(signature, inputs):
    """Serializes a predict request as a `tensorflow_serving.apis.PredictionLog`."""
    import tensorflow as tf

    model_spec = _encode_field(3, signature.encode())  # ModelSpec.signature_name
    request = _encode_field(1, model_spec)  # PredictRequest.model_spec
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        # PredictRequest.inputs, a map of keys and values.
        request += _encode_field(2, _encode_field(1, name.encode()) + _encode_field(2, tensor))
    predict_log = _encode_field(1, request)  # PredictLog.request
    return _encode_field(6, predict_log)  # PredictionLog.predict_log


def _encode_field(number, content):
    """Encodes a bytes field of a protocol buffer: key, length, content."""
    return _encode_varint(number << 3 | 2) + _encode_varint(len(content)) + content


def _encode_varint(value):
    """Encodes an unsigned integer as a varint: seven bits per byte, lowest first."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    data.append(value)
    return bytes(data)
