"""Combination rules: pooled vectors of several modalities to one vector."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BilinearFusion": "bilinear_fusion",
        "BlockFusion": "block_fusion",
        "ConcatFusion": "concat_fusion",
        "FiLMFusion": "film_fusion",
        "FusionRule": "fusion_rule",
        "GatedFusion": "gated_fusion",
        "LowRankFusion": "low_rank_fusion",
        "MCBFusion": "mcb_fusion",
        "MFBFusion": "mfb_fusion",
        "MLBFusion": "mlb_fusion",
        "MutanFusion": "mutan_fusion",
        "ProductOfExperts": "product_of_experts",
        "SumFusion": "sum_fusion",
        "TensorFusion": "tensor_fusion",
        "WeightedSumFusion": "weighted_sum_fusion",
    },
)
