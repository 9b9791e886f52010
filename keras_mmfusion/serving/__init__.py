"""Clients of TensorFlow Serving, for what `export` writes."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "GrpcClient": "grpc_client",
        "RestClient": "rest_client",
        "ServingError": "serving_error",
    },
)
