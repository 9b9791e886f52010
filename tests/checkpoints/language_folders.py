"""Small language models as folders of transformers and as GGUF files."""

import json

import numpy as np
from checkpoints.checkpoint_files import pack_safetensors
from checkpoints.gguf_files import pack_gguf
from checkpoints.stored_cases import read_case

from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["1 2", "Ġ 1", "Ġ Ġ", "Ċ Ċ", "h i", "Ġ hi"]
TOKENS = [*SPECIAL, *make_byte_characters(), *(merge.replace(" ", "") for merge in MERGES)]
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\n" + SYSTEM + "<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONVERSATIONS = [
    [{"role": "user", "content": "hi  12\n\n"}],
    [
        {"role": "system", "content": "\n hi"},
        {"role": "user", "content": "\n\n hi 1"},
        {"role": "assistant", "content": " hi"},
        {"role": "user", "content": "12 hi "},
    ],
]
_GGUF_NAMES = (
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("model.layers.", "blk."),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("self_attn.o_proj", "attn_output"),
    *((f"self_attn.{name}_proj", f"attn_{name}") for name in "qkv"),
    *((f"mlp.{name}_proj", f"ffn_{name}") for name in ("gate", "up", "down")),
)


def write_language_folder(folder, case, **settings):
    """Writes the weights of a case with the tokenizer and the chat template of SmolLM2."""
    config, weights, _ = read_case(case)
    folder.mkdir(parents=True, exist_ok=True)
    steps = [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel"}]
    tokenizer = {
        "model": {
            "type": "BPE",
            "vocab": {token: index for index, token in enumerate(TOKENS)},
            "merges": MERGES,
        },
        "added_tokens": [{"content": token, "id": index} for index, token in enumerate(SPECIAL)],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
    }
    names = {"bos_token": SPECIAL[1], "eos_token": SPECIAL[2], "unk_token": SPECIAL[0]}
    contents = {
        "config.json": {**config, **settings},
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": {**names, "chat_template": CHAT_TEMPLATE},
    }
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content), "utf-8")
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


def write_language_gguf(path):
    """Writes the weights of the case "llama" in float16, with the tokenizer of SmolLM2."""
    config, weights, _ = read_case("llama")
    heads = {"q": config["num_attention_heads"], "k": config["num_key_value_heads"]}
    metadata = {
        "general.architecture": "llama",
        "general.license": "apache-2.0",
        "llama.block_count": config["num_hidden_layers"],
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": heads["q"],
        "llama.attention.head_count_kv": heads["k"],
        "llama.attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "llama.rope.freq_base": config["rope_parameters"]["rope_theta"],
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [3 if token in SPECIAL else 1 for token in TOKENS],
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }
    tensors = {}
    for key, array in weights.items():
        name = key
        for old, new in _GGUF_NAMES:
            name = name.replace(old, new)
        for part, count in heads.items():
            if f"{part}_proj" in key:  # The halves of a head become pairs.
                rows = array.reshape(count, 2, -1, array.shape[-1])
                array = rows.swapaxes(1, 2).reshape(array.shape)
        kind = "float32" if array.ndim == 1 else "float16"
        tensors[name] = np.ascontiguousarray(array, kind)
    path.write_bytes(pack_gguf(tensors, metadata))
    return path
