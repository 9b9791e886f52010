"""Language models, and their conversations."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ChatTemplate": "chat_template",
        "DialogueSequence": "dialogue_sequence",
        "GeneratedText": "generated_text",
        "Gpt2LanguageModel": "language_models",
        "LanguageModelRecipe": "dialogue_training",
        "LanguagePreprocessor": "language_preprocessor",
        "LlamaBackbone": "llama_backbone",
        "LlamaLanguageModel": "language_models",
        "MultimodalLM": "multimodal_lm",
        "MultimodalPreprocessor": "multimodal_preprocessor",
        "SmolVLMChatTemplate": "smolvlm_template",
        "TiledImagePreprocessor": "tiled_image_preprocessor",
        "train_language_model": "dialogue_training",
    },
)
