"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.serving.grpc_client import GrpcClient as GrpcClient
from keras_mmfusion.serving.rest_client import RestClient as RestClient
from keras_mmfusion.serving.serving_error import ServingError as ServingError
from keras_mmfusion.serving.bulk.caption_pipeline import caption_in_bulk as caption_in_bulk
