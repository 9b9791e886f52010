"""Language models equal those of transformers (stored outputs), from folders and GGUF files."""

import json

import keras
import keras_hub
import numpy as np
import pytest
from checkpoints.checkpoint_files import pack_safetensors
from checkpoints.language_folders import (
    CHAT_TEMPLATE,
    CONVERSATIONS,
    SPECIAL,
    SYSTEM,
    write_language_folder,
    write_language_gguf,
)
from checkpoints.stored_cases import DATA, read_case
from keras import ops

from keras_mmfusion import zoo
from keras_mmfusion.checkpoints import load_checkpoint, load_language_model
from keras_mmfusion.models import Gpt2LanguageModel, LlamaLanguageModel
from keras_mmfusion.models.presets.preset_folder import save_preset

CLASSES = {"llama": LlamaLanguageModel, "llama3": LlamaLanguageModel, "gpt2": Gpt2LanguageModel}


def compute_logits(model, data):
    inputs = {"token_ids": data["ids"], "padding_mask": data["mask"].astype("int32")}
    return ops.convert_to_numpy(ops.cast(model(inputs), "float32"))[data["mask"]]


def check_logits(model, data, tolerance=1e-5):
    expected = data["logits"][data["mask"]]
    np.testing.assert_allclose(compute_logits(model, data), expected, atol=tolerance, rtol=1e-5)


@pytest.fixture(scope="module", params=CLASSES)
def case(request, tmp_path_factory):
    """The name of a case, its folder, its model and its expected outputs."""
    folder = write_language_folder(tmp_path_factory.mktemp("folder") / "model", request.param)
    return request.param, folder, load_language_model(folder), read_case(request.param)[2]


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    return write_language_gguf(tmp_path_factory.mktemp("gguf") / "model.gguf")


def test_logits_equal_those_of_transformers(case):
    name, _, model, data = case
    assert isinstance(model, CLASSES[name])
    assert model.source == {"name": "model", "license": "apache-2.0"}
    check_logits(model, data)


@pytest.mark.parametrize("case", ["llama", "gpt2"], indirect=True)
def test_generated_tokens_equal_those_of_transformers(case):
    _, _, model, data = case
    model.compile(sampler="greedy", run_eagerly=True)
    preprocessor, model.preprocessor = model.preprocessor, None
    ids = np.pad(data["ids"][:1], ((0, 0), (0, 8)))
    inputs = {"token_ids": ids, "padding_mask": (np.arange(16) < 8)[None]}
    outputs = model.generate(inputs, stop_token_ids=None)
    model.preprocessor = preprocessor
    np.testing.assert_array_equal(ops.convert_to_numpy(outputs["token_ids"]), data["greedy"])


def test_presets_restore_the_model(case, tmp_path):
    name, _, model, data = case
    model.save_to_preset(tmp_path / "preset")
    restored = zoo.language_model(tmp_path / "preset")
    assert isinstance(restored, CLASSES[name])
    assert restored.source == model.source
    np.testing.assert_array_equal(compute_logits(restored, data), compute_logits(model, data))
    assert restored.preprocessor.get_config().keys() == model.preprocessor.get_config().keys()
    ids = [each.preprocessor.tokenize_chat(CONVERSATIONS[0]) for each in (model, restored)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("case", ["llama"], indirect=True)
def test_gguf_files_give_the_same_model(case, gguf):
    _, _, model, data = case
    same = zoo.language_model(gguf)
    assert same.source == {"name": "model.gguf", "license": "apache-2.0"}
    np.testing.assert_array_equal(compute_logits(same, data), compute_logits(model, data))
    tokenizers = [each.preprocessor.tokenizer for each in (model, same)]
    configs = [{**each.get_config(), "name": None} for each in tokenizers]
    assert configs[0] == configs[1]
    assert tokenizers[0].get_vocabulary() == tokenizers[1].get_vocabulary()
    templates = [each.preprocessor.chat_template.get_config() for each in (model, same)]
    assert templates[0] == templates[1]


@pytest.mark.parametrize("case", ["llama"], indirect=True)
def test_chat_ids_equal_those_of_transformers(case):
    preprocessor = case[2].preprocessor
    assert preprocessor.chat_template.default_system == SYSTEM
    expected = json.loads((DATA / "chat_ids.json").read_text("utf-8"))
    assert [preprocessor.tokenize_chat(messages) for messages in CONVERSATIONS] == expected


@pytest.mark.parametrize("case", ["llama"], indirect=True)
def test_prompts_have_no_start_token(case):
    preprocessor = case[2].preprocessor
    inputs = preprocessor.generate_preprocess(["hi"], sequence_length=4)
    end = SPECIAL.index("<|im_end|>")
    ids = [preprocessor.tokenizer.token_to_id("hi"), end, end, end]
    assert ops.convert_to_numpy(inputs["token_ids"]).tolist() == [ids]
    assert ops.convert_to_numpy(inputs["padding_mask"]).tolist() == [[1, 0, 0, 0]]


@pytest.mark.parametrize("case", ["llama", "gpt2"], indirect=True)
@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 0.05), ("int8", 0.05)])
def test_weights_are_loaded_in_a_small_dtype(case, dtype, tolerance):
    _, folder, model, data = case
    small = load_language_model(folder, dtype=dtype)
    dtypes = {keras.backend.standardize_dtype(weight.dtype) for weight in small.weights}
    assert dtype in dtypes
    if dtype == "bfloat16":
        assert dtypes == {"bfloat16"}
    difference = np.abs(compute_logits(small, data) - compute_logits(model, data))
    assert difference.max() < tolerance * np.abs(data["logits"]).max()


