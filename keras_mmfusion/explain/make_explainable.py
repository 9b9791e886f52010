"""Finds out which kind of prediction a model makes."""

from keras_mmfusion.explain.adapters.explainable_answer import ExplainableAnswer
from keras_mmfusion.explain.adapters.explainable_fusion import ExplainableFusion
from keras_mmfusion.explain.adapters.explainable_node import ExplainableNode
from keras_mmfusion.explain.adapters.explainable_pair import ExplainablePair
from keras_mmfusion.explain.adapters.explainable_recommendation import ExplainableRecommendation
from keras_mmfusion.explain.adapters.explainable_response import ExplainableResponse
from keras_mmfusion.explain.adapters.explainable_text import (
    ExplainableCaption,
    ExplainableGeneratedAnswer,
    ExplainableGitAnswer,
)
from keras_mmfusion.models.captioning.captioner import Captioner
from keras_mmfusion.models.captioning.git_captioner import GitCaptioner
from keras_mmfusion.models.fusion.conversation_model import ConversationModel
from keras_mmfusion.models.fusion.fusion_model import FusionModel
from keras_mmfusion.models.language.multimodal_lm import MultimodalLM
from keras_mmfusion.models.question_answering.answer_classifier import AnswerClassifier
from keras_mmfusion.models.question_answering.answer_generator import AnswerGenerator
from keras_mmfusion.models.recommendation.recommender import Recommender
from keras_mmfusion.models.retrieval.contrastive_model import ContrastiveModel

# In the order of the checks: an `AnswerGenerator` is also a `Captioner`.
KINDS = (
    (AnswerClassifier, ExplainableAnswer),
    (AnswerGenerator, ExplainableGeneratedAnswer),
    (Captioner, ExplainableCaption),
    (ContrastiveModel, ExplainablePair),
    (FusionModel, ExplainableFusion),
    (ConversationModel, ExplainableFusion),
    (Recommender, ExplainableRecommendation),
    (MultimodalLM, ExplainableResponse),
)


def make_explainable(model, inputs, target=None, baselines=None):
    """Reads a sample of any model; see `explain`.

    Returns:
        `Explainable`.
    """
    if isinstance(model, GitCaptioner) and isinstance(inputs, dict) and "question" in inputs:
        return ExplainableGitAnswer.from_sample(model, inputs, target, baselines)
    for model_class, explainable_class in KINDS:
        if isinstance(model, model_class):
            return explainable_class.from_sample(model, inputs, target, baselines)
    if isinstance(inputs, dict) and "edge_index" in inputs:
        return ExplainableNode.from_sample(model, inputs, target, baselines)
    names = ", ".join(f"`{model_class.__name__}`" for model_class, _ in KINDS)
    raise ValueError(
        f"`model` must be one of {names}, or a Keras model of a graph with an 'edge_index' in "
        f"`inputs`. Received: {type(model).__name__}"
    )
