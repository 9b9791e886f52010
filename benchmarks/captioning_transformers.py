"""Peer of captioning.py: `generate` of Hugging Face transformers on PyTorch, of the same size.

A VisionEncoderDecoderModel of EfficientNet-Lite2 and MBart's decoder, which is a pre-norm
Transformer with tied embeddings like ours.
"""

import functools

import torch
import transformers
from captioner_sizes import (
    DIM,
    END,
    HEADS,
    IMAGE_DIM,
    IMAGE_SIZE,
    IMAGE_TOKENS,
    LAYERS,
    LENGTH,
    MLP_DIM,
    PAD,
    START,
    THREADS,
    VOCABULARY_SIZE,
)
from efficientnet_lite_pytorch import EfficientNet
from peer_process import seconds, serve
from transformers.modeling_outputs import BaseModelOutput


class EncoderConfig(transformers.PretrainedConfig):
    model_type = "efficientnet_lite"
    hidden_size = IMAGE_DIM


class Encoder(transformers.PreTrainedModel):
    config_class = EncoderConfig
    base_model_prefix = "encoder"
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__(config)
        self.network = EfficientNet.from_name("efficientnet-lite2")
        self.post_init()

    def _init_weights(self, module):
        pass  # The network initializes itself.

    def forward(self, pixel_values, **kwargs):
        features = self.network.extract_features(pixel_values)
        return BaseModelOutput(last_hidden_state=features.flatten(2).transpose(1, 2))


@functools.cache
def model():
    torch.manual_seed(0)
    decoder = transformers.MBartForCausalLM(
        transformers.MBartConfig(
            vocab_size=VOCABULARY_SIZE,
            d_model=DIM,
            decoder_layers=LAYERS,
            decoder_attention_heads=HEADS,
            decoder_ffn_dim=MLP_DIM,
            max_position_embeddings=LENGTH + 2,
            is_decoder=True,
            is_encoder_decoder=False,
            add_cross_attention=True,
            tie_word_embeddings=True,
            bos_token_id=START,
            eos_token_id=END,
            pad_token_id=PAD,
            forced_eos_token_id=None,
        )
    )
    captioner = transformers.VisionEncoderDecoderModel(
        encoder=Encoder(EncoderConfig()), decoder=decoder
    )
    captioner.generation_config = transformers.GenerationConfig(
        decoder_start_token_id=START,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=PAD,
        min_new_tokens=LENGTH,
        max_new_tokens=LENGTH,
        length_penalty=0.7,
    )
    return captioner.eval()


@functools.cache
def inputs(batch_size, from_images):
    torch.manual_seed(0)
    if from_images:
        images = torch.rand(batch_size, 3, IMAGE_SIZE, IMAGE_SIZE) * 2 - 1
        return {"pixel_values": images}
    tokens = torch.randn(batch_size, IMAGE_TOKENS, IMAGE_DIM).clamp(0, 6)
    return {"image_tokens": tokens}


@torch.inference_mode()
def time_search(batch_size, beams, from_images):
    """Returns the seconds of a `generate` call that generates all tokens."""
    arguments = dict(inputs(batch_size, from_images))
    if not from_images:
        # A new object for each call: `generate` repeats the tokens for every beam in place.
        tokens = arguments.pop("image_tokens")
        arguments["encoder_outputs"] = BaseModelOutput(last_hidden_state=tokens)
    results = []
    taken = seconds(lambda: results.append(model().generate(**arguments, num_beams=beams)))
    if tuple(results[0].shape) != (batch_size, LENGTH + 1):
        raise RuntimeError(f"`generate` stopped early: {tuple(results[0].shape)}")
    return taken


@torch.inference_mode()
def time_encoder(batch_size):
    images = inputs(batch_size, True)["pixel_values"]
    return seconds(lambda: model().encoder(images))


# VisionEncoderDecoderModel creates its parts from their registered configs.
transformers.AutoConfig.register("efficientnet_lite", EncoderConfig)
transformers.AutoModel.register(EncoderConfig, Encoder)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(THREADS)
    serve(
        {"torch": torch.__version__, "transformers": transformers.__version__},
        {"time_search": time_search, "time_encoder": time_encoder},
    )
