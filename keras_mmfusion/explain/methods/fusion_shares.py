"""The method `FusionShares`."""

from keras import ops

from keras_mmfusion.explain.methods.explanation_method import Attribution, ExplanationMethod
from keras_mmfusion.models.fusion.fusion_model import FusionModel


class FusionShares(ExplanationMethod):
    """The share of each modality in the fused vector, as `FusionModel.compute_shares` defines it.

    The shares describe the fusion, not an output: they are the same for all targets and sum to 1.

    Example:

    >>> from keras_mmfusion.explain import FusionShares
    >>> FusionShares()
    FusionShares()
    """

    name = "fusion_shares"
    levels = ("modality",)

    def find_problem(self, explainable, level):
        if not isinstance(explainable.model, FusionModel):
            return "the model is not a `FusionModel`"
        return None

    def attribute(self, explainable, level, batch_size):
        inputs = explainable.make_batch()
        shares = ops.convert_to_numpy(explainable.model.compute_shares(inputs))[0]
        return Attribution(
            {
                name: shares[explainable.model.modalities.index(name)]
                for name in explainable.modalities
            }
        )
