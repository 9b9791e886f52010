"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.language.chat_template import ChatTemplate as ChatTemplate
from keras_mmfusion.models.language.dialogue_sequence import DialogueSequence as DialogueSequence
from keras_mmfusion.models.language.generated_text import GeneratedText as GeneratedText
from keras_mmfusion.models.language.language_models import Gpt2LanguageModel as Gpt2LanguageModel
from keras_mmfusion.models.language.dialogue_training import LanguageModelRecipe as LanguageModelRecipe
from keras_mmfusion.models.language.language_preprocessor import LanguagePreprocessor as LanguagePreprocessor
from keras_mmfusion.models.language.llama_backbone import LlamaBackbone as LlamaBackbone
from keras_mmfusion.models.language.language_models import LlamaLanguageModel as LlamaLanguageModel
from keras_mmfusion.models.language.multimodal_lm import MultimodalLM as MultimodalLM
from keras_mmfusion.models.language.multimodal_preprocessor import MultimodalPreprocessor as MultimodalPreprocessor
from keras_mmfusion.models.language.smolvlm_template import SmolVLMChatTemplate as SmolVLMChatTemplate
from keras_mmfusion.models.language.tiled_image_preprocessor import TiledImagePreprocessor as TiledImagePreprocessor
from keras_mmfusion.models.language.dialogue_training import train_language_model as train_language_model
