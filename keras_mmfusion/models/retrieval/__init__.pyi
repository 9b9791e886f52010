"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.retrieval.blip_matcher import BlipMatcher as BlipMatcher
from keras_mmfusion.models.retrieval.contrastive_model import ContrastiveModel as ContrastiveModel
from keras_mmfusion.models.retrieval.retrieval_preprocessor import RetrievalPreprocessor as RetrievalPreprocessor
from keras_mmfusion.models.retrieval.retrieval_recipe import RetrievalRecipe as RetrievalRecipe
from keras_mmfusion.models.retrieval.canonical_correlations import canonical_projections as canonical_projections
from keras_mmfusion.models.retrieval.retrieval_evaluation import evaluate_retrieval as evaluate_retrieval
from keras_mmfusion.models.retrieval.retrieval_export import export_retrieval as export_retrieval
from keras_mmfusion.models.retrieval.retrieval_recipe import train_retrieval as train_retrieval
