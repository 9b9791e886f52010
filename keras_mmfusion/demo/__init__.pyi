"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.demo.demo_models import DemoModels as DemoModels
from keras_mmfusion.demo.app import create_app as create_app
from keras_mmfusion.demo.server import serve_app as serve_app
