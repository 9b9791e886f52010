"""The architectures of parity.py: configurations and special tokens.

parity_samples.py makes their inputs, and parity_assets.py writes the files of their tokenizers and
image processors.

Both sides import this module, so it needs neither Keras nor PyTorch. To add an architecture, add a
`Case` to `CASES`; a new kind of model needs a function in `parity_keras.py` and another one in
`parity_transformers.py`.
"""

from typing import NamedTuple

PAD = 0
# Ids of [UNK], [CLS], [SEP] and [MASK] in the two vocabularies.
BERT_IDS = {"tiny": (1, 2, 3, 4), "full": (100, 101, 102, 103)}
# Tokenizer -> size -> ids of the start, end and padding tokens, and those that are never generated.
SPECIAL_TOKENS = {
    "bert": {"tiny": (2, 3, PAD, (1,)), "full": (101, 102, PAD, (100,))},
    "blip": {"tiny": (58, 3, PAD, (1,)), "full": (30522, 102, PAD, (100,))},
    "clip": {"tiny": (518, 519, 519, ()), "full": (49406, 49407, 49407, ())},
    "gpt2": {"tiny": (299, 299, 299, ()), "full": (50256, 50256, 50256, ())},
    "roberta": {"tiny": (0, 2, 1, (3,)), "full": (0, 2, 1, (3,))},
    "siglip": {"tiny": (1, 1, 1, ()), "full": (1, 1, 1, ())},
    "smollm2": {"tiny": (1, 2, 2, ()), "full": (1, 2, 2, ())},
}
VOCABULARY_SIZES = {
    "bert": {"tiny": 60, "full": 30522},
    "roberta": {"tiny": 300, "full": 50265},
}
LABEL_SMOOTHING = 0.1  # BLIP's.
TINY_VISION = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 32,
    "patch_size": 16,
}
TINY_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
TINY_ENCODERS = {
    "vit": TINY_VISION,
    "deit": TINY_VISION,
    "beit": TINY_VISION,
    "swin": {
        "image_size": 32,
        "patch_size": 4,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [2, 2],
        "window_size": 4,
    },
}
# As in published checkpoints: BEiT's blocks have their own relative positions.
ENCODER_SETTINGS = {"beit": {"use_relative_position_bias": True, "layer_scale_init_value": 0.1}}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


class Case(NamedTuple):
    """An architecture.

    Args:
        kind: string. The name of a function of both sides.
        model: string. The class of transformers.
        config: string. Its configuration class.
        sizes: dict, `"tiny"` and `"full"` -> dict of the configuration. The latter has the
            published values of the checkpoint, or of both parts.
        checkpoint: string or `None`. The published checkpoint.
        tokenizer: string. A name of `SPECIAL_TOKENS`.
        processor: string or `None`. The class of the image processor, without its suffix.
        label_smoothing: float. That of the loss.
        frames: int or `None`. The number of frames of a video.
    """

    kind: str
    model: str
    config: str
    sizes: dict
    checkpoint: str
    tokenizer: str
    processor: str | None
    label_smoothing: float = 0.0
    frames: int | None = None

    def get_special_tokens(self, size):
        """Returns the ids of the start, end and padding tokens, and those never generated."""
        return SPECIAL_TOKENS[self.tokenizer][size]

    def get_image_size(self, size):
        config = self.sizes[size]
        part = config.get("vision_config") or config.get("encoder") or config
        return part["image_size"]

    def get_vocabulary_size(self, size):
        config = self.sizes[size]
        part = config.get("text_config") or config.get("decoder") or config
        return part["vocab_size"]


def _blip(size, **text):
    start, end, pad, _ = SPECIAL_TOKENS["blip"][size]
    common = {"bos_token_id": start, "sep_token_id": end, "pad_token_id": pad}
    common["label_smoothing"] = LABEL_SMOOTHING
    if size == "tiny":
        text = {**TINY_TEXT, **NO_DROPOUT, "max_position_embeddings": 24, **common, **text}
        text["vocab_size"] = 60
        widths = {"projection_dim": 16, "image_text_hidden_size": 16}
        return {"text_config": text, "vision_config": TINY_VISION, **widths}
    text = {"vocab_size": 30524, "num_attention_heads": 12, **NO_DROPOUT, **common}
    return {"text_config": text, "vision_config": {"image_size": 384}}


