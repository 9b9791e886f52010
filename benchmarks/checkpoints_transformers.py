"""Peer of checkpoints.py: transformers on PyTorch. The argument is the folder of checkpoints."""

import pathlib
import sys

import numpy as np
import torch
import transformers
from captioner_sizes import THREADS
from parity_assets import write_assets
from parity_cases import CASES
from parity_transformers import set_random_weights
from peer_process import measure_times, seconds, serve
from resident_memory import peak_megabytes, resident_megabytes

FOLDER = pathlib.Path(sys.argv[1])
LOADED = {}
TOKENIZERS = {
    "blip": "BertTokenizer",
    "git": "BertTokenizer",
    "vit_gpt2": "GPT2Tokenizer",
    "clip": "CLIPTokenizer",
}


def write(architecture, size):
    """Writes a checkpoint with random weights."""
    case, folder = CASES[architecture], FOLDER / architecture
    config = getattr(transformers, case.config)(**case.sizes[size])
    model = getattr(transformers, case.model)(config)
    set_random_weights(model, case, size)
    model.tie_weights()
    start, end, pad, _ = case.get_special_tokens(size)
    ids = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    if case.model == "VisionEncoderDecoderModel":
        ids["decoder_start_token_id"] = start
    if case.kind == "captioner":
        model.generation_config.update(**ids)
    model.save_pretrained(folder)
    write_assets(case, size, folder)
    return {"size": size}


def load(architecture, dtype):
    """Loads a model with its tokenizer and image processor."""
    LOADED.clear()
    case, folder = CASES[architecture], FOLDER / architecture
    before = resident_megabytes()
    taken = seconds(lambda: _load(case, folder, dtype))
    model = LOADED["model"]
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return {
        "seconds": taken,
        "megabytes_before": before,
        "peak_megabytes": peak_megabytes(),
        "weights_megabytes": weights / 2**20,
    }


def _load(case, folder, dtype):
    LOADED["case"] = case
    model = getattr(transformers, case.model).from_pretrained(folder, dtype=getattr(torch, dtype))
    LOADED["model"] = model.eval()
    LOADED["processor"] = transformers.AutoImageProcessor.from_pretrained(folder)
    LOADED["tokenizer"] = getattr(transformers, TOKENIZERS[folder.name]).from_pretrained(folder)


def _preprocess(batch_size):
    photos = list(np.load(FOLDER / "photos.npy", mmap_mode="r")[:batch_size])
    pixels = LOADED["processor"](images=photos, return_tensors="pt")["pixel_values"]
    return pixels.to(LOADED["model"].dtype)


@torch.inference_mode()
def encode(batch_size):
    """Returns the CPU time of preprocessing and of the image encoder."""
    pixels, model = [], LOADED["model"]
    preprocessing = measure_times(lambda: pixels.append(_preprocess(batch_size)))
    encoder = {
        "BlipForConditionalGeneration": lambda: model.vision_model,
        "GitForCausalLM": lambda: model.git.image_encoder,
        "VisionEncoderDecoderModel": lambda: model.encoder,
    }[LOADED["case"].model]()
    encoding = measure_times(lambda: encoder(pixels[0]))
    return {"preprocessing": preprocessing["cpu_seconds"], "encoder": encoding["cpu_seconds"]}


@torch.inference_mode()
def generate(batch_size, beams, tokens):
    results = []
    times = measure_times(lambda: results.append(_generate(batch_size, beams, tokens)))
    ids = results[0][:, 1:]
    if tuple(ids.shape) != (batch_size, tokens):
        raise RuntimeError(f"`generate` stopped early: {tuple(ids.shape)}")
    return {**times, "ids": ids.tolist()}


def _generate(batch_size, beams, tokens):
    model, pixels, arguments = LOADED["model"], _preprocess(batch_size), {}
    if model.config.model_type == "git":
        start = model.generation_config.bos_token_id
        arguments["input_ids"] = torch.full((batch_size, 1), start)
    return model.generate(
        pixel_values=pixels,
        num_beams=beams,
        do_sample=False,
        max_new_tokens=tokens,
        min_new_tokens=tokens - 1,
        length_penalty=1.0,
        **arguments,
    )


@torch.inference_mode()
def embed(count, batch_size):
    vectors = []
    taken = seconds(lambda: vectors.extend(_embed(count, batch_size)))
    return {"seconds": taken, "vectors": vectors[0].tolist()}


def _embed(count, batch_size):
    for start in range(0, count, batch_size):
        pixels = _preprocess(min(batch_size, count - start))
        features = LOADED["model"].get_image_features(pixel_values=pixels)
        features = getattr(features, "pooler_output", features)
        yield (features / features.norm(dim=-1, keepdim=True)).numpy()


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(THREADS)
    serve(
        {"torch": torch.__version__, "transformers": transformers.__version__},
        {
            "write": write,
            "load": load,
            "encode": encode,
            "generate": generate,
            "embed": embed,
            "get_memory": peak_megabytes,
        },
    )
