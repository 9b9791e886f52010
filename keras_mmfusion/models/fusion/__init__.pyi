"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.fusion.conversation_model import ConversationModel as ConversationModel
from keras_mmfusion.models.fusion.fusion_model import FusionModel as FusionModel
from keras_mmfusion.models.fusion.fusion_recipe import FusionRecipe as FusionRecipe
from keras_mmfusion.models.fusion.gradient_blending_model import GradientBlendingModel as GradientBlendingModel
from keras_mmfusion.models.fusion.table_schema import TableSchema as TableSchema
from keras_mmfusion.models.fusion.blending_weights import estimate_blending_weights as estimate_blending_weights
from keras_mmfusion.models.fusion.fusion_recipe import evaluate_fusion as evaluate_fusion
from keras_mmfusion.models.fusion.fusion_export import export_fusion as export_fusion
from keras_mmfusion.models.fusion.table_schema import infer_schema as infer_schema
from keras_mmfusion.models.fusion.fusion_recipe import train_fusion as train_fusion
