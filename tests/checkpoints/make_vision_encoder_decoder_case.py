"""Writes the expected outputs of a tiny `VisionEncoderDecoderModel` of transformers.

Run `python tests/checkpoints/make_vision_encoder_decoder_case.py` with torch and transformers.
"""

import json
import pathlib

import numpy as np
import torch
from transformers import (
    GPT2Config,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
)

DATA = pathlib.Path(__file__).parent / "data"
IMAGES, TOKENS, LENGTH = 50, 6, 10
VOCABULARY, END = 40, 39


def make_model(encoder_dim):
    encoder = ViTConfig(
        hidden_size=encoder_dim,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=16,
        patch_size=8,
        layer_norm_eps=1e-12,
    )
    decoder = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=12,
        n_embd=16,
        n_layer=2,
        n_head=2,
        add_cross_attention=True,
        is_decoder=True,
        bos_token_id=END,
        eos_token_id=END,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id = config.pad_token_id = config.eos_token_id = END
    model = VisionEncoderDecoderModel(config).eval()
    model.generation_config.decoder_start_token_id = END
    model.generation_config.pad_token_id = model.generation_config.eos_token_id = END
    return model


def spread_weights(model, spread, seed=0):
    """Sets wide random weights that float16 represents exactly."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            values = torch.randn(weight.shape, generator=generator)
            if weight.ndim == 1:
                is_scale = name.endswith("weight")
                values = values * 0.2 + (1.0 if is_scale else 0.0)
            else:
                values = values * (1.5 if "wpe" in name else spread)
            weight.copy_(values.half().float())


def main(name, encoder_dim, spread):
    model = make_model(encoder_dim)
    spread_weights(model, spread)
    random = np.random.RandomState(0)
    images = random.normal(size=(IMAGES, 16, 16, 3)).astype("float32")
    tokens = random.randint(0, END, (IMAGES, TOKENS))
    pixels = torch.tensor(images).permute(0, 3, 1, 2)
    ids = torch.tensor(tokens)
    with torch.no_grad():
        encoded = model.encoder(pixels[:2]).last_hidden_state
    loss = model(pixel_values=pixels, labels=ids).loss
    loss.backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters() if p.grad is not None))
    start = torch.full((IMAGES, 1), END)
    with torch.no_grad():
        logits = model(pixels[:4], decoder_input_ids=torch.cat([start, ids], 1)[:4]).logits
        options = dict(max_length=LENGTH + 1, min_new_tokens=1, do_sample=False)
        greedy = model.generate(pixels, num_beams=1, **options)
        beams = model.generate(
            pixels,
            num_beams=4,
            length_penalty=1.0,
            output_scores=True,
            return_dict_in_generate=True,
            **options,
        )
    weights = {
        f"weight:{key}": value.numpy().astype("float16")
        for key, value in model.state_dict().items()
        if not key.endswith((".attn.bias", ".masked_bias"))
    }
    DATA.mkdir(exist_ok=True)
    np.savez_compressed(
        DATA / f"{name}.npz",
        encoded=encoded.numpy(),
        logits=logits.numpy(),
        loss=loss.item(),
        gradient_norm=norm.item(),
        greedy=greedy[:, 1:].numpy().astype("uint8"),
        beams=beams.sequences[:, 1:].numpy().astype("uint8"),
        beam_scores=beams.sequences_scores.numpy(),
        **weights,
    )
    config = json.dumps(model.config.to_diff_dict(), indent=1)
    (DATA / f"{name}.json").write_text(config + "\n", "utf-8")


if __name__ == "__main__":
    main("vit_gpt2", 16, spread=0.6)
    main("vit_gpt2_projection", 12, spread=0.4)
