"""Image captioning: models, preprocessing, training, evaluation and export."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BackboneTextDecoder": "backbone_text_decoder",
        "BertTextDecoder": "bert_text_decoder",
        "BlipCaptioner": "blip_captioner",
        "Caption": "decoding.caption",
        "Captioner": "captioner",
        "CaptionerRecipe": "training.captioner_recipe",
        "CaptioningPreprocessor": "captioning_preprocessor",
        "DecodingSettings": "decoding.decoding_settings",
        "EncoderDecoderCaptioner": "encoder_decoder_captioner",
        "FineTuningRecipe": "training.fine_tuning",
        "GitCaptioner": "git_captioner",
        "GitTextDecoder": "git_text_decoder",
        "GraphCaptioner": "graph_captioner",
        "ImageCaptioningModel": "image_captioning_model",
        "SpecialTokens": "decoding.decoding_settings",
        "TextDecoder": "text_decoder",
        "TransformerCaptioner": "transformer_captioner",
        "WordTokenizer": "word_tokenizer",
        "evaluate_captioner": "training.caption_evaluation",
        "export_captioner": "export.captioner_export",
        "export_edge_captioner": "export.edge_export",
        "extend_vocabulary": "vocabulary_extension",
        "fine_tune_captioner": "training.fine_tuning",
        "train_captioner": "training.captioner_recipe",
    },
)
