"""The combination rules by name, as `FusionBlock` takes them."""

from keras_mmfusion.layers import fusion

# Name -> class in `keras_mmfusion.layers.fusion`, and what is set beside the usual.
RULE_NAMES = {
    "block": ("BlockFusion", {}),
    "bottleneck": ("BottleneckFusion", {}),
    "concat": ("ConcatFusion", {}),
    "deep_set": ("DeepSetFusion", {}),
    "film": ("FiLMFusion", {}),
    "gated": ("GatedFusion", {}),
    "gated_cross_attention": ("GatedCrossAttention", {}),
    "low_rank": ("LowRankFusion", {}),
    "mcb": ("MCBFusion", {}),
    "mfb": ("MFBFusion", {}),
    "mfh": ("MFBFusion", {"order": 2}),
    "mlb": ("MLBFusion", {}),
    "mult": ("MulTFusion", {}),
    "mutan": ("MutanFusion", {}),
    "perceiver_resampler": ("PerceiverResampler", {}),
    "product_of_experts": ("ProductOfExperts", {}),
    "q_former": ("QFormer", {}),
    "sum": ("SumFusion", {}),
    "tensor": ("TensorFusion", {}),
    "union": ("UnionFusion", {}),
    "weighted_sum": ("WeightedSumFusion", {}),
}


def rule_named(name):
    """The class of the rule of that name, and the settings that the name stands for.

    Example:

    >>> from keras_mmfusion.layers.fusion.rule_names import rule_named
    >>> rule, settings = rule_named("mfh")
    >>> rule.__name__, settings
    ('MFBFusion', {'order': 2})
    """
    if name not in RULE_NAMES:
        raise ValueError(
            f"There is no combination rule {name!r}. Choose one of {', '.join(RULE_NAMES)}, or "
            "give a `FusionRule`."
        )
    class_name, settings = RULE_NAMES[name]
    return getattr(fusion, class_name), settings
