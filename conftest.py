"""What `pytest --doctest-modules keras_mmfusion` leaves out where an extra is not installed."""

import importlib.util

collect_ignore = []
if importlib.util.find_spec("apache_beam") is None:
    collect_ignore.append("keras_mmfusion/serving/bulk/captioner_handler.py")
if importlib.util.find_spec("tensorflow_datasets") is None:
    collect_ignore.append("keras_mmfusion/datasets/tfds_builders")
if importlib.util.find_spec("gradio") is None:
    collect_ignore.append("keras_mmfusion/demo/tabs")
