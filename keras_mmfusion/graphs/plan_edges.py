import numpy as np

from keras_mmfusion._checks import check_non_negative
from keras_mmfusion.graphs.edge_arrays import as_array, cast_edges


def connect_plan(plan, min_weight=0.0):
    """Connects value tokens to query tokens by the weights of an alignment plan.

    The edge from value `j` to query `i` has the weight `plan_ij`. Plans of optimal transport and
    attention are dense, with mostly negligible weights; `min_weight` removes those.

    Args:
        plan: floats `(query_tokens, value_tokens)`, or `(batch, query_tokens, value_tokens)`,
            the second output of any layer of `keras_mmfusion.layers.alignment`. The nodes of a
            batch are the tokens of all samples: `features.reshape(-1, dim)`.
        min_weight: float. Only entries above it become edges.

    Returns:
        `edge_index`, int32 `(2, edges)`, values in the first row, and `edge_weight`, float32
        `(edges,)`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.graph import connect_plan
    >>> index, weight = connect_plan(np.array([[0.9, 0.1, 0.0], [0.0, 0.4, 0.6]]), min_weight=0.2)
    >>> index.tolist(), weight.round(1).tolist()
    ([[0, 1, 2], [0, 1, 1]], [0.8999999761581421, 0.4000000059604645, 0.6000000238418579])

    Reference:
        Edges between modalities by optimal transport: Chen et al., "Graph Optimal Transport for
        Cross-Domain Alignment", 2020, section 2.
    """
    check_non_negative(None, "min_weight", min_weight)
    rank = len(getattr(plan, "shape", np.shape(plan)))
    plan = as_array("plan", plan, (None,) * (2 if rank == 2 else 3))
    plan = plan[None] if rank == 2 else plan
    sample, query, value = np.nonzero(plan > min_weight)
    _, queries, values = plan.shape
    weight = plan[sample, query, value]
    return cast_edges(sample * values + value, sample * queries + query, weight)
