"""Writes the expected outputs of tiny Idefics3 and SmolVLM models of transformers.

Run `python tests/checkpoints/make_smolvlm_case.py` with torch, torchvision, num2words and
transformers (written with 5.24.0), and with `tests` in PYTHONPATH.
"""

import json

import numpy as np
import torch
from checkpoints.language_folders import MERGES
from checkpoints.make_language_cases import spread_weights
from checkpoints.smolvlm_cases import (
    ADDED,
    CHAT_TEMPLATE,
    IMAGE_PROCESSOR,
    IMAGE_SIZE,
    LOGIT_STEP,
    PATCH_SIZE,
    SCALE_FACTOR,
    SPECIAL,
    TOKENS,
    make_conversations,
)
from checkpoints.stored_cases import DATA
from PIL import Image
from tokenizers import AddedToken, Tokenizer, models
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

CASES = {
    "idefics3": (Idefics3ForConditionalGeneration, Idefics3Config, False),
    "smolvlm": (SmolVLMForConditionalGeneration, SmolVLMConfig, True),
}
NEW_TOKENS = 8


def make_processor():
    ids = {token: index for index, token in enumerate(TOKENS)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[tuple(m.split(" ")) for m in MERGES]))
    steps = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = Sequence(steps)
    tokenizer.add_special_tokens([AddedToken(token) for token in (*SPECIAL, *ADDED)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|im_end|>")
    fast.padding_side = "right"
    return Idefics3Processor(
        Idefics3ImageProcessorPil(**IMAGE_PROCESSOR),
        fast,
        image_seq_len=(IMAGE_SIZE // PATCH_SIZE // SCALE_FACTOR) ** 2,
        chat_template=CHAT_TEMPLATE,
    )


def make_model(kind):
    build, configure, tied = CASES[kind]
    text = {
        "model_type": "llama",
        "vocab_size": len(TOKENS),
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 100000.0,
        "pad_token_id": TOKENS.index("<|im_end|>"),
    }
    vision = {
        "hidden_size": 8,
        "intermediate_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": IMAGE_SIZE,
        "patch_size": PATCH_SIZE,
    }
    config = configure(
        text_config=text,
        vision_config=vision,
        scale_factor=SCALE_FACTOR,
        image_token_id=TOKENS.index("<image>"),
        tie_word_embeddings=tied,
    )
    return build(config).eval()


def write_case(kind):
    model, processor = make_model(kind), make_processor()
    spread_weights(model)
    with torch.no_grad():  # So that the tied logits are not large.
        model.get_input_embeddings().weight.mul_(0.25)
    prompts, images = [], []
    for messages in make_conversations():
        prompts.append(processor.apply_chat_template(messages, add_generation_prompt=True))
        parts = [part for message in messages for part in message["content"]]
        images.append([Image.fromarray(part["image"]) for part in parts if "image" in part])
    inputs = processor(text=prompts, images=images, padding=True, return_tensors="pt")
    first = processor(text=prompts[:1], images=images[:1], return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits.numpy()
        ids = model.generate(
            **first, do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=None
        ).numpy()
    weights = {
        f"weight:{key}": value.numpy().astype("float16")
        for key, value in model.state_dict().items()
        if not (key.startswith("lm_head") and model.config.tie_word_embeddings)
    }
    results = {
        "ids": inputs["input_ids"].numpy(),
        "mask": inputs["attention_mask"].numpy().astype(bool),
        "logits": logits[:, ::LOGIT_STEP],
        "greedy": ids[:, -NEW_TOKENS:],
    }
    config = json.dumps(model.config.to_dict())
    np.savez_compressed(DATA / f"{kind}.npz", config=config, **results, **weights)
    print(kind, results["ids"].shape, sorted(weights)[:2], results["greedy"])


if __name__ == "__main__":
    for kind in CASES:
        write_case(kind)
