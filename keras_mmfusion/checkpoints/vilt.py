"""ViLT for visual question answering."""

from keras_mmfusion.checkpoints.image_processors import read_image_converter
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.tokenizers import build_word_piece_tokenizer
from keras_mmfusion.checkpoints.transformer_layers import (
    list_bert_embedding,
    list_dense,
    list_norm,
    read_activation,
)
from keras_mmfusion.checkpoints.vit import VIT_RENAMES, list_vit_weights
from keras_mmfusion.models.question_answering.vilt_backbone import ViltBackbone
from keras_mmfusion.models.question_answering.vilt_preprocessor import ViltPreprocessor
from keras_mmfusion.models.question_answering.vilt_question_answerer import ViltQuestionAnswerer

ARCHITECTURE = "ViltForQuestionAnswering"
# The encoder has ViT's names.
RENAMES = tuple((f"^vilt\\.{name}", rf"vilt.{spelling}") for name, spelling in VIT_RENAMES)


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    `max_image_length`, with which the source samples patches at random, is not used.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor.

    Returns:
        A `ViltQuestionAnswerer`.

    Raises:
        ValueError: if the architecture or one of its settings is not supported.
    """
    architectures = config.get("architectures") or [ARCHITECTURE]
    if architectures != [ARCHITECTURE]:
        raise ValueError(
            f"Only the architecture {ARCHITECTURE} of ViLT is supported. Received: {architectures}"
        )
    if not config.get("qkv_bias", True) or config.get("num_channels", 3) != 3:
        raise ValueError("ViLT must have `qkv_bias` and 3 `num_channels`.")
    length = config.get("max_position_embeddings", 40)
    backbone = ViltBackbone(
        vocabulary_size=config.get("vocab_size", 30522),
        sequence_length=length,
        image_size=config.get("image_size", 384),
        patch_size=config.get("patch_size", 32),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        activation=read_activation(config, "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-12),
        dropout=config.get("hidden_dropout_prob", 0.0),
    )
    preprocessor = None
    if assets is not None:
        preprocessor = ViltPreprocessor(
            build_word_piece_tokenizer(assets),
            read_image_converter(assets),
            question_length=length,
        )
    return ViltQuestionAnswerer(backbone, _read_answers(config), preprocessor)


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    backbone, prefix = model.backbone, "vilt.embeddings"
    embedding = backbone.embedding
    yield from list_bert_embedding(f"{prefix}.text_embeddings", embedding.text_embedding)
    yield SourceWeight(
        f"{prefix}.token_type_embeddings.weight",
        embedding.modality_embedding,
        lambda modalities: modalities[:2],  # The third is that of a second image.
    )
    yield from list_vit_weights("vilt", backbone)
    yield from list_dense("vilt.pooler.dense", backbone.pooler)
    yield from list_dense("classifier.0", model.head_dense)
    yield from list_norm("classifier.1", model.head_norm)
    yield from list_dense("classifier.3", model.head_output)


def _read_answers(config):
    labels = config.get("id2label")
    if not isinstance(labels, dict) or {str(i) for i in range(len(labels))} != labels.keys():
        raise ValueError("config.json must have the answers as `id2label`, with the keys 0, 1, ...")
    return [labels[str(index)] for index in range(len(labels))]
