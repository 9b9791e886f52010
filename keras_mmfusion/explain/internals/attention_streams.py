"""Which tokens attend to which in a task model."""

import dataclasses

import keras
import numpy as np

from keras_mmfusion._keras_internals import flatten_layers
from keras_mmfusion.explain.internals.attention_recording import list_attention_layers
from keras_mmfusion.layers.cross_modal_exchange import CrossModalExchange
from keras_mmfusion.models.captioning.captioner import Captioner
from keras_mmfusion.models.captioning.text_decoder_block import TextDecoderBlock
from keras_mmfusion.models.question_answering.blip_question_answerer import BlipQuestionAnswerer

JOINT = "joint"  # The stream of the tokens of all modalities in one sequence.


@dataclasses.dataclass(frozen=True)
class AttentionStreams:
    """The streams of tokens of a model, and the attention between them.

    Args:
        layers: dict, attention layer -> list of one pair for each of its calls: the stream of the
            queries, and a tuple of the streams whose concatenated tokens are the keys.
        rows: dict, stream -> float array of weights of its tokens, which the score is computed
            from, or `None` for equal weights.
        stages: dict, attention layer -> the layer in which several streams attend to each other at
            the same time. Empty without such layers.
    """

    layers: dict
    rows: dict
    stages: dict = dataclasses.field(default_factory=dict)


def find_attention_streams(explainable):
    """Finds the attention layers of a model whose queries and keys are known.

    Args:
        explainable: `Explainable`.

    Returns:
        `AttentionStreams`; without layers if there are none.
    """
    model = explainable.model
    if isinstance(model, BlipQuestionAnswerer):  # Also a `Captioner`.
        return _find_blip_streams(explainable)
    if isinstance(model, Captioner):
        return _find_captioner_streams(explainable)
    if explainable.token_slices is not None:
        layers = {layer: [(JOINT, (JOINT,))] for layer in list_attention_layers(model.backbone)}
        return AttentionStreams(layers, {JOINT: np.ones(1)})  # The first token.
    if isinstance(getattr(model, "fusion", None), keras.layers.Layer):
        return _find_fusion_streams(explainable)
    return AttentionStreams({}, {})


def _find_captioner_streams(explainable):
    model, text = explainable.model, explainable.text_name
    layers = _find_self_attention(model.image_encoder, "image")
    if explainable.token_slices is not None:  # GIT: one sequence of image and text.
        calls = [(text, ("image", text)), ("image", ("image",))]
        layers |= {layer: calls for layer in list_attention_layers(model.text_decoder)}
    else:
        layers |= _find_self_attention(getattr(model, "cross_modal_attention", None), text, "image")
        layers |= _find_block_attention(model.text_decoder, text, "image")
    return AttentionStreams(layers, {text: _normalize(explainable.constants["target_weights"])})


def _find_blip_streams(explainable):
    model = explainable.model
    layers = _find_self_attention(model.image_encoder, "image")
    layers |= _find_block_attention(model.text_encoder, "question", "image")
    layers |= _find_block_attention(model.text_decoder, "answer", "question")
    return AttentionStreams(layers, {"answer": _normalize(explainable.constants["target_weights"])})


def _find_fusion_streams(explainable):
    model = explainable.model
    encoders = getattr(model, "encoders", None)
    if encoders is None:
        encoders = {"image": model.image_encoder, "question": model.text_encoder}
    layers, stages = {}, {}
    for name in explainable.modalities:
        layers |= _find_self_attention(encoders.get(name), name)
    # The fusion of a question answerer has the modality "text".
    names = {"text": "question"} if hasattr(model, "answers") else {}
    for stage in flatten_layers(model.fusion):
        if not isinstance(stage, CrossModalExchange):
            continue
        for name, block in stage.self_blocks.items():
            stream = names.get(name, name)
            layers[block.attention] = [(stream, (stream,))]
            stages[block.attention] = stage
        for name, block in stage.cross_blocks.items():
            others = tuple(names.get(other, other) for other in stage.modalities if other != name)
            layers[block.attention] = [(names.get(name, name), others)]
            stages[block.attention] = stage
    return AttentionStreams(layers, dict.fromkeys(explainable.modalities), stages)


def _find_self_attention(layer, stream, keys=None):
    pairs = [(stream, (keys or stream,))]
    return {attention: pairs for attention in list_attention_layers(layer)}


def _find_block_attention(decoder, stream, context):
    """Finds the attention of `TextDecoderBlock`s: to their stream, and to a context."""
    layers = {}
    for block in flatten_layers(decoder):
        if isinstance(block, TextDecoderBlock):
            layers[block.self_attention] = [(stream, (stream,))]
            if block.cross_attention:
                layers[block.cross_attention_layer] = [(stream, (context,))]
    return layers


def _normalize(weights):
    return np.float64(weights) / np.sum(weights)
