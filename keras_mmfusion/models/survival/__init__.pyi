"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.survival.survival_model import SurvivalModel as SurvivalModel
from keras_mmfusion.models.survival.survival_recipe import SurvivalRecipe as SurvivalRecipe
from keras_mmfusion.models.survival.survival_evaluation import evaluate_survival as evaluate_survival
from keras_mmfusion.models.survival.survival_recipe import train_survival as train_survival
