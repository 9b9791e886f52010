"""Clients of TensorFlow Serving and bulk captioning, for exported models."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "GrpcClient": "grpc_client",
        "RestClient": "rest_client",
        "ServingError": "serving_error",
        "caption_in_bulk": "bulk.caption_pipeline",
    },
)
