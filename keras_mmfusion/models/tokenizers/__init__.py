"""Tokenizers of public checkpoints, with the token ids of Hugging Face's `tokenizers`."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ClipTokenizer": "clip_tokenizer",
        "Gpt2Tokenizer": "gpt2_tokenizer",
        "SiglipTokenizer": "siglip_tokenizer",
        "WordPieceTokenizer": "word_piece_tokenizer",
    },
)
