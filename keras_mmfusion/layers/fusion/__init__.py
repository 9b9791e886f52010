"""Combination rules, which fuse one vector, or the tokens, of each modality."""

from keras_mmfusion._lazy import lazy_exports
from keras_mmfusion.layers.fusion.rule_names import RULES

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BilinearFusion": "bilinear_fusion",
        "FusionRule": "fusion_rule",
        "TokenFusionRule": "token_fusion_rule",
        "TransformerFusion": "transformer_fusion",
        "get_rule": "rule_names",
        "list_rules": "rule_names",
        **{rule.class_name: rule.module for rule in RULES.values()},
    },
)
