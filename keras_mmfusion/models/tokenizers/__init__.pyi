"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.tokenizers.word_piece_tokenizer import WordPieceTokenizer as WordPieceTokenizer
