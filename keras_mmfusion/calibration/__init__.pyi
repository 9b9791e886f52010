"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.calibration.scaling import TemperatureScaling as TemperatureScaling
from keras_mmfusion.calibration.scaling import VectorScaling as VectorScaling
from keras_mmfusion.calibration.reliability import draw_reliability as draw_reliability
from keras_mmfusion.calibration.reliability import expected_calibration_error as expected_calibration_error
from keras_mmfusion.calibration.selective_prediction import find_confidence_threshold as find_confidence_threshold
from keras_mmfusion.calibration.reliability import reliability_curve as reliability_curve
from keras_mmfusion.calibration.selective_prediction import risk_coverage_curve as risk_coverage_curve
