"""The connectors between encoders and a language model."""

from keras_mmfusion.layers.fusion.perceiver_resampler import PerceiverResampler
from keras_mmfusion.layers.fusion.q_former import QFormer
from keras_mmfusion.layers.mlp_connector import MLPConnector
from keras_mmfusion.layers.pixel_shuffle_connector import PixelShuffleConnector
from keras_mmfusion.models.language.causal_layers import count_heads

GATED = "gated_cross_attention"
FUSION = ("prefix", "pixel_shuffle", "resampler", "qformer", GATED)


def make_connector(fusion, modality, backbone):
    """Makes the connector of a modality for a fusion method; see `MultimodalLM`."""
    dim = backbone.hidden_dim
    settings = {"dtype": backbone.dtype_policy, "name": f"{modality}_connector"}
    if fusion == "prefix":
        return MLPConnector(dim, **settings)
    if fusion == "pixel_shuffle":
        return PixelShuffleConnector(dim, **settings)
    rule = QFormer if fusion == "qformer" else PerceiverResampler
    return rule((modality,), dim, num_heads=count_heads(backbone), **settings)
