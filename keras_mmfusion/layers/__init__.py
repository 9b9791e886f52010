"""Keras layers for multimodal models."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AttentionPooling": "attention_pooling",
        "CrossModalAttention": "cross_modal_attention",
        "CrossModalTransformer": "cross_modal_transformer",
        "DividedSpaceTimeTransformer": "temporal.divided_space_time_transformer",
        "FrameEmbedding": "frame_embedding",
        "FusionBlock": "fusion_block",
        "LogitScale": "logit_scale",
        "MLPConnector": "mlp_connector",
        "ModalityDropout": "modality_dropout",
        "PatchEmbedding": "patch_embedding",
        "PatchMerging": "patch_merging",
        "PixelShuffleConnector": "pixel_shuffle_connector",
        "PooledProjection": "pooled_projection",
        "RelativePositionBias": "relative_position_bias",
        "SharedSpaceProjector": "shared_space_projector",
        "TemporalBottleneck": "temporal.temporal_bottleneck",
        "TemporalMeanPooling": "temporal.temporal_mean_pooling",
        "TemporalTransformer": "temporal.temporal_transformer",
        "TransformerBlock": "transformer_block",
        "WindowTransformerBlock": "window_transformer_block",
        "alignment": "",
        "fusion": "",
        "graph": "",
    },
)
