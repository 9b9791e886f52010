"""Combination rules: vectors of several modalities to one vector, or tokens to tokens."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BilinearFusion": "bilinear_fusion",
        "BlockFusion": "block_fusion",
        "BottleneckFusion": "bottleneck_fusion",
        "ConcatFusion": "concat_fusion",
        "DeepSetFusion": "deep_set_fusion",
        "FiLMFusion": "film_fusion",
        "FusionRule": "fusion_rule",
        "GatedCrossAttention": "gated_cross_attention",
        "GatedFusion": "gated_fusion",
        "LowRankFusion": "low_rank_fusion",
        "MCBFusion": "mcb_fusion",
        "MFBFusion": "mfb_fusion",
        "MLBFusion": "mlb_fusion",
        "MulTFusion": "mult_fusion",
        "MutanFusion": "mutan_fusion",
        "PerceiverResampler": "perceiver_resampler",
        "ProductOfExperts": "product_of_experts",
        "QFormer": "q_former",
        "SumFusion": "sum_fusion",
        "TensorFusion": "tensor_fusion",
        "TokenFusionRule": "token_fusion_rule",
        "TransformerFusion": "transformer_fusion",
        "UnionFusion": "union_fusion",
        "WeightedSumFusion": "weighted_sum_fusion",
    },
)
