"""Texts that multimodal language models generate."""

import keras
import numpy as np
import pytest
from models.language.small_language_models import small_gpt2, small_llama, small_preprocessor

from keras_mmfusion.models import MultimodalLM, MultimodalPreprocessor
from keras_mmfusion.models.language import GeneratedText

RNG = np.random.default_rng(1)
TABLES = RNG.normal(size=(3, 5)).astype("float32")
PROMPTS = {
    "prompts": ["<table>one", "a <table> longer <table>", "text"],
    "table": [TABLES[:1], TABLES[1:], []],
}


def make_model(backbone, fusion):
    table = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    preprocessor = MultimodalPreprocessor(small_preprocessor(100), {"table": 1})
    connectors = {"table": keras.layers.Dense(16)}
    model = MultimodalLM(
        backbone, {"table": table}, connectors, preprocessor, fusion=fusion, cross_every=1
    )
    for block in model.cross_blocks.values():
        block.attention_gate.assign(0.9)
        block.mlp_gate.assign(0.4)
    return model


@pytest.fixture(scope="module")
def model():
    return make_model(small_llama(), "prefix")


def compute_log_probs(model, sample, new_ids):
    """Computes log-probabilities of all tokens after each of the new ids, without a cache."""
    inputs = model.preprocessor.pack([sample])
    ids = np.concatenate([inputs["token_ids"], np.array([new_ids], "int32").reshape(1, -1)], 1)
    inputs |= {"token_ids": ids, "padding_mask": np.ones(ids.shape, bool)}
    logits = keras.ops.convert_to_numpy(keras.ops.cast(model(inputs), "float32"))
    logits = logits[0, len(sample) - 1 :].astype("float64")
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("case", ["llama", "gpt2"])
def test_cached_decoding_of_different_prompts_equals_uncached_decoding(case, model):
    """The most probable tokens of the uncached model, and their log-probabilities."""
    if case == "gpt2":
        model = make_model(small_gpt2(), "gated_cross_attention")
    texts = model.generate(PROMPTS, max_length=5, details=True)
    for sample, text in zip(model.preprocessor.encode_batch(PROMPTS), texts, strict=True):
        assert isinstance(text, GeneratedText)
        tokenizer = model.preprocessor.tokenizer
        ids = [tokenizer.token_to_id(token) for token in text.tokens]
        log_probs = compute_log_probs(model, sample, ids[:-1])
        log_probs[0, tokenizer.end_token_id] = -np.inf  # A text has at least one token.
        log_probs[:, 3] = -np.inf  # The marker of an image is no placeholder of this model.
        expected = [each[id] for each, id in zip(log_probs, ids, strict=True)]
        np.testing.assert_allclose(text.token_log_probs, expected, atol=1e-4)
        assert ids == log_probs.argmax(axis=-1).tolist()
        assert text.score == pytest.approx(sum(expected) / len(ids) ** 0.7, abs=1e-4)


def test_scores_of_beams_are_those_of_their_tokens(model):
    """The cache follows hypotheses that continue others."""
    texts = model.generate(
        PROMPTS, max_length=5, beams=3, hypotheses=3, length_penalty=0.0, details=True
    )
    for row in texts:
        scores = [text.score for text in row]
        assert scores == sorted(scores, reverse=True)
        for text in row:
            assert text.score == pytest.approx(text.token_log_probs.sum(), abs=1e-4)


def test_streams_equal_generated_texts(model):
    settings = {"max_length": 6, "sample": True, "top_k": 50, "top_p": 0.99, "temperature": 0.9}
    prompt = {"prompts": "a<table>", "table": TABLES[:1]}
    text = model.generate(prompt, seed=3, **settings)
    assert text == model.generate(prompt, seed=3, **settings)
    pieces = list(model.stream(prompt, seed=3, **settings))
    assert all(pieces) and "".join(pieces) == text
    stop = text[2:4]
    assert "".join(model.stream(prompt, seed=3, stop=stop, **settings)) == text[: text.index(stop)]
    assert model.generate(prompt, seed=3, stop=[stop], **settings) == text[: text.index(stop)]
    assert text != model.generate(prompt, seed=4, **settings)


