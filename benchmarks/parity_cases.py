"""The architectures of parity.py: configurations, special tokens and inputs.

Both sides import this module, so it needs neither Keras nor PyTorch. To add an architecture, add a
`Case` to `CASES`; a new kind of model needs a function in `parity_keras.py` and another one in
`parity_transformers.py`.
"""

import json
import pathlib
from typing import NamedTuple

import numpy as np

PAD = 0
# Ids of [UNK], [CLS], [SEP] and [MASK] in the two vocabularies.
BERT_IDS = {"tiny": (1, 2, 3, 4), "full": (100, 101, 102, 103)}
LENGTHS = {"tiny": 10, "full": 16}  # Of generated texts.
BEAMS = 4
LOGIT_ROWS = 4  # Inputs whose logits are compared.
TOKENS = (8, 6, 4, 3)  # Of the captions and texts of these inputs; the rest is padding.
QUESTION_TOKENS = (5, 7)
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
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


class Case(NamedTuple):
    """An architecture.

    Args:
        kind: string. The name of a function of both sides.
        model: string. The class of transformers.
        config: string. Its configuration class.
        sizes: dict, `"tiny"` and `"full"` -> dict of the configuration. `"full"` has the published
            values of `checkpoint`.
        checkpoint: string. The published checkpoint.
        tokens: function, size -> ids of the start, end and padding tokens, and those that are never
            generated.
        processor: string. The class of the image processor, without its suffix.
        label_smoothing: float. That of the loss.
        frames: int or `None`. The number of frames of a video.
    """

    kind: str
    model: str
    config: str
    sizes: dict
    checkpoint: str
    tokens: object
    processor: str
    label_smoothing: float = 0.0
    frames: int | None = None

    def get_image_size(self, size):
        config = self.sizes[size]
        part = config.get("vision_config") or config.get("encoder") or config
        return part["image_size"]

    def get_vocabulary_size(self, size):
        config = self.sizes[size]
        part = config.get("text_config") or config.get("decoder") or config
        return part["vocab_size"]


def _bert_tokens(size):
    unknown, start, end, _ = BERT_IDS[size]
    return start, end, PAD, (unknown,)


def _blip_tokens(size):
    unknown, _, end, _ = BERT_IDS[size]
    return {"tiny": 58, "full": 30522}[size], end, PAD, (unknown,)


def _gpt2_tokens(size):
    end = {"tiny": 299, "full": 50256}[size]
    return end, end, end, ()


def _clip_tokens(size):
    end = {"tiny": 519, "full": 49407}[size]
    return end - 1, end, end, ()


def _siglip_tokens(size):
    return 1, 1, 1, ()


def _blip(size, **text):
    start, end, pad, _ = _blip_tokens(size)
    common = {"bos_token_id": start, "sep_token_id": end, "pad_token_id": pad}
    common["label_smoothing"] = LABEL_SMOOTHING
    if size == "tiny":
        text = {**TINY_TEXT, **NO_DROPOUT, "max_position_embeddings": 24, **common, **text}
        text["vocab_size"] = 60
        return {"text_config": text, "vision_config": TINY_VISION, "projection_dim": 16}
    text = {"vocab_size": 30524, "num_attention_heads": 12, **NO_DROPOUT, **common}
    return {"text_config": text, "vision_config": {"image_size": 384}}


def _git(size, frames=None):
    start, end, pad, _ = _bert_tokens(size)
    config = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    config |= {"num_image_with_embedding": frames, **NO_DROPOUT}
    if size == "full":
        return {**config, "vocab_size": 30522, "vision_config": {"image_size": 224}}
    config |= {"vocab_size": 60, "max_position_embeddings": 24, **TINY_TEXT}
    return {**config, "vision_config": TINY_VISION}


def _vit_gpt2(size):
    end = _gpt2_tokens(size)[0]
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


def _clip(size):
    start, end, pad, _ = _clip_tokens(size)
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
        _blip_tokens,
        "Blip",
        label_smoothing=LABEL_SMOOTHING,
    ),
    "blip_vqa": Case(
        "question_answerer",
        "BlipForQuestionAnswering",
        "BlipConfig",
        _both(_blip, **_BLIP_VQA_TINY),
        "Salesforce/blip-vqa-base",
        _blip_tokens,
        "Blip",
        label_smoothing=LABEL_SMOOTHING,
    ),
    "git": Case(
        "captioner",
        "GitForCausalLM",
        "GitConfig",
        _both(_git),
        "microsoft/git-base-coco",
        _bert_tokens,
        "CLIP",
    ),
    "git_video": Case(
        "captioner",
        "GitForCausalLM",
        "GitConfig",
        _both(_git, frames=6),
        "microsoft/git-base-vatex",
        _bert_tokens,
        "CLIP",
        frames=6,
    ),
    "vit_gpt2": Case(
        "captioner",
        "VisionEncoderDecoderModel",
        "VisionEncoderDecoderConfig",
        _both(_vit_gpt2),
        "nlpconnect/vit-gpt2-image-captioning",
        _gpt2_tokens,
        "ViT",
    ),
    "clip": Case(
        "contrastive",
        "CLIPModel",
        "CLIPConfig",
        _both(_clip),
        "openai/clip-vit-base-patch32",
        _clip_tokens,
        "CLIP",
    ),
    "siglip": Case(
        "contrastive",
        "SiglipModel",
        "SiglipConfig",
        _both(_siglip),
        "google/siglip-base-patch16-224",
        _siglip_tokens,
        "Siglip",
    ),
}


