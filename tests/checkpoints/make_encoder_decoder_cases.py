"""Writes the expected outputs of tiny `VisionEncoderDecoderModel`s with several parts.

Run `python tests/checkpoints/make_encoder_decoder_cases.py` with torch and transformers.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from transformers import (
    BeitConfig,
    BeitModel,
    BertConfig,
    DeiTConfig,
    RobertaConfig,
    SwinConfig,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
)

DATA = pathlib.Path(__file__).parent / "data"
IMAGES, TOKENS, LENGTH = 50, 6, 10
VOCABULARY, DIM = 40, 16
PAD, START, END = 1, 2, 3
SIZES = {
    "hidden_size": DIM,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
PATCHES = {**SIZES, "image_size": 16, "patch_size": 8}
TEXT = {
    **SIZES,
    "vocab_size": VOCABULARY,
    "pad_token_id": PAD,
    "bos_token_id": START,
    "eos_token_id": END,
}


def make_config(encoder, decoder):
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = START, PAD, END
    return config


def make_bert():
    return BertConfig(**TEXT, max_position_embeddings=12, type_vocab_size=2, layer_norm_eps=1e-12)


def make_roberta():
    return RobertaConfig(**TEXT, max_position_embeddings=14, type_vocab_size=1, layer_norm_eps=1e-5)


CASES = {
    "vit_bert": lambda: make_config(ViTConfig(**PATCHES), make_bert()),
    "vit_roberta": lambda: make_config(ViTConfig(**PATCHES), make_roberta()),
    "deit_bert": lambda: make_config(DeiTConfig(**PATCHES), make_bert()),
    "beit_bert": lambda: make_config(
        BeitConfig(**PATCHES, use_relative_position_bias=True, use_mean_pooling=False),
        make_bert(),
    ),
    # The grids, 7 x 7 and 4 x 4, are padded to multiples of the window.
    "swin_roberta": lambda: make_config(
        SwinConfig(
            image_size=28,
            patch_size=4,
            embed_dim=8,
            depths=[2, 2],
            num_heads=[2, 4],
            window_size=3,
            mlp_ratio=2.0,
        ),
        make_roberta(),
    ),
}
BEIT = BeitConfig(
    **{**PATCHES, "image_size": 24, "num_hidden_layers": 2},
    use_shared_relative_position_bias=True,
    use_absolute_position_embeddings=True,
    use_mask_token=True,
    layer_scale_init_value=0.0,
)


def spread_weights(model, seed=0):
    """Sets wide random weights that float16 represents exactly."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            values = torch.randn(weight.shape, generator=generator)
            if weight.ndim == 1:
                is_scale = name.endswith("weight") or "lambda" in name
                values = values * 0.2 + (1.0 if is_scale else 0.0)
            else:
                is_wide = "embeddings" in name or "bias_table" in name
                values = values * (0.5 if is_wide else 0.3)
            if name.endswith(("predictions.bias", "lm_head.bias")):
                values[END] += 2.0  # Some captions end early.
            weight.copy_(values.half().float())


def make_case(name):
    torch.manual_seed(0)
    model = VisionEncoderDecoderModel(CASES[name]()).eval()
    spread_weights(model)
    model.tie_weights()
    model.double()  # In float32, rounding differs from the exact logits by more than 1e-5.
    options = {"decoder_start_token_id": START, "pad_token_id": PAD, "eos_token_id": END}
    size = model.config.encoder.image_size
    random = np.random.RandomState(0)
    images = random.normal(size=(IMAGES, size, size, 3)).astype("float32")
    tokens = random.randint(END + 1, VOCABULARY, (IMAGES, TOKENS))
    pixels, ids = torch.tensor(images).permute(0, 3, 1, 2).double(), torch.tensor(tokens)
    start = torch.full((IMAGES, 1), START)
    options |= {"max_length": LENGTH + 1, "min_new_tokens": 1, "do_sample": False}
    options |= {"suppress_tokens": [PAD, START]}
    loss = model(pixel_values=pixels, labels=ids).loss
    loss.backward()
    # Only of the encoder: this package adds the token type of the decoder to its positions.
    gradients = [p.grad for p in model.encoder.parameters() if p.grad is not None]
    norm = torch.sqrt(sum((gradient**2).sum() for gradient in gradients))
    with torch.no_grad():
        encoded = model.encoder(pixels[:2]).last_hidden_state
        logits = model(pixels[:4], decoder_input_ids=torch.cat([start, ids], 1)[:4]).logits
        greedy = model.generate(pixels, num_beams=1, **options)
        beams = model.generate(pixels, num_beams=4, length_penalty=1.0, **options)
    generated = {}
    for key, outputs in (("greedy", greedy), ("beams", beams)):
        generated[key] = np.full((IMAGES, LENGTH), PAD, "uint8")
        generated[key][:, : outputs.shape[1] - 1] = outputs[:, 1:].numpy()
    print(name, len({row.tobytes() for row in generated["beams"]}), "captions,",
          sorted((generated["beams"] != PAD).sum(1).tolist())[::7], "tokens")  # fmt: skip
    tied = ("predictions.decoder.", "lm_head.decoder.")
    weights = {
        f"weight:{key}": value.numpy().astype("float16")
        for key, value in model.state_dict().items()
        if not any(part in key for part in tied) and "pooler" not in key
    }
    DATA.mkdir(exist_ok=True)
    np.savez_compressed(
        DATA / f"{name}.npz",
        config=json.dumps(model.config.to_diff_dict()),
        encoded=encoded.numpy().astype("float32"),
        logits=logits.numpy().astype("float32"),
        loss=loss.item(),
        gradient_norm=norm.item(),
        **generated,
        **weights,
    )


def make_beit_case():
    """Writes an encoder of its own, with the settings of BEiT that `beit_bert` does not have."""
    model = BeitModel(BEIT).eval()
    spread_weights(model)
    images = np.random.RandomState(0).normal(size=(2, 24, 24, 3)).astype("float32")
    with torch.no_grad():
        encoded = model.double()(torch.tensor(images).permute(0, 3, 1, 2).double())
    weights = {
        f"weight:{key}": value.numpy().astype("float16")
        for key, value in model.state_dict().items()
    }
    np.savez_compressed(
        DATA / "beit.npz",
        config=json.dumps(model.config.to_dict()),
        encoded=encoded.last_hidden_state.numpy().astype("float32"),
        **weights,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_beit_case()
    for case in sys.argv[1:] or CASES:
        make_case(case)
