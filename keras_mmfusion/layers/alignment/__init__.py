"""Alignment of two sets or streams of tokens: a plan, and the features that it aligns."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Alignment": "alignment",
        "AttentionAlignment": "attention_alignment",
        "GraphMatching": "graph_matching",
        "OptimalTransportAlignment": "optimal_transport_alignment",
        "SoftDTWAlignment": "soft_dtw_alignment",
        "TimestampAlignment": "timestamp_alignment",
        "solve_assignment": "assignment",
        "solve_optimal_transport": "optimal_transport",
        "solve_soft_dtw": "soft_dtw",
    },
)
