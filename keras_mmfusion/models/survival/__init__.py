"""Survival analysis of patients with several modalities."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "SurvivalModel": "survival_model",
        "SurvivalRecipe": "survival_recipe",
        "evaluate_survival": "survival_evaluation",
        "train_survival": "survival_recipe",
    },
)
