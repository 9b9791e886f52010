"""Export of captioners for devices without TensorFlow: LiteRT and ONNX Runtime."""

import pathlib
import tempfile

import keras
from keras import ops

from keras_mmfusion.files.atomic_files import replace_folder, write_json
from keras_mmfusion.models.captioning.export.edge_target import SUFFIXES, check_edge_target
from keras_mmfusion.models.captioning.text_decoder import TextDecoder
from keras_mmfusion.models.export.saved_model_folder import trace

OPSET = 18


def export_edge_captioner(model, folder, edge_format="litert"):
    """Writes the image encoder and a single decoder step of a captioner, for one image.

    Image decoding, the decoding loop and detokenization are left to the device:

    | file | inputs | outputs |
    |---|---|---|
    | `image_encoder` | `images`, float32 `(1, height, width, 3)`, scaled as described by `captioner.json` | `image_tokens`, float32 `(1, tokens, dim)` |
    | `decoder_step` | `image_tokens`; `tokens`, int32 `(1, max_length)`: the caption so far, beginning with the start token; `index`, int32 `(1,)`: the position of its last token; `cache`, initially zeros | `logits`, float32 `(1, vocabulary)`, of the next token; `new_cache` |
    | `captioner.json` | | `words` by id, `start`, `end`, `suppressed_token_ids` (never generated), `image_size`, `scale`, `offset`, `cache_shape` |

    ```python
    export_edge_captioner(captioner(), "captioner_onnx", "onnx")
    ```

    Images are resized to `image_size`, `(height, width)`, and scaled to `pixels * scale + offset`,
    with pixels from 0 to 255.

    Args:
        model: `Captioner` with a preprocessor and a `TextDecoder`.
        folder: string or path. Must not exist.
        edge_format: string. `"litert"` writes `.tflite` files; `"onnx"` requires the extra `edge`.

    Returns:
        The path of the folder.

    Raises:
        MissingExtraError: if `tf2onnx` is required and not installed.
        ValueError: if the Keras backend is not TensorFlow, the folder exists, or the model or
            format is not supported.
    """  # noqa: E501
    folder = pathlib.Path(folder).absolute()
    check_edge_target(folder, edge_format)
    _check(model)
    write = {"litert": _write_litert, "onnx": _write_onnx}[edge_format]
    with replace_folder(folder) as scratch:
        for name, (function, specs) in _build_functions(model).items():
            write(function, specs, str(scratch / f"{name}.{SUFFIXES[edge_format]}"))
        write_json(_describe(model), scratch / "captioner.json")
    return folder


def _check(model):
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "Edge export requires the TensorFlow backend. Set KERAS_BACKEND=tensorflow and load "
            f"the model again. Received: {keras.config.backend()!r}"
        )
    if model.preprocessor is None or not isinstance(model.text_decoder, TextDecoder):
        raise ValueError(
            "`model` must have a preprocessor and a `TextDecoder`, which supports cached decoding. "
            f"Received: preprocessor={model.preprocessor!r}, text_decoder={model.text_decoder!r}"
        )


def _build_functions(model):
    """Returns the two functions of tensors, each with its input specs."""
    import tensorflow as tf

    images = tf.TensorSpec((1, *model.preprocessor.image_size, 3), "float32", "images")
    length = model.preprocessor.sequence_length

    def image_encoder(images):
        return {"image_tokens": ops.cast(model.encode(images, training=False), "float32")}

    def decoder_step(image_tokens, tokens, index, cache):
        step, empty = model._build_step(image_tokens, length, 1)
        dtype = keras.tree.flatten(empty)[0].dtype
        cache = keras.tree.pack_sequence_as(empty, tf.unstack(tf.cast(cache, dtype)))
        tokens = tokens[:, tf.newaxis]
        # With one hypothesis, every token was computed in slot 0.
        logits, cache = step(tokens, index[0], tf.zeros_like(tokens), cache)
        cache = tf.stack(keras.tree.flatten(cache))
        return {
            "logits": ops.cast(logits[:, 0], "float32"),
            "new_cache": ops.cast(cache, "float32"),  # tf2onnx requires a name of its own.
        }

    image_tokens = trace(image_encoder, [images]).structured_outputs["image_tokens"]
    return {
        "image_encoder": (image_encoder, [images]),
        "decoder_step": (
            decoder_step,
            [
                tf.TensorSpec(image_tokens.shape, "float32", "image_tokens"),
                tf.TensorSpec((1, length), "int32", "tokens"),
                tf.TensorSpec((1,), "int32", "index"),
                tf.TensorSpec(_compute_cache_shape(model), "float32", "cache"),
            ],
        ),
    }


def _compute_cache_shape(model):
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
        # Convert from a SavedModel, which preserves the names of inputs and outputs.
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
        custom_op_handlers={"Erfc": (_convert_erfc, [])},
        output_path=path,
    )


def _convert_erfc(graph, node, name, arguments):
    """Implements `1 - erf(x)`, part of TensorFlow's GELU, for which ONNX has no operation."""
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


def _describe(model):
    preprocessor = model.preprocessor
    converter, tokenizer = preprocessor.image_converter, preprocessor.tokenizer
    special = preprocessor.get_special_tokens()
    return {
        "words": [tokenizer.id_to_token(id) for id in range(tokenizer.vocabulary_size())],
        "start": special.start,
        "end": special.end,
        "suppressed_token_ids": list(special.suppressed_token_ids),
        "image_size": list(preprocessor.image_size),
        "scale": converter.scale,
        "offset": converter.offset,
        "cache_shape": list(_compute_cache_shape(model)),
    }
