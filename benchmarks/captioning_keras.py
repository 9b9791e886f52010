"""Peer of captioning.py: our search, decoding without caches, and keras_hub's samplers."""

import functools

import keras
import keras_hub
import numpy as np
import tensorflow as tf
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
    UNKNOWN,
    VOCABULARY_SIZE,
)
from keras import ops
from peer_process import seconds, serve

from keras_mmfusion import ImageEncoder, TextDecoder, TransformerCaptioner
from keras_mmfusion.models.captioning.decoding.beam_search import beam_search
from keras_mmfusion.models.captioning.decoding.decoding_settings import (
    DecodingSettings,
    SpecialTokens,
)
from keras_mmfusion.models.captioning.decoding.greedy_search import greedy_search
from keras_mmfusion.models.captioning.decoding.step_functions import build_uncached_step
from keras_mmfusion.models.compiled_function import compile_function

SPECIAL = SpecialTokens(START, END, PAD, (UNKNOWN,))


class UncachedCaptioner(TransformerCaptioner):
    """Decodes the whole caption prefix for each token; compiled like our search."""

    def _build_step(self, image_tokens, length, hypotheses):
        return build_uncached_step(self, image_tokens), ()


@functools.cache
def models():
    keras.utils.set_random_seed(0)
    encoder = ImageEncoder("lite2", image_size=IMAGE_SIZE, trainable=False)
    decoder = TextDecoder(
        VOCABULARY_SIZE,
        dim=DIM,
        num_layers=LAYERS,
        num_heads=HEADS,
        mlp_dim=MLP_DIM,
        sequence_length=LENGTH,
        cross_attention=True,
    )
    cached = TransformerCaptioner(encoder, decoder)
    # Larger weights than the initial ones, so that captions differ between images.
    embeddings = decoder.embedding.token_embedding.embeddings
    embeddings.assign(5 * embeddings)
    return {"ours": cached, "without_caches": UncachedCaptioner(encoder, decoder)}


@functools.cache
def inputs(batch_size, from_images):
    """Returns normalized images, or non-negative image tokens like those after ReLU6."""
    rng = np.random.default_rng(0)
    if from_images:
        shape = (batch_size, IMAGE_SIZE, IMAGE_SIZE, 3)
        return tf.constant(rng.uniform(-1, 1, shape), "float32")
    shape = (batch_size, IMAGE_TOKENS, IMAGE_DIM)
    return tf.constant(np.clip(rng.normal(size=shape), 0, 6), "float32")


@functools.cache
def keras_hub_search(beams):
    """Creates a search with a keras_hub sampler, our decoder's cached step and separate caches."""
    model = models()["ours"]
    decoder = model.text_decoder
    sampler = keras_hub.samplers.GreedySampler()
    if beams > 1:
        sampler = keras_hub.samplers.BeamSampler(num_beams=beams)
    times = ops.arange(LENGTH)

    def search(tokens):
        context = decoder.project_context(ops.repeat(tokens, beams, axis=0))

        def step(prompt, cache, index):
            newest = index - 1
            ids = ops.slice(prompt, (0, newest), (ops.shape(prompt)[0], 1))
            logits, cache = decoder.step(
                decoder.embedding(ids, start_index=newest),
                cache,
                slot_mask=ops.reshape(times <= newest, (1, 1, LENGTH)),
                write_mask=ops.reshape(ops.equal(times, newest), (1, 1, LENGTH, 1, 1)),
                context=context,
            )
            return ops.squeeze(logits, 1), None, cache

        batch_size = ops.shape(tokens)[0]
        prompt = ops.full((batch_size, LENGTH + 1), START, dtype="int32")
        cache = decoder.empty_cache(batch_size, LENGTH, 1)
        return sampler(step, prompt, cache, index=1)

    return compile_function(model, search, jit_compile=True)


def search(peer, batch_size, beams, from_images, min_length=LENGTH - 1):
    """Returns token ids `(batch, hypotheses, length)`."""
    images = inputs(batch_size, from_images)
    if peer == "keras_example":
        return keras_example_search(images, beams, from_images, min_length)
    if peer == "keras_hub_sampler":
        tokens = encoder_function(models()["ours"])(images) if from_images else images
        return keras_hub_search(beams)(tokens).numpy()[:, None, 1:]
    settings = DecodingSettings(max_length=LENGTH, min_length=min_length, beams=beams)
    return models()[peer].generate_tokens(images, settings, SPECIAL)[0]


def keras_example_search(images, beams, from_images, min_length):
    """Searches as in Keras's captioning example: a Python loop with eager calls of the decoder."""
    model = models()["ours"]
    tokens = encoder_function(model)(images) if from_images else images
    settings = DecodingSettings(max_length=LENGTH, min_length=min_length, beams=beams)
    search = greedy_search if beams == 1 else beam_search
    return search(build_uncached_step(model, tokens), (), len(images), settings, SPECIAL)[0].numpy()


def time_search(**cell):
    """Returns the seconds of a search in which every hypothesis has full length."""
    return seconds(lambda: search(**cell))


def same_captions(batch_size, beams):
    """Returns whether the search with caches gives the same tokens, including short captions."""
    return all(
        np.array_equal(
            search("ours", batch_size, beams, True, length),
            search(peer, batch_size, beams, True, length),
        )
        for peer in ("without_caches", "keras_example")
        for length in (1, LENGTH - 1)
    )


def time_encoder(batch_size):
    model = models()["ours"]
    images = inputs(batch_size, True)
    encode = encoder_function(model)
    return seconds(lambda: encode(images).numpy())


@functools.cache
def encoder_function(model):
    return compile_function(model, lambda images: model.encode(images, training=False))


if __name__ == "__main__":
    names = {"keras": keras, "keras_hub": keras_hub, "tensorflow": tf}
    serve(
        {name: module.__version__ for name, module in names.items()},
        {
            "time_search": time_search,
            "time_encoder": time_encoder,
            "same_captions": same_captions,
        },
    )
