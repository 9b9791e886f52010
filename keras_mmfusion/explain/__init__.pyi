"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.explain.answer_explanation import AnswerExplanation as AnswerExplanation
from keras_mmfusion.explain.node_explanation import NodeExplanation as NodeExplanation
from keras_mmfusion.explain.answer_explanation import explain_answer as explain_answer
from keras_mmfusion.explain.gnn_explainer import explain_nodes as explain_nodes
from keras_mmfusion.explain.answer_figures import plot_answer_explanation as plot_answer_explanation
from keras_mmfusion.explain.attention_maps import plot_caption_attention as plot_caption_attention
from keras_mmfusion.explain.node_figures import plot_node_explanation as plot_node_explanation
