"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.link_prediction.link_predictor import LinkPredictor as LinkPredictor
from keras_mmfusion.models.link_prediction.link_recipe import LinkRecipe as LinkRecipe
from keras_mmfusion.models.link_prediction.link_evaluation import evaluate_link_predictor as evaluate_link_predictor
from keras_mmfusion.models.link_prediction.link_export import export_link_predictor as export_link_predictor
from keras_mmfusion.models.link_prediction.link_recipe import get_link_recipe as get_link_recipe
from keras_mmfusion.models.link_prediction.link_inputs import make_link_inputs as make_link_inputs
from keras_mmfusion.models.link_prediction.link_recommendation import recommend_links as recommend_links
from keras_mmfusion.models.link_prediction.link_evaluation import score_links as score_links
from keras_mmfusion.models.link_prediction.link_training import train_link_predictor as train_link_predictor
