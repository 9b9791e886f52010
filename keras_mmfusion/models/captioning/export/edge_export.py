"""A captioner's two networks for LiteRT and ONNX Runtime: devices without TensorFlow."""

import json
import os
import pathlib
import shutil
import tempfile

import keras
from keras import ops

from keras_mmfusion.models.captioning.export.edge_target import SUFFIXES, check_edge_target
from keras_mmfusion.models.captioning.text_decoder import TextDecoder
from keras_mmfusion.models.export.saved_model_folder import traced

OPSET = 18


def export_edge_captioner(model, folder, edge_format="litert"):
    """Writes a captioner's image encoder and a single step of its decoder, for one image.

    What stands around them, decoding of the file, the loop and the words, is the device's own:

    | file | takes | returns |
    |---|---|---|
    | `image_encoder` | `images`, float32 `(1, height, width, 3)`, scaled as `captioner.json` says | `image_tokens`, float32 `(1, tokens, dim)` |
    | `decoder_step` | `image_tokens`; `tokens`, int32 `(1, max_length)`: the caption so far, from the start token on; `index`, int32 `(1,)`: the place of its last token; `cache`, zeros at first | `logits`, float32 `(1, vocabulary)`, of the next token; `new_cache` |
    | `captioner.json` | | `words` by id, `start`, `end`, `never` (ids that are no words), `image_size`, `scale`, `offset`, `cache_shape` |

    ```python
    export_edge_captioner(captioner(), "captioner_onnx", "onnx")
    ```

    An image is resized to `image_size`, `(height, width)`, and becomes
    `pixels * scale + offset` of pixels from 0 to 255.

    Args:
        model: `ImageCaptioningModel` with a preprocessor and a `TextDecoder`.
        folder: string or path, not there yet.
        edge_format: string. `"litert"` writes `.tflite` files; `"onnx"` needs the extra `edge`.

    Returns:
        The path of the folder.

    Raises:
        MissingExtraError: if `tf2onnx` is needed and missing.
        ValueError: if Keras does not run on TensorFlow, the folder is there, or the model or the
            format is of another kind.
    """  # noqa: E501
    folder = pathlib.Path(folder).absolute()
    check_edge_target(folder, edge_format)
    _check(model)
    write = {"litert": _write_litert, "onnx": _write_onnx}[edge_format]
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    scratch.mkdir(parents=True)
    try:
        for name, (function, specs) in _networks(model).items():
            write(function, specs, str(scratch / f"{name}.{SUFFIXES[edge_format]}"))
        text = json.dumps(_facts(model), indent=2, ensure_ascii=False)
        (scratch / "captioner.json").write_text(text + "\n", encoding="utf-8")
        os.rename(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _check(model):
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "Networks for devices are made by the TensorFlow backend. Keras runs on "
            f"{keras.config.backend()!r}; set KERAS_BACKEND=tensorflow and load the model again."
        )
    if model.preprocessor is None or not isinstance(model.text_decoder, TextDecoder):
        raise ValueError(
            "`model` must have a preprocessor, and a `TextDecoder`, which alone decodes a token "
            f"at a time. Received: preprocessor={model.preprocessor!r}, "
            f"text_decoder={model.text_decoder!r}"
        )


def _networks(model):
    """The two functions of tensors, each with its specs."""
    import tensorflow as tf

    images = tf.TensorSpec((1, *model.preprocessor.image_size, 3), "float32", "images")
    length = model.preprocessor.sequence_length

    def image_encoder(images):
        return {"image_tokens": ops.cast(model.encode(images, training=False), "float32")}

    def decoder_step(image_tokens, tokens, index, cache):
        step, empty = model.decoding_step(image_tokens, length, 1)
        dtype = keras.tree.flatten(empty)[0].dtype
        cache = keras.tree.pack_sequence_as(empty, tf.unstack(tf.cast(cache, dtype)))
        tokens = tokens[:, tf.newaxis]
        # With one hypothesis, every token was computed in slot 0.
        logits, cache = step(tokens, index[0], tf.zeros_like(tokens), cache)
        cache = tf.stack(keras.tree.flatten(cache))
        return {
            "logits": ops.cast(logits[:, 0], "float32"),
            "new_cache": ops.cast(cache, "float32"),  # tf2onnx takes a name once only.
        }

    image_tokens = traced(image_encoder, [images]).structured_outputs["image_tokens"]
    return {
        "image_encoder": (image_encoder, [images]),
        "decoder_step": (
            decoder_step,
            [
                tf.TensorSpec(image_tokens.shape, "float32", "image_tokens"),
                tf.TensorSpec((1, length), "int32", "tokens"),
                tf.TensorSpec((1,), "int32", "index"),
                tf.TensorSpec(_cache_shape(model), "float32", "cache"),
            ],
        ),
    }


def _cache_shape(model):
    decoder, length = model.text_decoder, model.preprocessor.sequence_length
    cache = keras.tree.flatten(decoder.empty_cache(1, length, 1))
    return (len(cache), *cache[0].shape)


def _write_litert(function, specs, path):
    import tensorflow as tf

    module = tf.Module()
    module.function = tf.function(function, input_signature=specs, autograph=False)
    graph = module.function.get_concrete_function()
    module.weights = graph.variables
    with tempfile.TemporaryDirectory() as folder:
        # Out of a SavedModel, since then the file has the names of inputs and outputs.
        tf.saved_model.save(module, folder, graph)
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    pathlib.Path(path).write_bytes(content)


def _write_onnx(function, specs, path):
    import tensorflow as tf
    import tf2onnx

    tf2onnx.convert.from_function(
        tf.function(function, input_signature=specs, autograph=False),
        input_signature=specs,
        opset=OPSET,
        custom_op_handlers={"Erfc": (_erfc, [])},
        output_path=path,
    )


def _erfc(graph, node, name, arguments):
    """`1 - erf(x)`, of which TensorFlow makes GELU, and which ONNX has no operation for."""
    import numpy as np
    from tf2onnx.utils import make_name

    erf = graph.make_node("Erf", node.input)
    one = graph.make_const(make_name("one"), np.float32(1))
    shape, dtype = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    graph.remove_node(name)
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        name=name,
        outputs=node.output,
        shapes=[shape],
        dtypes=[dtype],
    )


def _facts(model):
    preprocessor = model.preprocessor
    converter, tokenizer = preprocessor.image_converter, preprocessor.tokenizer
    special = preprocessor.special_tokens()
    return {
        "words": [tokenizer.id_to_token(id) for id in range(tokenizer.vocabulary_size())],
        "start": special.start,
        "end": special.end,
        "never": list(special.never_drawn),
        "image_size": list(preprocessor.image_size),
        "scale": converter.scale,
        "offset": converter.offset,
        "cache_shape": list(_cache_shape(model)),
    }
