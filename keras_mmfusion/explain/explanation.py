"""The explanation of a prediction."""

import dataclasses
import json

import numpy as np

from keras_mmfusion._short_repr import short_repr

# Fields that are not part of the JSON text.
_IMAGES = "images"
_ARRAYS = ("values", "standard_errors", "edges")


@dataclasses.dataclass(frozen=True, repr=False)
class Explanation:
    """The values of the parts of a sample for one output of a model, from `explain`.

    Args:
        values: dict, modality -> float array of the shape of its parts: `()` at the level
            `"modality"`, `(tokens,)`, `(rows, columns)` or `(height, width)` of an image,
            `(features,)`, or `(edges,)`.
        score: float. The explained output for the whole sample.
        target: string. What the score is.
        method: string. The method and its settings.
        level: string, see `explain`.
        base_value: float or `None`. The score without the parts, for methods that compute it.
        standard_errors: dict like `values`, or `None`, for values that are estimated by sampling.
        interactions: float array `(modalities, modalities)` or `None`, in the order of `values`.
        checks: dict, name -> float. `"completeness_error"` is the absolute difference between the
            sum of the values and `score - base_value`.
        labels: dict, modality -> list of strings: the words or features of the values.
        removal: dict, modality -> string: how the method removes parts. Empty if it removes none.
        images: dict, modality -> uint8 array: images, and sequences of vectors, `(tokens,
            features)`, such as spectrograms, for the figures. Not part of the JSON text.
        edges: dict, modality -> int array `(2, edges)`: the source and the target of each edge, for
            the edges of a graph.
        node: int or `None`. The node whose prediction is explained.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.explain import Explanation
    >>> explanation = Explanation(
    ...     {"image": np.array([[0.5, 0.0]]), "text": np.array([0.75, -0.25])}, 1.0, "the logit",
    ...     "ShapleyValues()", "token", base_value=0.0, labels={"text": ["red", "cat"]})
    >>> explanation.get_modality_values()
    {'image': 0.5, 'text': 0.5}
    >>> {name: round(degree, 3) for name, degree in explanation.get_degrees().items()}
    {'image': 0.333, 'text': 0.667}
    >>> Explanation.from_json(explanation.to_json()).labels
    {'text': ['red', 'cat']}
    """

    values: dict
    score: float
    target: str
    method: str
    level: str
    base_value: float | None = None
    standard_errors: dict | None = None
    interactions: np.ndarray | None = None
    checks: dict = dataclasses.field(default_factory=dict)
    labels: dict = dataclasses.field(default_factory=dict)
    removal: dict = dataclasses.field(default_factory=dict)
    images: dict = dataclasses.field(default_factory=dict)
    edges: dict = dataclasses.field(default_factory=dict)
    node: int | None = None

    def __repr__(self):
        shapes = {name: np.shape(value) for name, value in self.values.items()}
        return short_repr(
            self, method=self.method, target=self.target, score=self.score, values=shapes
        )

    def get_modality_values(self):
        """Returns the sum of the values of each modality, a dict."""
        return {name: float(np.sum(value)) for name, value in self.values.items()}

    def get_degrees(self):
        """Returns the share of each modality in the absolute values, a dict; zeros without any.

        ```
        degree_m = Σ_i |value_mi| / Σ_n Σ_i |value_ni|
        ```

        For `ShapleyValues` at the token level, these are the degrees of MM-SHAP.
        """
        sums = {name: float(np.abs(value).sum()) for name, value in self.values.items()}
        total = sum(sums.values()) or 1.0
        return {name: value / total for name, value in sums.items()}

    def get_labels(self, name):
        """Returns a label for each part of a modality: `labels`, or numbers from 0."""
        return self.labels.get(name) or [str(i) for i in range(np.size(self.values[name]))]

    def plot(self, path=None, dark=False):
        """Draws the values.

        Modalities and words are bars, with 95% intervals if the values are estimates; images have
        heat maps; sequences of vectors, such as spectrograms, are drawn above the bars of their
        frames. Features are a waterfall from the base value to the score, if the method has a base
        value. Edges are drawn as the subgraph around the node.

        Args:
            path: string or path of an image file to write. Its suffix, such as `.png`, selects the
                format.
            dark: bool. Whether the background is dark.

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            ImportError: if matplotlib is not installed.
            ValueError: if matplotlib does not support the suffix of `path`.
        """
        from keras_mmfusion.explain.figures.explanation_figure import plot_explanation

        return plot_explanation(self, path, dark)

    def to_html(self):
        """Returns an HTML page with the values, without references to other files."""
        from keras_mmfusion.explain.figures.explanation_page import make_page

        return make_page(self)

    def _repr_html_(self):
        from keras_mmfusion.explain.figures.explanation_page import make_fragment

        return make_fragment(self)

    def to_json(self):
        """Returns everything but the images as a JSON text."""
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != _IMAGES
        }
        for name in _ARRAYS:
            if fields.get(name) is not None:
                fields[name] = {key: np.asarray(x).tolist() for key, x in fields[name].items()}
        if self.interactions is not None:
            fields["interactions"] = np.asarray(self.interactions).tolist()
        return json.dumps(fields, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text):
        """Creates an explanation, without images, from the text of `to_json`."""
        fields = json.loads(text)
        for name in _ARRAYS:
            if fields.get(name) is not None:
                fields[name] = {key: np.asarray(x) for key, x in fields[name].items()}
        if fields["interactions"] is not None:
            fields["interactions"] = np.asarray(fields["interactions"])
        return cls(**fields)
