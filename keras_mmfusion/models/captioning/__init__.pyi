"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor as CaptioningPreprocessor
from keras_mmfusion.models.captioning.graph_captioner import GraphCaptioner as GraphCaptioner
from keras_mmfusion.models.captioning.image_captioning_model import ImageCaptioningModel as ImageCaptioningModel
from keras_mmfusion.models.captioning.text_decoder import TextDecoder as TextDecoder
from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner as TransformerCaptioner
from keras_mmfusion.models.captioning.word_tokenizer import WordTokenizer as WordTokenizer
