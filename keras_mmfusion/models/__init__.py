"""Task models, one folder for each task."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BackboneTextDecoder": "captioning.backbone_text_decoder",
        "Captioner": "captioning.captioner",
        "CaptioningPreprocessor": "captioning.captioning_preprocessor",
        "ContrastiveModel": "retrieval.contrastive_model",
        "ConversationModel": "fusion.conversation_model",
        "EvaluationResult": "runs.evaluation_result",
        "FusionModel": "fusion.fusion_model",
        "GradientBlendingModel": "fusion.gradient_blending_model",
        "GraphCaptioner": "captioning.graph_captioner",
        "GraphFusionRecommender": "recommendation.graph_fusion_recommender",
        "ImageCaptioningModel": "captioning.image_captioning_model",
        "Recommender": "recommendation.recommender",
        "RetrievalPreprocessor": "retrieval.retrieval_preprocessor",
        "TextDecoder": "captioning.text_decoder",
        "TransformerCaptioner": "captioning.transformer_captioner",
        "WordPieceTokenizer": "tokenizers.word_piece_tokenizer",
        "WordTokenizer": "captioning.word_tokenizer",
        "captioning": "",
        "estimate_blending_weights": "fusion.blending_weights",
        "export_edge_captioner": "captioning.export.edge_export",
        "export_tensors": "export.tensor_export",
        "fusion": "",
        "load_model": "presets.model_files",
        "node_classification": "",
        "recommendation": "",
        "retrieval": "",
        "sentiment": "",
        "tokenizers": "",
    },
)