def _git(size, frames=None):
    start, end, pad, _ = SPECIAL_TOKENS["bert"][size]
    config = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    config |= {"num_image_with_embedding": frames, **NO_DROPOUT}
    if size == "full":
        return {**config, "vocab_size": 30522, "vision_config": {"image_size": 224}}
    config |= {"vocab_size": 60, "max_position_embeddings": 24, **TINY_TEXT}
    return {**config, "vision_config": TINY_VISION}


def _vit_gpt2(size):
    end = SPECIAL_TOKENS["gpt2"][size][0]
    encoder = {"model_type": "vit", "image_size": 224, "layer_norm_eps": 1e-12}
    decoder = {
        "model_type": "gpt2",
        "vocab_size": 50257,
        "bos_token_id": end,
        "eos_token_id": end,
        "add_cross_attention": True,
        "is_decoder": True,
        **{f"{name}_pdrop": 0.0 for name in ("attn", "embd", "resid")},
    }
    encoder |= NO_DROPOUT
    if size == "tiny":
        encoder |= TINY_VISION
        decoder |= {"vocab_size": 300, "n_positions": 24, "n_embd": 32, "n_layer": 2, "n_head": 4}
    ids = {"decoder_start_token_id": end, "pad_token_id": end, "eos_token_id": end}
    return {"encoder": encoder, "decoder": decoder, **ids}


def _vilt(size):
    labels = 12 if size == "tiny" else 3129
    config = {"id2label": {index: f"answer {index}" for index in range(labels)}, **NO_DROPOUT}
    if size == "full":
        return {**config, "vocab_size": 30522, "image_size": 384, "patch_size": 32}
    config |= {"vocab_size": 60, "max_position_embeddings": 10, **TINY_TEXT}
    return {**config, "image_size": 48, "patch_size": 16}