def test_streams_end_with_the_token_that_completes_a_stop_string(model, monkeypatch):
    settings = {"max_length": 6, "min_length": 5}
    text = model.generate("aaaa", **settings)
    numbers = iter(range(100))
    compile_step = model._generator._compile

    def count_steps(function):
        run = compile_step(function)

        def step(*arrays):
            next(numbers)
            return run(*arrays)

        return step

    monkeypatch.setattr(model._generator, "_compile", count_steps)
    assert "".join(model.stream("aaaa", stop=text[0], **settings)) == ""
    assert next(numbers) == 2  # The prompt, and one token.


def test_choices_are_scored_with_their_end(model):
    choices = ("yes", "no", "none")
    scores = model.score_choices(PROMPTS, choices)
    tokenizer = model.preprocessor.tokenizer
    for sample, row in zip(model.preprocessor.encode_batch(PROMPTS), scores, strict=True):
        for choice, score in zip(choices, row, strict=True):
            ids = [*tokenizer(choice), tokenizer.end_token_id]
            log_probs = compute_log_probs(model, sample, ids[:-1])
            expected = sum(each[id] for each, id in zip(log_probs, ids, strict=True))
            assert score == pytest.approx(expected, abs=1e-3)
    best = [choices[index] for index in scores.argmax(axis=1)]
    assert model.generate(PROMPTS, choices=choices) == best


def test_settings_are_respected(model):
    text = model.generate("aaaa", max_length=40, min_length=39, no_repeat_ngram=1, details=True)
    assert len(text.tokens) >= 39
    assert len(set(text.tokens)) == len(text.tokens)


@pytest.mark.skipif(keras.config.backend() == "torch", reason="PyTorch runs eagerly")
def test_functions_are_compiled_once_for_each_shape(model, monkeypatch):
    model.reset_compiled_functions()
    traces, embed = [], model.embed
    monkeypatch.setattr(
        model, "embed", lambda *args, **kwargs: traces.append(1) or embed(*args, **kwargs)
    )
    for prompt in ("a", "other", "twelve words"):
        model.generate(prompt, max_length=4)
    assert len(traces) == 1
    messages = [{"role": "user", "content": "Hi"}]
    model.chat(messages, max_length=4)
    assert len(traces) == 2  # Of another length.
    messages += [{"role": "assistant", "content": "ab"}]
    model.chat([*messages[:1]], max_length=4)
    model.generate("a", max_length=4)
    assert len(traces) == 2


@pytest.mark.xla
def test_search_with_xla(model):
    sample, ids = model.preprocessor.encode_text("abc"), []
    for _ in range(3):
        log_probs = compute_log_probs(model, sample, ids)[-1]
        log_probs[[model.preprocessor.tokenizer.end_token_id, 3][bool(ids) :]] = -np.inf
        ids.append(int(log_probs.argmax()))
    assert model.generate("abc", max_length=3) == model._generator.decode(ids)


def test_conversations_are_prompts(model):
    parts = [{"type": "table", "table": TABLES[0]}, {"type": "text", "text": "?"}]
    messages = [{"role": "user", "content": parts}]
    prompt = "<|im_start|>user\n<table>?<|im_end|>\n<|im_start|>assistant\n"
    expected = model.generate({"prompts": prompt, "table": TABLES[:1]}, max_length=4)
    assert model.chat(messages, max_length=4) == expected
    assert model.chat([messages, messages], max_length=4) == [expected] * 2
    assert "".join(model.stream(messages, max_length=4)) == expected


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"inputs": ""}, "prompt 0 is empty"),
        ({"inputs": "a" * 99}, "The prompt 0 has 99 tokens, and with 64 new ones it exceeds"),
        ({"hypotheses": 2}, "`hypotheses` must be at most `beams`"),
        ({"stop": [""]}, "`stop` must be strings that are not empty"),
        ({"seed": -1}, "`seed` must be an integer of at least 0"),
        ({"choices": ["yes"]}, "`choices` must be at least two strings"),
        ({"choices": ["yes", "no"], "details": True}, "cannot be combined with `choices`"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"temperature": 0}, "`temperature` must be a number"),
    ],
)
def test_invalid_settings_raise(model, settings, message):
    with pytest.raises(ValueError, match=message):
        model.generate(**{"inputs": "a", **settings})


def test_models_without_a_preprocessor_raise():
    model = MultimodalLM(small_llama(1), connectors={"table": keras.layers.Dense(16)})
    with pytest.raises(ValueError, match="`generate` requires a preprocessor"):
        model.generate("a")
    with pytest.raises(ValueError, match="`chat` requires a preprocessor"):
        model.chat([{"role": "user", "content": "a"}])
