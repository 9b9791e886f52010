"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.layers.fusion.bilinear_fusion import BilinearFusion as BilinearFusion
from keras_mmfusion.layers.fusion.block_fusion import BlockFusion as BlockFusion
from keras_mmfusion.layers.fusion.bottleneck_fusion import BottleneckFusion as BottleneckFusion
from keras_mmfusion.layers.fusion.concat_fusion import ConcatFusion as ConcatFusion
from keras_mmfusion.layers.fusion.deep_set_fusion import DeepSetFusion as DeepSetFusion
from keras_mmfusion.layers.fusion.film_fusion import FiLMFusion as FiLMFusion
from keras_mmfusion.layers.fusion.fusion_rule import FusionRule as FusionRule
from keras_mmfusion.layers.fusion.gated_cross_attention import GatedCrossAttention as GatedCrossAttention
from keras_mmfusion.layers.fusion.gated_fusion import GatedFusion as GatedFusion
from keras_mmfusion.layers.fusion.low_rank_fusion import LowRankFusion as LowRankFusion
from keras_mmfusion.layers.fusion.mcb_fusion import MCBFusion as MCBFusion
from keras_mmfusion.layers.fusion.mfb_fusion import MFBFusion as MFBFusion
from keras_mmfusion.layers.fusion.mlb_fusion import MLBFusion as MLBFusion
from keras_mmfusion.layers.fusion.mult_fusion import MulTFusion as MulTFusion
from keras_mmfusion.layers.fusion.mutan_fusion import MutanFusion as MutanFusion
from keras_mmfusion.layers.fusion.perceiver_resampler import PerceiverResampler as PerceiverResampler
from keras_mmfusion.layers.fusion.product_of_experts import ProductOfExperts as ProductOfExperts
from keras_mmfusion.layers.fusion.q_former import QFormer as QFormer
from keras_mmfusion.layers.fusion.sum_fusion import SumFusion as SumFusion
from keras_mmfusion.layers.fusion.tensor_fusion import TensorFusion as TensorFusion
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule as TokenFusionRule
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion as TransformerFusion
from keras_mmfusion.layers.fusion.union_fusion import UnionFusion as UnionFusion
from keras_mmfusion.layers.fusion.weighted_sum_fusion import WeightedSumFusion as WeightedSumFusion
from keras_mmfusion.layers.fusion.rule_names import get_rule as get_rule
from keras_mmfusion.layers.fusion.rule_names import list_rules as list_rules
