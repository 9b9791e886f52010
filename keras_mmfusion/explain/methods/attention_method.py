"""What the methods that read attention have in common."""

from keras_mmfusion.explain.internals.attention_streams import find_attention_streams
from keras_mmfusion.explain.methods.explanation_method import ExplanationMethod


class AttentionMethod(ExplanationMethod):
    """Base of the methods whose values come from the attention layers of a model."""

    levels = ("modality", "token")

    def find_problem(self, explainable, level):
        if explainable.kinds.get("image") == "sequence":
            return "the tokens of a video are not those of single frames"
        if not find_attention_streams(explainable).layers:
            return "the model has no attention layers between known tokens"
        return None
