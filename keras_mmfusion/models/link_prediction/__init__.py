"""Link prediction: model, recipes, training, evaluation, recommendations and export."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "LinkPredictor": "link_predictor",
        "LinkRecipe": "link_recipe",
        "evaluate_link_predictor": "link_evaluation",
        "export_link_predictor": "link_export",
        "get_link_recipe": "link_recipe",
        "make_link_inputs": "link_inputs",
        "recommend_links": "link_recommendation",
        "score_links": "link_evaluation",
        "train_link_predictor": "link_training",
    },
)
