"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.captioning.backbone_text_decoder import BackboneTextDecoder as BackboneTextDecoder
from keras_mmfusion.models.captioning.decoding.caption import Caption as Caption
from keras_mmfusion.models.captioning.captioner import Captioner as Captioner
from keras_mmfusion.models.captioning.training.captioner_recipe import CaptionerRecipe as CaptionerRecipe
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor as CaptioningPreprocessor
from keras_mmfusion.models.captioning.decoding.decoding_settings import DecodingSettings as DecodingSettings
from keras_mmfusion.models.captioning.graph_captioner import GraphCaptioner as GraphCaptioner
from keras_mmfusion.models.captioning.image_captioning_model import ImageCaptioningModel as ImageCaptioningModel
from keras_mmfusion.models.captioning.decoding.decoding_settings import SpecialTokens as SpecialTokens
from keras_mmfusion.models.captioning.text_decoder import TextDecoder as TextDecoder
from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner as TransformerCaptioner
from keras_mmfusion.models.captioning.word_tokenizer import WordTokenizer as WordTokenizer
from keras_mmfusion.models.captioning.training.caption_evaluation import evaluate_captioner as evaluate_captioner
from keras_mmfusion.models.captioning.export.edge_export import export_edge_captioner as export_edge_captioner
from keras_mmfusion.models.captioning.training.captioner_recipe import train_captioner as train_captioner
