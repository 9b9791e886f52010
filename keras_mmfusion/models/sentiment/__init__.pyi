"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.sentiment.sentiment_recipe import SentimentRecipe as SentimentRecipe
from keras_mmfusion.models.sentiment.sentiment_evaluation import evaluate_sentiment as evaluate_sentiment
from keras_mmfusion.models.sentiment.sentiment_export import export_sentiment as export_sentiment
from keras_mmfusion.models.sentiment.sentiment_evaluation import predict_sentiment as predict_sentiment
from keras_mmfusion.models.sentiment.sentiment_recipe import score_sentiment_recipe as score_sentiment_recipe
from keras_mmfusion.models.sentiment.sentiment_recipe import train_sentiment as train_sentiment
