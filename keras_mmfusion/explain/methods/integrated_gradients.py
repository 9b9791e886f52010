"""The method `IntegratedGradients`."""

from keras_mmfusion._checks import check_integer
from keras_mmfusion.explain.formulas.gradient_integral import integrate_gradients
from keras_mmfusion.explain.internals.score_gradients import make_input_gradients
from keras_mmfusion.explain.methods.explanation_method import Attribution, ExplanationMethod
from keras_mmfusion.explain.part_values import sum_over_parts


class IntegratedGradients(ExplanationMethod):
    """The gradient of the score on the line from a baseline to the sample, times the difference.

    ```
    value_i = (x_i - b_i) ∫ ∂f(b + α (x - b)) / ∂x_i dα          α from 0 to 1
    ```

    The values sum to `f(x) - f(b)`, but for the error of the numerical integration, which is
    `checks["completeness_error"]`. Ids move between embeddings. A part's value is the sum of the
    values of its numbers. All modalities move together from their baselines.

    Args:
        steps: int. Number of gradients, at the points of a Gauss-Legendre sum.

    Example:

    >>> from keras_mmfusion.explain import IntegratedGradients
    >>> IntegratedGradients(steps=64)
    IntegratedGradients(steps=64)

    Reference:
        Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017, equation 1.
    """

    name = "integrated_gradients"
    levels = ("modality", "token", "pixel", "feature")

    def __init__(self, steps=32):
        self.steps = check_integer(self, "steps", steps)

    def find_problem(self, explainable, level):
        return find_gradient_problem(explainable)

    def attribute(self, explainable, level, batch_size):
        names = explainable.differentiable
        path = integrate_gradients(
            make_input_gradients(explainable),
            {name: explainable.embed(name) for name in names},
            {name: explainable.embed_baseline(name) for name in names},
            self.steps,
            batch_size,
        )
        return Attribution(
            sum_over_parts(explainable, path.values, level),
            path.score,
            path.base_score,
            checks={"completeness_error": abs(path.completeness_error)},
        )


def find_gradient_problem(explainable):
    """Returns why a model has no gradients for its inputs, or `None`."""
    if not explainable.differentiable:
        return "no modality has gradients: all inputs are integers without an embedding layer"
    return None
