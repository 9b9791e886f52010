"""Node classification: models, recipes, training, evaluation and export."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "APPNPClassifier": "appnp_classifier",
        "GATClassifier": "gat_classifier",
        "GCN2Classifier": "gcn2_classifier",
        "GCNClassifier": "gcn_classifier",
        "GraphFusionClassifier": "graph_fusion_classifier",
        "NodeClassifier": "node_classifier",
        "NodeRecipe": "node_recipe",
        "add_orders": "node_inputs",
        "evaluate_node_classifier": "node_evaluation",
        "export_node_classifier": "node_export",
        "get_node_recipe": "node_recipe",
        "make_node_inputs": "node_inputs",
        "make_sparse_inputs": "node_inputs",
        "score_node_recipe": "node_evaluation",
        "train_node_classifier": "node_training",
    },
)
