"""Calibration of class probabilities, and predictions that abstain."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "TemperatureScaling": "scaling",
        "VectorScaling": "scaling",
        "draw_reliability": "reliability",
        "expected_calibration_error": "reliability",
        "find_confidence_threshold": "selective_prediction",
        "reliability_curve": "reliability",
        "risk_coverage_curve": "selective_prediction",
    },
)
