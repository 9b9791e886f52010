"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.layers.attention_pooling import AttentionPooling as AttentionPooling
from keras_mmfusion.layers.cross_modal_attention import CrossModalAttention as CrossModalAttention
from keras_mmfusion.layers.cross_modal_transformer import CrossModalTransformer as CrossModalTransformer
from keras_mmfusion.layers.temporal.divided_space_time_transformer import DividedSpaceTimeTransformer as DividedSpaceTimeTransformer
from keras_mmfusion.layers.frame_embedding import FrameEmbedding as FrameEmbedding
from keras_mmfusion.layers.fusion_block import FusionBlock as FusionBlock
from keras_mmfusion.layers.logit_scale import LogitScale as LogitScale
from keras_mmfusion.layers.modality_dropout import ModalityDropout as ModalityDropout
from keras_mmfusion.layers.patch_embedding import PatchEmbedding as PatchEmbedding
from keras_mmfusion.layers.pooled_projection import PooledProjection as PooledProjection
from keras_mmfusion.layers.shared_space_projector import SharedSpaceProjector as SharedSpaceProjector
from keras_mmfusion.layers.temporal.temporal_bottleneck import TemporalBottleneck as TemporalBottleneck
from keras_mmfusion.layers.temporal.temporal_mean_pooling import TemporalMeanPooling as TemporalMeanPooling
from keras_mmfusion.layers.temporal.temporal_transformer import TemporalTransformer as TemporalTransformer
from keras_mmfusion.layers.transformer_block import TransformerBlock as TransformerBlock
from keras_mmfusion.layers import alignment as alignment
from keras_mmfusion.layers import fusion as fusion
from keras_mmfusion.layers import graph as graph
