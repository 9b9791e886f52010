"""BERT and RoBERTa as decoders that attend to the tokens of an image."""

from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.checkpoints.transformer_layers import (
    list_bert_embedding,
    list_bert_layers,
    list_dense,
    list_norm,
)
from keras_mmfusion.models.captioning.bert_text_decoder import BertTextDecoder

# Settings that change the formula, and the values that `BertTextDecoder` implements.
_FIXED_SETTINGS = {
    "add_cross_attention": True,
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "tie_word_embeddings": True,
}


def build_bert_decoder(config):
    """Builds the `BertTextDecoder` of a BERT or RoBERTa configuration, with random weights.

    Raises:
        ValueError: if `BertTextDecoder` does not implement a setting.
    """
    for name, value in _FIXED_SETTINGS.items():
        if config.get(name, value) != value:
            raise ValueError(f"`{name}` of BERT must be {value!r}. Received: {config[name]!r}")
    return BertTextDecoder(
        vocabulary_size=config.get("vocab_size", 30522),
        dim=config.get("hidden_size", 768),
        num_layers=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        mlp_dim=config.get("intermediate_size", 3072),
        sequence_length=config.get("max_position_embeddings", 512) - _get_first_position(config),
        dropout=config.get("hidden_dropout_prob", 0.1),
        cross_attention=True,
        epsilon=config.get("layer_norm_eps", 1e-12),
    )


def list_bert_weights(prefix, decoder, config):
    """Yields the weights of a `BertTextDecoder` that are named as in BERT or RoBERTa."""
    is_bert = config["model_type"] == "bert"
    bert = f"{prefix}.{config['model_type']}"
    first_position = _get_first_position(config)
    yield from list_bert_embedding(f"{bert}.embeddings", decoder.embedding, first_position)
    yield from list_bert_layers(f"{bert}.encoder.layer", decoder.blocks)
    head = f"{prefix}.cls.predictions" if is_bert else f"{prefix}.lm_head"
    dense, norm = ("transform.dense", "transform.LayerNorm") if is_bert else ("dense", "layer_norm")
    yield from list_dense(f"{head}.{dense}", decoder.head_dense)
    yield from list_norm(f"{head}.{norm}", decoder.final_norm)
    yield SourceWeight(f"{head}.bias", decoder.head_bias)


def _get_first_position(config):
    """Returns the position of the first token: RoBERTa's follow that of padding."""
    return config.get("pad_token_id", 1) + 1 if config["model_type"] == "roberta" else 0