def _pair(size, encoder, decoder):
    """Makes the configuration of an image encoder and a BERT or RoBERTa."""
    start, end, pad, _ = SPECIAL_TOKENS[decoder][size]
    ids = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    text = {"model_type": decoder, "add_cross_attention": True, "is_decoder": True}
    text |= {**ids, **NO_DROPOUT, "vocab_size": VOCABULARY_SIZES[decoder][size]}
    vision = {"model_type": encoder, "image_size": 224, **NO_DROPOUT}
    vision |= ENCODER_SETTINGS.get(encoder, {})
    if size == "tiny":
        vision |= TINY_ENCODERS[encoder]
        text |= {**TINY_TEXT, "max_position_embeddings": 26}
    elif decoder == "roberta":
        text |= {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    return {"encoder": vision, "decoder": text, "decoder_start_token_id": start, **ids}


def _clip(size):
    start, end, pad, _ = SPECIAL_TOKENS["clip"][size]
    text = {"vocab_size": 49408, "eos_token_id": end, "bos_token_id": start, "pad_token_id": pad}
    if size == "full":
        return {"text_config": text, "vision_config": {"image_size": 224}}
    text |= {**TINY_TEXT, "vocab_size": 520, "max_position_embeddings": 10}
    return {"text_config": text, "vision_config": TINY_VISION, "projection_dim": 16}


def _siglip(size):
    if size == "full":
        return {"text_config": {"vocab_size": 32000}, "vision_config": {"image_size": 224}}
    text = {**TINY_TEXT, "vocab_size": 60, "max_position_embeddings": 10}
    vision = {**TINY_VISION, "hidden_size": 32, "num_attention_heads": 4}
    return {"text_config": text, "vision_config": vision}


def _llama(size):
    start, end, pad, _ = SPECIAL_TOKENS["smollm2"][size]
    config = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    config |= {"rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": True}
    if size == "tiny":
        return {**config, **TINY_TEXT, "num_key_value_heads": 2, "vocab_size": 300}
    return {
        **config,
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "max_position_embeddings": 8192,
    }


def _gpt2(size):
    end = SPECIAL_TOKENS["gpt2"][size][0]
    config = {"bos_token_id": end, "eos_token_id": end, "vocab_size": 50257}
    config |= {f"{name}_pdrop": 0.0 for name in ("attn", "embd", "resid")}
    if size == "tiny":
        config |= {"vocab_size": 300, "n_positions": 24, "n_embd": 32, "n_layer": 2, "n_head": 4}
    return config


def _both(make, *arguments, **options):
    return {size: make(size, *arguments, **options) for size in ("tiny", "full")}


_BLIP_TINY = {"encoder_hidden_size": TINY_VISION["hidden_size"]}
# The answer decoder attends to the question, so its width is that of the encoder's states.
_BLIP_VQA_TINY = {"encoder_hidden_size": 24, "hidden_size": 24, "num_attention_heads": 3}
CASES = {
    "blip": Case(
        "captioner",
        "BlipForConditionalGeneration",
        "BlipConfig",
        _both(_blip, **_BLIP_TINY),
        "Salesforce/blip-image-captioning-base",
        "blip",
        "Blip",
        label_smoothing=LABEL_SMOOTHING,
    ),
    "blip_vqa": Case(
        "question_answerer",
        "BlipForQuestionAnswering",
        "BlipConfig",
        _both(_blip, **_BLIP_VQA_TINY),
        "Salesforce/blip-vqa-base",
        "blip",
        "Blip",
        label_smoothing=LABEL_SMOOTHING,
    ),
    "blip_matcher": Case(
        "matcher",
        "BlipForImageTextRetrieval",
        "BlipConfig",
        _both(_blip, **_BLIP_TINY),
        "Salesforce/blip-itm-base-coco",
        "blip",
        "Blip",
    ),
    "git": Case(
        "captioner",
        "GitForCausalLM",
        "GitConfig",
        _both(_git),
        "microsoft/git-base-coco",
        "bert",
        "CLIP",
    ),
    "git_video": Case(
        "captioner",
        "GitForCausalLM",
        "GitConfig",
        _both(_git, frames=6),
        "microsoft/git-base-vatex",
        "bert",
        "CLIP",
        frames=6,
    ),
    "vit_gpt2": Case(
        "captioner",
        "VisionEncoderDecoderModel",
        "VisionEncoderDecoderConfig",
        _both(_vit_gpt2),
        "nlpconnect/vit-gpt2-image-captioning",
        "gpt2",
        "ViT",
    ),
    **{
        f"{encoder}_{decoder}": Case(
            "captioner",
            "VisionEncoderDecoderModel",
            "VisionEncoderDecoderConfig",
            _both(_pair, encoder, decoder),
            None,
            decoder,
            "ViT",
        )
        for encoder, decoder in (
            ("vit", "bert"),
            ("vit", "roberta"),
            ("deit", "bert"),
            ("deit", "roberta"),
            ("beit", "bert"),
            ("swin", "roberta"),
        )
    },
    "vilt": Case(
        "classifier",
        "ViltForQuestionAnswering",
        "ViltConfig",
        _both(_vilt),
        "dandelin/vilt-b32-finetuned-vqa",
        "bert",
        "Vilt",
    ),
    "clip": Case(
        "contrastive",
        "CLIPModel",
        "CLIPConfig",
        _both(_clip),
        "openai/clip-vit-base-patch32",
        "clip",
        "CLIP",
    ),
    "siglip": Case(
        "contrastive",
        "SiglipModel",
        "SiglipConfig",
        _both(_siglip),
        "google/siglip-base-patch16-224",
        "siglip",
        "Siglip",
    ),
    "llama": Case(
        "language_model",
        "LlamaForCausalLM",
        "LlamaConfig",
        _both(_llama),
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "smollm2",
        None,
    ),
    "gpt2": Case(
        "language_model",
        "GPT2LMHeadModel",
        "GPT2Config",
        _both(_gpt2),
        "openai-community/gpt2",
        "gpt2",
        None,
    ),
}
