"""Writes the expected outputs of tiny language models of transformers.

Run `python tests/checkpoints/make_language_cases.py` with torch and transformers (written with
5.24.0), and with `tests` in PYTHONPATH.
"""

import json

import numpy as np
import torch
from checkpoints.language_folders import CHAT_TEMPLATE, CONVERSATIONS, MERGES, TOKENS
from checkpoints.stored_cases import DATA
from tokenizers import AddedToken, Tokenizer, models
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

LENGTHS = (8, 5)
START, END = 1, 2


def make_llama(**settings):
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=END,
        **{"rope_theta": 100000.0, **settings},
    )
    return LlamaForCausalLM(config)


def make_gpt2():
    config = GPT2Config(
        vocab_size=len(TOKENS),
        n_embd=16,
        n_layer=2,
        n_head=4,
        n_positions=64,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=END,
    )
    return GPT2LMHeadModel(config)


def spread_weights(model):
    """Sets wide random weights that float16 represents exactly."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            values = torch.randn(weight.shape, generator=generator)
            if weight.ndim == 1:
                values = values * 0.2 + (1.0 if name.endswith("weight") else 0.0)
            else:
                values = values * (1.0 if "emb" in name or "wte" in name else 0.4)
            weight.copy_(values.half().float())
    model.tie_weights()


def make_ids():
    """Makes ids whose second row is padded at the end, and their mask."""
    ids = np.random.RandomState(0).randint(3, len(TOKENS), (len(LENGTHS), max(LENGTHS)))
    mask = np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]
    return np.where(mask, ids, END), mask


def write_case(name, model):
    spread_weights(model)
    model.eval()
    ids, mask = make_ids()
    with torch.no_grad():
        inputs = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask).long()}
        logits = model(**inputs).logits.numpy()
        prompt = torch.tensor(ids[:1])
        greedy = model.generate(prompt, do_sample=False, max_length=16, eos_token_id=None)
    weights = {
        f"weight:{key}": value.numpy().astype("float16")
        for key, value in model.state_dict().items()
        if not key.startswith("lm_head")
    }
    config = json.dumps(model.config.to_dict())
    results = {"ids": ids, "mask": mask, "logits": logits, "greedy": greedy.numpy()}
    np.savez_compressed(DATA / f"{name}.npz", config=config, **results, **weights)


def write_chat_ids():
    """Writes the ids of conversations in the chat template of SmolLM2."""
    ids = {token: index for index, token in enumerate(TOKENS)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[tuple(m.split(" ")) for m in MERGES]))
    steps = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = Sequence(steps)
    tokenizer.add_special_tokens([AddedToken(token) for token in TOKENS[:3]])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.chat_template = CHAT_TEMPLATE
    cases = [
        fast.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        for messages in CONVERSATIONS
    ]
    (DATA / "chat_ids.json").write_text(json.dumps(cases) + "\n", "utf-8")


if __name__ == "__main__":
    write_case("llama", make_llama())
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0}
    scaling |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    write_case("llama3", make_llama(rope_theta=None, rope_parameters={**scaling, "rope_theta": 50}))
    write_case("gpt2", make_gpt2())
    write_chat_ids()