def get_prompt(size):
    """Returns the ids of a prompt."""
    return {"tiny": (7, 21), "full": (1037, 3861, 1997)}[size]


def make_images(case, size, rows):
    """Makes random images, float32 `(rows, [frames,] height, width, 3)`: colored squares and noise.

    Squares differ more from image to image than noise does, and so do the texts about them.
    """
    rng = np.random.default_rng(1)
    pixels = case.get_image_size(size)
    shape = (rows,) if case.frames is None else (rows, case.frames)
    index = np.arange(pixels) * 6 // pixels
    squares = rng.normal(scale=1.2, size=(*shape, 6, 6, 3))[..., index, :, :][..., index, :]
    noise = rng.normal(scale=0.3, size=(*shape, pixels, pixels, 3))
    return (squares + noise).astype("float32")


def make_captions(case, size):
    """Makes ids `(LOGIT_ROWS, tokens)`, int32, that begin with the start token, and their mask."""
    rng = np.random.default_rng(2)
    start, end, pad, _ = case.tokens(size)
    ids = rng.integers(5, min(50, case.get_vocabulary_size(size)), (LOGIT_ROWS, max(TOKENS)))
    ids[:, 0] = start
    mask = np.arange(max(TOKENS)) < np.array(TOKENS)[:, None]
    ids = np.where(mask, ids, pad)
    ids[np.arange(LOGIT_ROWS), np.array(TOKENS) - 1] = end
    return ids.astype("int32"), mask


def make_questions(size, rows):
    """Makes a list of questions, int32 vectors of different lengths."""
    rng = np.random.default_rng(3)
    _, start, end, _ = BERT_IDS[size]
    questions = []
    for row in range(rows):
        words = rng.integers(5, 50, QUESTION_TOKENS[row % len(QUESTION_TOKENS)] - 2)
        questions.append(np.array([start, *words, end], "int32"))
    return questions


def make_texts(case, size, rows):
    """Makes texts for an encoder: padded ids `(rows, length)`, int32, and their mask."""
    rng = np.random.default_rng(4)
    length = case.sizes[size]["text_config"].get("max_position_embeddings")
    length = length or {"clip": 77, "siglip": 64}[case.processor.lower()]
    start, end, pad, _ = case.tokens(size)
    ids = rng.integers(5, 50, (rows, length))
    lengths = rng.integers(3, length, rows)
    ids[:, 0] = start
    mask = np.arange(length) < lengths[:, None]
    ids = np.where(mask, ids, pad)
    ids[np.arange(rows), lengths - 1] = end
    return ids.astype("int32"), mask


def write_assets(case, size, folder):
    """Writes the files of the tokenizer and the image processor, with an invented vocabulary."""
    folder = pathlib.Path(folder)
    pixels = case.get_image_size(size)
    settings = {"height": pixels, "width": pixels}
    processor = {"image_processor_type": f"{case.processor}ImageProcessor", "size": settings}
    if case.processor == "CLIP":
        processor = {**processor, "size": {"shortest_edge": pixels}, "crop_size": settings}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    count = case.get_vocabulary_size(size)
    if case.tokens in (_gpt2_tokens, _clip_tokens):
        _write_byte_pairs(case, size, folder, count)
    else:
        if case.tokens is _blip_tokens:
            count -= 2  # [DEC] and [ENC] are not in the file.
        tokens = [f"w{index}" for index in range(count)]
        tokens[PAD] = "[PAD]"
        for index, token in zip(BERT_IDS[size], ("UNK", "CLS", "SEP", "MASK"), strict=True):
            tokens[index] = f"[{token}]"
        (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")


def _write_byte_pairs(case, size, folder, count):
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [256 + index for index in range(256 - len(printable))]
    characters = [chr(code) for code in (*printable, *others)]
    is_clip = case.tokens is _clip_tokens
    if is_clip:
        characters += [f"{character}</w>" for character in characters]
    special = ["<|startoftext|>", "<|endoftext|>"] if is_clip else ["<|endoftext|>"]
    fill = [f"w{index}" for index in range(count - len(characters) - len(special))]
    tokens = [*characters, *fill, *special]
    ids = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def strip_padding(ids, end, pad):
    """Replaces the ids after the first end token by padding."""
    ends = np.cumsum(ids == end, axis=-1)
    return np.where(ends - (ids == end) > 0, pad, ids).astype("int32")
