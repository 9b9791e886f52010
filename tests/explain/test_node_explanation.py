import numpy as np

from keras_mmfusion.explain.node_explanation import NodeExplanation


def test_repr_is_short():
    index, scores = np.zeros((2, 500), int), np.zeros(500)
    prefix = "NodeExplanation(node=3, predicted_class=1, probability=0.5, edges="
    homogeneous = NodeExplanation(3, 1, 0.5, index, scores, np.zeros(8), {})
    assert repr(homogeneous) == f"{prefix}500)"
    relations = {"a/to/b": index, "b/to/a": index}
    heterogeneous = NodeExplanation(3, 1, 0.5, relations, dict.fromkeys(relations, scores), {}, {})
    assert repr(heterogeneous) == f"{prefix}1000)"
