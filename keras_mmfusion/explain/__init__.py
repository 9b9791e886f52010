"""Explanations of predictions: contributions of modalities, words, regions, and parts of graphs."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "DatasetExplanation": "dataset_explanation",
        "Explanation": "explanation",
        "ExplanationMethod": "explanation_method",
        "FusionShares": "fusion_shares",
        "GNNExplainer": "gnn_explainer",
        "NodeExplanation": "node_explanation",
        "Occlusion": "occlusion",
        "ShapleyValues": "shapley_values",
        "explain": "explain_sample",
        "explain_dataset": "explain_samples",
        "explain_nodes": "gnn_explainer",
        "plot_caption_attention": "attention_maps",
        "plot_node_explanation": "node_figures",
    },
)
