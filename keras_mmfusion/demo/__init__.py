"""A web page to try the models: `mmfusion demo`."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "DemoModels": "demo_models",
        "create_app": "app",
        "serve_app": "server",
    },
)
