"""The methods of `explain`."""

from keras_mmfusion.explain.methods.attention_maps import AttentionMaps
from keras_mmfusion.explain.methods.attention_relevance import AttentionRelevance
from keras_mmfusion.explain.methods.attention_rollout import AttentionRollout
from keras_mmfusion.explain.methods.explanation_method import ExplanationMethod
from keras_mmfusion.explain.methods.fusion_shares import FusionShares
from keras_mmfusion.explain.methods.gnn_explainer import GNNExplainer
from keras_mmfusion.explain.methods.grad_cam import GradCAM, GradCAMPlusPlus
from keras_mmfusion.explain.methods.integrated_gradients import IntegratedGradients
from keras_mmfusion.explain.methods.occlusion import Occlusion
from keras_mmfusion.explain.methods.shapley_values import ShapleyValues
from keras_mmfusion.explain.methods.smooth_grad import SmoothGrad

METHODS = (
    ShapleyValues,
    Occlusion,
    IntegratedGradients,
    SmoothGrad,
    GradCAM,
    GradCAMPlusPlus,
    AttentionMaps,
    AttentionRollout,
    AttentionRelevance,
    FusionShares,
    GNNExplainer,
)


def get_method(method):
    """Returns an `ExplanationMethod`: the given one, or that of a name with its defaults."""
    if isinstance(method, ExplanationMethod):
        return method
    for method_class in METHODS:
        if method == method_class.name:
            return method_class()
    names = ", ".join(repr(method_class.name) for method_class in METHODS)
    raise ValueError(
        f"`method` must be an `ExplanationMethod`, such as `ShapleyValues()`, or one of the names "
        f"{names}. Received: {method!r}"
    )


def check_method(method, explainable, level):
    """Raises a `ValueError` that lists the methods that fit if this one does not."""
    problem = _find_problem(method, explainable, level)
    if problem is not None:
        fitting = [
            method_class.name
            for method_class in METHODS
            if _find_problem(method_class(), explainable, level) is None
        ]
        remedy = f"Methods that fit: {', '.join(map(repr, fitting))}" if fitting else "None fits"
        raise ValueError(
            f"`method` {method.name!r} does not fit: {problem}. {remedy} a "
            f"{type(explainable.model).__name__} at the level {level!r}"
        )


def _find_problem(method, explainable, level):
    if level not in method.levels:
        return f"it has the levels {', '.join(map(repr, method.levels))}, not {level!r}"
    return method.find_problem(explainable, level)
