"""Explanations of predictions: attention maps of captions, edges and features of graphs."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "NodeExplanation": "node_explanation",
        "explain_nodes": "gnn_explainer",
        "plot_caption_attention": "attention_maps",
        "plot_node_explanation": "node_figures",
    },
)
