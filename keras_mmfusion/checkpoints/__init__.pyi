"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

