"""Explanations of predictions: contributions of modalities, words, regions, and parts of graphs."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AttentionMaps": "methods.attention_maps",
        "AttentionRelevance": "methods.attention_relevance",
        "AttentionRollout": "methods.attention_rollout",
        "DatasetExplanation": "dataset_explanation",
        "Explanation": "explanation",
        "ExplanationChecks": "checks.method_checks",
        "ExplanationMethod": "methods.explanation_method",
        "FusionShares": "methods.fusion_shares",
        "GNNExplainer": "methods.gnn_explainer",
        "GradCAM": "methods.grad_cam",
        "GradCAMPlusPlus": "methods.grad_cam",
        "IntegratedGradients": "methods.integrated_gradients",
        "NodeExplanation": "node_explanation",
        "Occlusion": "methods.occlusion",
        "ShapleyValues": "methods.shapley_values",
        "SmoothGrad": "methods.smooth_grad",
        "explain": "explain_prediction",
        "explain_dataset": "dataset_explanation",
        "explain_link": "link_explanation",
        "explain_nodes": "methods.gnn_explainer",
        "explanation_checks": "checks.method_checks",
        "make_planted_samples": "checks.planted_signal",
        "plot_caption_attention": "figures.caption_attention",
        "plot_node_explanation": "figures.node_figure",
        "train_planted_model": "checks.planted_signal",
    },
)
