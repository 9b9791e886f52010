"""GIT: https://huggingface.co/microsoft/git-base-coco and relatives."""

from keras_mmfusion.checkpoints.clip import build_image_encoder, list_image_weights
from keras_mmfusion.checkpoints.image_processors import read_image_converter
from keras_mmfusion.checkpoints.layouts import stack
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.tokenizers import build_word_piece_tokenizer
from keras_mmfusion.checkpoints.transformer_layers import (
    list_bert_attention,
    list_bert_mlp,
    list_dense,
    list_norm,
    list_untyped_bert_embedding,
    read_activation,
)
from keras_mmfusion.layers.frame_embedding import FrameEmbedding
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.captioning.git_captioner import GitCaptioner
from keras_mmfusion.models.captioning.git_text_decoder import GitTextDecoder

PATCH_SIZE = 16  # GIT's default; CLIP's is 32.
SEQUENCE_LENGTH = 50  # Maximum number of tokens of a caption, as in the model cards.
# The files on the Hub spell "temporal" with an "e".
RENAMES = ((r"^git\.img_temporal_embedding\.", "git.img_temperal_embedding."),)


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor.

    Returns:
        A `GitCaptioner`.
    """
    vision = config.get("vision_config") or {}
    frames = config.get("num_image_with_embedding")
    text_decoder = _build_text_decoder(config, vision)
    preprocessor = None
    if assets is not None:
        preprocessor = CaptioningPreprocessor(
            build_word_piece_tokenizer(assets),
            read_image_converter(assets),
            sequence_length=min(SEQUENCE_LENGTH, text_decoder.sequence_length),
        )
    return GitCaptioner(
        build_image_encoder({"patch_size": PATCH_SIZE, **vision}),
        text_decoder,
        preprocessor,
        None if frames is None else FrameEmbedding(frames),
    )


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    yield from list_image_weights(model.image_encoder, "git.image_encoder.vision_model")
    if model.frame_embedding is not None:
        frames = model.frame_embedding.num_frames
        keys = tuple(f"git.img_temperal_embedding.{index}" for index in range(frames))
        yield SourceWeight(keys, model.frame_embedding.embeddings, _stack_frames)
    yield from _list_text_weights("git", model.text_decoder)


def _build_text_decoder(config, vision):
    return GitTextDecoder(
        vocabulary_size=config.get("vocab_size", 30522),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 6),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        sequence_length=config.get("max_position_embeddings", 1024),
        dropout=config.get("hidden_dropout_prob", 0.1),
        activation=read_activation(config, "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-12),
        projection_epsilon=vision.get("layer_norm_eps", 1e-5),
    )


def _list_text_weights(prefix, decoder):
    yield from list_untyped_bert_embedding(f"{prefix}.embeddings", decoder.embedding)
    projection = f"{prefix}.visual_projection.visual_projection"
    yield from list_dense(f"{projection}.0", decoder.projection)
    yield from list_norm(f"{projection}.1", decoder.projection_norm)
    for index, block in enumerate(decoder.blocks):
        layer = f"{prefix}.encoder.layer.{index}"
        yield from list_bert_attention(f"{layer}.attention", block.attention, block.attention_norm)
        yield from list_bert_mlp(layer, block)
    yield from list_dense("output", decoder.output_dense)


def _stack_frames(*arrays):
    """Stacks embeddings `(1, 1, dim)` to `(frames, dim)`."""
    return stack(*(array.reshape(-1) for array in arrays))
