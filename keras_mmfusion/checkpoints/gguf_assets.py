"""A GGUF file as the configuration, tokenizer and weights of a checkpoint of transformers."""

import pathlib
import re
from collections.abc import Mapping

import numpy as np

from keras_mmfusion.checkpoints.checkpoint_assets import CONFIG, CheckpointAssets
from keras_mmfusion.checkpoints.gguf_file import GgufFile

_TOKENIZER = "tokenizer.ggml"
_CONTROL, _USER_DEFINED = 3, 4
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False}
_DIGITS = {"type": "Digits", "individual_digits": True}
# Name in the metadata -> the pre-tokenizer of tokenizer.json.
_PRE_TOKENIZERS = {
    "gpt-2": _BYTE_LEVEL,
    "smollm": {"type": "Sequence", "pretokenizers": [_DIGITS, _BYTE_LEVEL]},
}
# Name of a tensor -> name in a checkpoint of transformers.
_RENAMES = (
    (r"^token_embd\.", "model.embed_tokens."),
    (r"^output_norm\.", "model.norm."),
    (r"^output\.", "lm_head."),
    (r"^blk\.(\d+)\.", r"model.layers.\1."),
    (r"\.attn_(q|k|v)\.", r".self_attn.\1_proj."),
    (r"\.attn_output\.", ".self_attn.o_proj."),
    (r"\.attn_norm\.", ".input_layernorm."),
    (r"\.ffn_norm\.", ".post_attention_layernorm."),
    (r"\.ffn_(gate|up|down)\.", r".mlp.\1_proj."),
)


def is_gguf(path):
    """Returns whether a path is that of a GGUF file, by its suffix."""
    return pathlib.Path(path).suffix.lower() == ".gguf"


class GgufAssets(CheckpointAssets):
    """A Llama in a GGUF file, presented as the files of a checkpoint of transformers.

    Args:
        path: string or path.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is damaged, or its architecture or tensor types are not supported.
    """

    def __init__(self, path):
        super().__init__(path)
        self._file = GgufFile(path)
        self._contents = {
            CONFIG: self._make_config(),
            "tokenizer.json": self._make_tokenizer(),
            "tokenizer_config.json": self._make_tokenizer_config(),
        }

    def get_path(self, *names):
        return next((self.folder / name for name in names if name in self._contents), None)

    def read_json(self, name):
        return self._contents.get(name, {})

    def open_weights(self):
        heads = {"q": "num_attention_heads", "k": "num_key_value_heads"}
        return _LlamaTensors(self._file, {key: self.config[name] for key, name in heads.items()})

    def describe_source(self):
        source = {"name": self.folder.name}
        license_name = self._file.metadata.get("general.license")
        return {**source, "license": license_name} if license_name else source

    def _require(self, name):
        if name not in self._file.metadata:
            raise ValueError(f"{str(self.folder)!r} must have the metadata {name!r}.")
        return self._file.metadata[name]

    def _make_config(self):
        architecture = self._require("general.architecture")
        if architecture != "llama":
            raise ValueError(
                f"{str(self.folder)!r} has the architecture {architecture!r}; of GGUF files, only "
                "'llama' is supported. Load other architectures from a checkpoint of transformers."
            )
        metadata = self._file.metadata
        if metadata.get("llama.rope.scaling.type", "none") != "none":
            raise ValueError(
                f"{str(self.folder)!r} scales rotary embeddings "
                f"({metadata['llama.rope.scaling.type']!r}), which is not supported for GGUF files."
            )
        heads = self._require("llama.attention.head_count")
        dim = self._require("llama.embedding_length")
        return {
            "model_type": "llama",
            "vocab_size": self._file.shapes.get("token_embd.weight", (0,))[0],
            "hidden_size": dim,
            "intermediate_size": self._require("llama.feed_forward_length"),
            "num_hidden_layers": self._require("llama.block_count"),
            "num_attention_heads": heads,
            "num_key_value_heads": metadata.get("llama.attention.head_count_kv", heads),
            "head_dim": metadata.get("llama.attention.key_length", dim // heads),
            # The shortest decimal of the float32, such as 1e-05.
            "rms_norm_eps": float(
                str(np.float32(self._require("llama.attention.layer_norm_rms_epsilon")))
            ),
            "rope_theta": metadata.get("llama.rope.freq_base", 10000.0),
            "max_position_embeddings": self._require("llama.context_length"),
            "tie_word_embeddings": "output.weight" not in self._file,
        }

    def _make_tokenizer(self):
        metadata = self._file.metadata
        tokens = metadata.get(f"{_TOKENIZER}.tokens", [])
        types = metadata.get(f"{_TOKENIZER}.token_type", [1] * len(tokens))
        kind, steps = metadata.get(f"{_TOKENIZER}.model"), metadata.get(f"{_TOKENIZER}.pre")
        processor = None
        if metadata.get(f"{_TOKENIZER}.add_bos_token"):
            processor = {"type": "TemplateProcessing", "single": [{"SpecialToken": {}}]}
        return {
            "model": {
                "type": "BPE" if kind == "gpt2" else kind,
                "vocab": {token: index for index, token in enumerate(tokens)},
                "merges": metadata.get(f"{_TOKENIZER}.merges", []),
            },
            "added_tokens": [
                {"content": token, "id": index}
                for index, (token, type_) in enumerate(zip(tokens, types, strict=True))
                if type_ in (_CONTROL, _USER_DEFINED)
            ],
            "pre_tokenizer": _PRE_TOKENIZERS.get(steps, {"type": steps}),
            "post_processor": processor,
        }

    def _make_tokenizer_config(self):
        metadata = self._file.metadata
        tokens = metadata.get(f"{_TOKENIZER}.tokens", [])
        names = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
        ids = {key: metadata.get(f"{_TOKENIZER}.{name}_token_id") for key, name in names.items()}
        config = {f"{key}_token": tokens[id] for key, id in ids.items() if id in range(len(tokens))}
        return {**config, "chat_template": metadata.get("tokenizer.chat_template")}


class _LlamaTensors(Mapping):
    """The tensors of a Llama by their names in a checkpoint of transformers.

    Args:
        file: `GgufFile`.
        num_heads: dict of the number of heads of the query, `"q"`, and of the key, `"k"`, whose
            rows are ordered for another form of rotary embedding.
    """

    def __init__(self, file, num_heads):
        self._file = file
        self._num_heads = num_heads
        self._names = {_rename(name): name for name in file}
        self.shapes = {name: file.shapes[source] for name, source in self._names.items()}

    def __getitem__(self, name):
        source = self._names[name]
        array = self._file[source]
        if match := re.search(r"\.attn_(q|k)\.weight$", source):
            array = _order_halves(array, self._num_heads[match[1]])
        return array

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)


def _rename(name):
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _order_halves(array, num_heads):
    """Orders the rows of each head from pairs to halves, as the checkpoints of transformers."""
    pairs = array.reshape(num_heads, -1, 2, array.shape[-1])
    return pairs.swapaxes(1, 2).reshape(array.shape)
