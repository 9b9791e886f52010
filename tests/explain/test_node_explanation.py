import numpy as np

from keras_mmfusion.explain.node_explanation import NodeExplanation


def test_the_repr_is_short():
    index, scores = np.zeros((2, 500), int), np.zeros(500)
    facts = "NodeExplanation(node=3, predicted_class=1, probability=0.5, edges="
    plain = NodeExplanation(3, 1, 0.5, index, scores, np.zeros(8), {})
    assert repr(plain) == f"{facts}500)"
    relations = {"a/to/b": index, "b/to/a": index}
    typed = NodeExplanation(3, 1, 0.5, relations, dict.fromkeys(relations, scores), {}, {})
    assert repr(typed) == f"{facts}1000)"
