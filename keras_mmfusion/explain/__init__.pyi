"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.explain.methods.attention_maps import AttentionMaps as AttentionMaps
from keras_mmfusion.explain.methods.attention_relevance import AttentionRelevance as AttentionRelevance
from keras_mmfusion.explain.methods.attention_rollout import AttentionRollout as AttentionRollout
from keras_mmfusion.explain.dataset_explanation import DatasetExplanation as DatasetExplanation
from keras_mmfusion.explain.explanation import Explanation as Explanation
from keras_mmfusion.explain.checks.method_checks import ExplanationChecks as ExplanationChecks
from keras_mmfusion.explain.methods.explanation_method import ExplanationMethod as ExplanationMethod
from keras_mmfusion.explain.methods.fusion_shares import FusionShares as FusionShares
from keras_mmfusion.explain.methods.gnn_explainer import GNNExplainer as GNNExplainer
from keras_mmfusion.explain.methods.grad_cam import GradCAM as GradCAM
from keras_mmfusion.explain.methods.grad_cam import GradCAMPlusPlus as GradCAMPlusPlus
from keras_mmfusion.explain.methods.integrated_gradients import IntegratedGradients as IntegratedGradients
from keras_mmfusion.explain.node_explanation import NodeExplanation as NodeExplanation
from keras_mmfusion.explain.methods.occlusion import Occlusion as Occlusion
from keras_mmfusion.explain.methods.shapley_values import ShapleyValues as ShapleyValues
from keras_mmfusion.explain.methods.smooth_grad import SmoothGrad as SmoothGrad
from keras_mmfusion.explain.explain_prediction import explain as explain
from keras_mmfusion.explain.dataset_explanation import explain_dataset as explain_dataset
from keras_mmfusion.explain.link_explanation import explain_link as explain_link
from keras_mmfusion.explain.methods.gnn_explainer import explain_nodes as explain_nodes
from keras_mmfusion.explain.checks.method_checks import explanation_checks as explanation_checks
from keras_mmfusion.explain.checks.planted_signal import make_planted_samples as make_planted_samples
from keras_mmfusion.explain.figures.caption_attention import plot_caption_attention as plot_caption_attention
from keras_mmfusion.explain.figures.node_figure import plot_node_explanation as plot_node_explanation
from keras_mmfusion.explain.checks.planted_signal import train_planted_model as train_planted_model