def test_untied_logits_have_weights_of_their_own(tmp_path):
    folder = write_language_folder(tmp_path, "llama", tie_word_embeddings=False)
    with pytest.raises(ValueError, match=r"lacks 1 weight: 'lm_head.weight'"):
        load_language_model(folder)
    _, weights, data = read_case("llama")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"] * np.float32(2)
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))
    logits = compute_logits(load_language_model(folder), data)
    np.testing.assert_allclose(logits, 2 * data["logits"][data["mask"]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "case_name, settings, message",
    [
        ("llama", {"hidden_act": "gelu"}, "`hidden_act` of Llama must be silu"),
        ("llama", {"head_dim": 8}, "`head_dim` of Llama must be"),
        ("llama", {"rope_parameters": {"rope_type": "yarn"}}, "must be 'default' or 'llama3'"),
        ("llama", {"vocab_size": 20}, r"has 265 tokens, but the model has `vocab_size` 20"),
        ("gpt2", {"activation_function": "relu"}, "`activation_function` of GPT-2 must be"),
    ],
)
def test_settings_that_are_not_implemented_raise(case_name, settings, message, tmp_path):
    folder = write_language_folder(tmp_path, case_name, **settings)
    with pytest.raises(ValueError, match=message):
        load_checkpoint(folder, load_weights=False)


def test_unsupported_tokenizers_are_left_out_with_a_warning(tmp_path):
    folder = write_language_folder(tmp_path, "llama")
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    content["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": ".+"}}
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    with pytest.warns(UserWarning, match="no preprocessor.*pre-tokenizer.*Split"):
        assert load_checkpoint(folder, load_weights=False).preprocessor is None


def test_the_template_may_be_a_file_of_its_own(tmp_path):
    folder = write_language_folder(tmp_path, "llama")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE.replace(SYSTEM, "Be brief."))
    model = load_checkpoint(folder, load_weights=False)
    assert model.preprocessor.chat_template.default_system == "Be brief."
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    model = load_checkpoint(folder, load_weights=False)
    with pytest.raises(ValueError, match="has no chat template"):
        model.preprocessor.tokenize_chat(CONVERSATIONS[0])


def test_models_of_other_tasks_raise(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    save_preset(model, tmp_path / "preset")
    with pytest.raises(ValueError, match="contains a Sequential, not a CausalLM"):
        zoo.language_model(tmp_path / "preset")


def test_other_model_types_are_loaded_by_keras_hub(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    calls = []
    monkeypatch.setattr(
        keras_hub.models.CausalLM,
        "from_preset",
        lambda path, **options: calls.append((path, options)) or "not a model",
    )
    with pytest.raises(ValueError, match="contains a str, not a language model"):
        load_language_model(tmp_path, dtype="bfloat16")
    assert calls == [(str(tmp_path), {"dtype": "bfloat16"})]
