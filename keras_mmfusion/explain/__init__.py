"""Explanations of predictions: contributions of modalities, words, regions, and parts of graphs."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AttentionMaps": "attention_weights",
        "AttentionRelevance": "attention_relevance",
        "AttentionRollout": "attention_rollout",
        "DatasetExplanation": "dataset_explanation",
        "Explanation": "explanation",
        "ExplanationChecks": "method_checks",
        "ExplanationMethod": "explanation_method",
        "FusionShares": "fusion_shares",
        "GNNExplainer": "gnn_explainer",
        "GradCAM": "grad_cam",
        "GradCAMPlusPlus": "grad_cam",
        "IntegratedGradients": "integrated_gradients",
        "NodeExplanation": "node_explanation",
        "Occlusion": "occlusion",
        "ShapleyValues": "shapley_values",
        "SmoothGrad": "smooth_grad",
        "explain": "explain_sample",
        "explain_dataset": "explain_samples",
        "explain_nodes": "gnn_explainer",
        "explanation_checks": "method_checks",
        "make_planted_samples": "planted_signal",
        "plot_caption_attention": "attention_maps",
        "plot_node_explanation": "node_figures",
        "train_planted_model": "planted_signal",
    },
)
