"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.tokenizers.clip_tokenizer import ClipTokenizer as ClipTokenizer
from keras_mmfusion.models.tokenizers.gpt2_tokenizer import Gpt2Tokenizer as Gpt2Tokenizer
from keras_mmfusion.models.tokenizers.siglip_tokenizer import SiglipTokenizer as SiglipTokenizer
from keras_mmfusion.models.tokenizers.word_piece_tokenizer import WordPieceTokenizer as WordPieceTokenizer
