"""Idefics3 and SmolVLM: https://huggingface.co/HuggingFaceTB/SmolVLM-256M-Instruct and relatives.

The source rounds the positions of patches to the grid of the position embeddings. All tiles have
the size of the encoder, so that each patch keeps its own position, as in SigLIP. (In transformers,
float32 moves some patches in a few grids, such as 19 x 19 and 25 x 25, which no checkpoint has.)
"""

from keras_mmfusion.checkpoints.image_processors import read_image_converter
from keras_mmfusion.checkpoints.language_preprocessors import build_language_preprocessor
from keras_mmfusion.checkpoints.layouts import transpose_linear
from keras_mmfusion.checkpoints.llama import build_llama_backbone, list_llama_weights
from keras_mmfusion.checkpoints.siglip import build_image_encoder, list_image_weights
from keras_mmfusion.checkpoints.source_weight import SourceWeight
from keras_mmfusion.layers.pixel_shuffle_connector import PixelShuffleConnector
from keras_mmfusion.models.language.multimodal_lm import MultimodalLM
from keras_mmfusion.models.language.tiled_image_preprocessor import TiledImagePreprocessor

IGNORED = (r".*\.rotary_emb\.inv_freq",)
TIED = {"lm_head.weight": "text_model.embed_tokens.weight"}
# What the configuration of the vision encoder means without an entry.
_VISION = {
    "hidden_size": 1152,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 32,
}
_SCALE_FACTOR = 2
_IMAGE_TOKEN_ID = 128257


def build_model(config, assets=None):
    """Builds the model of a configuration, with random weights.

    Args:
        config: dict. The content of `config.json`.
        assets: `CheckpointAssets`, or `None` for a model without a preprocessor.

    Returns:
        A `MultimodalLM` of images, whose items are the tiles of the images.

    Raises:
        ValueError: if a setting is not implemented, or a file does not match another.
    """
    text, vision = config["text_config"], {**_VISION, **config["vision_config"]}
    tied = config.get("tie_word_embeddings", False)
    backbone = build_llama_backbone({**text, "tie_word_embeddings": tied})
    encoder = build_image_encoder(vision)
    scale_factor = config.get("scale_factor", _SCALE_FACTOR)
    connector = PixelShuffleConnector(
        backbone.hidden_dim, scale_factor, encoder.grid, name="image_connector"
    )
    num_tokens = encoder.grid[0] * encoder.grid[1] // scale_factor**2
    placeholders = {"image": config.get("image_token_id", _IMAGE_TOKEN_ID)}
    preprocessor = assets and _build_preprocessor(assets, text, vision, num_tokens, placeholders)
    return MultimodalLM(
        backbone,
        {"image": encoder},
        {"image": connector},
        preprocessor=preprocessor,
        fusion="pixel_shuffle",
        placeholders=placeholders,
    )


def list_weights(model, config):
    """Lists the `SourceWeight`s of a model of `build_model`."""
    yield from list_image_weights(model.encoders["image"])
    projection = model.connectors["image"].projection
    key = "connector.modality_projection.proj.weight"
    yield SourceWeight(key, projection.kernel, transpose_linear)
    yield from list_llama_weights("text_model.", model.backbone)
    if not model.backbone.tie_word_embeddings:
        embedding = model.backbone.token_embedding
        yield SourceWeight("lm_head.weight", embedding.reverse_embeddings, transpose_linear)


def _build_preprocessor(assets, text, vision, num_tokens, placeholders):
    length = text.get("max_position_embeddings", 2048)
    language_preprocessor = build_language_preprocessor(assets, text["vocab_size"], length)
    if language_preprocessor is None:
        return None
    language_preprocessor.sequence_length = length  # An image may have more than 1,000 tokens.
    converter = read_image_converter(assets)
    if converter.tile_size != vision["image_size"]:
        raise ValueError(
            f"The image processor in {str(assets.folder)!r} makes tiles of {converter.tile_size} "
            f"pixels, but the vision encoder has the `image_size` {vision['image_size']}."
        )
    preprocessor = TiledImagePreprocessor(
        language_preprocessor, {"image": num_tokens}, {"image": converter}
    )
    if preprocessor.placeholders != placeholders:
        raise ValueError(
            f"The token '<image>' in {str(assets.folder)!r} must have the id `image_token_id`, "
            f"{placeholders['image']}. Received: {preprocessor.placeholders['image']}"
        )
    return preprocessor
