"""The combination rules by the names that `FusionBlock` accepts."""

import importlib
from typing import Any, NamedTuple


class NamedRule(NamedTuple):
    """A class, the module of this package that defines it, and arguments of its constructor."""

    class_name: str
    module: str
    settings: dict[str, Any] = {}


# A new rule needs one line here, which also exports its class.
RULES = {
    "block": NamedRule("BlockFusion", "block_fusion"),
    "bottleneck": NamedRule("BottleneckFusion", "bottleneck_fusion"),
    "concat": NamedRule("ConcatFusion", "concat_fusion"),
    "deep_set": NamedRule("DeepSetFusion", "deep_set_fusion"),
    "film": NamedRule("FiLMFusion", "film_fusion"),
    "gated": NamedRule("GatedFusion", "gated_fusion"),
    "gated_cross_attention": NamedRule("GatedCrossAttention", "gated_cross_attention"),
    "low_rank": NamedRule("LowRankFusion", "low_rank_fusion"),
    "mcb": NamedRule("MCBFusion", "mcb_fusion"),
    "mfb": NamedRule("MFBFusion", "mfb_fusion"),
    "mfh": NamedRule("MFBFusion", "mfb_fusion", {"order": 2}),
    "mlb": NamedRule("MLBFusion", "mlb_fusion"),
    "mult": NamedRule("MulTFusion", "mult_fusion"),
    "mutan": NamedRule("MutanFusion", "mutan_fusion"),
    "perceiver_resampler": NamedRule("PerceiverResampler", "perceiver_resampler"),
    "product_of_experts": NamedRule("ProductOfExperts", "product_of_experts"),
    "q_former": NamedRule("QFormer", "q_former"),
    "sum": NamedRule("SumFusion", "sum_fusion"),
    "tensor": NamedRule("TensorFusion", "tensor_fusion"),
    "union": NamedRule("UnionFusion", "union_fusion"),
    "weighted_sum": NamedRule("WeightedSumFusion", "weighted_sum_fusion"),
}


def list_rules():
    """Lists the names of the rules, as accepted by the `combine` argument of `FusionBlock`.

    Returns:
        List of strings.

    Example:

    >>> from keras_mmfusion.layers.fusion import list_rules
    >>> list_rules()[:3]
    ['block', 'bottleneck', 'concat']
    """
    return list(RULES)


def get_rule(name):
    """Looks up a rule by its name.

    Args:
        name: string, one of `list_rules()`.

    Returns:
        A tuple of the rule's class and a dict of the constructor arguments that the name implies.

    Raises:
        ValueError: if there is no rule of that name.

    Example:

    >>> from keras_mmfusion.layers.fusion import get_rule
    >>> rule_class, settings = get_rule("mfh")
    >>> rule_class.__name__, settings
    ('MFBFusion', {'order': 2})
    """
    if name not in RULES:
        raise ValueError(
            f"Unknown combination rule {name!r}. Use one of {', '.join(RULES)}, or a `FusionRule`."
        )
    rule = RULES[name]
    module = importlib.import_module(f"{__package__}.{rule.module}")
    return getattr(module, rule.class_name), rule.settings
