"""Image captioning: the models, their preprocessor and its tokenizer."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CaptioningPreprocessor": "captioning_preprocessor",
        "GraphCaptioner": "graph_captioner",
        "ImageCaptioningModel": "image_captioning_model",
        "TextDecoder": "text_decoder",
        "TransformerCaptioner": "transformer_captioner",
        "WordTokenizer": "word_tokenizer",
    },
)
