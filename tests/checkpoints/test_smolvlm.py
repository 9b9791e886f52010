"""Idefics3 and SmolVLM equal those of transformers (stored outputs), from raw images and texts."""

import keras
import numpy as np
import pytest
from checkpoints.smolvlm_cases import (
    CHAT_TEMPLATE,
    LOGIT_STEP,
    TOKENS,
    make_conversations,
    make_images,
    write_smolvlm_folder,
)
from checkpoints.stored_cases import read_case

from keras_mmfusion.checkpoints import load_checkpoint
from keras_mmfusion.models import MultimodalLM, SmolVLMChatTemplate


@pytest.fixture(scope="module", params=["idefics3", "smolvlm"])
def case(request, tmp_path_factory):
    """The folder of a case, its model, and its expected outputs."""
    folder = write_smolvlm_folder(tmp_path_factory.mktemp("folder") / "model", request.param)
    return folder, MultimodalLM.from_preset(folder), read_case(request.param)[2]


def encode(model, conversations):
    samples = [model.preprocessor.encode_chat(messages) for messages in conversations]
    return model.preprocessor.pack(samples)


def compute_logits(model, inputs):
    return keras.ops.convert_to_numpy(keras.ops.cast(model(inputs), "float32"))


def test_token_ids_and_logits_equal_those_of_transformers(case):
    _, model, data = case
    inputs = encode(model, make_conversations())
    np.testing.assert_array_equal(inputs["padding_mask"], data["mask"])
    np.testing.assert_array_equal(inputs["token_ids"][data["mask"]], data["ids"][data["mask"]])
    assert inputs["image_mask"].sum(axis=1).tolist() == [5 + 3, 3, 0]
    mask = data["mask"][:, ::LOGIT_STEP]
    logits = compute_logits(model, inputs)[:, ::LOGIT_STEP][mask]
    np.testing.assert_allclose(logits, data["logits"][mask], atol=1e-5, rtol=1e-5)


def test_generated_tokens_equal_those_of_transformers(case):
    _, model, data = case
    inputs, ids = encode(model, make_conversations()[:1]), []
    length = inputs["token_ids"].shape[1]
    count = data["greedy"].shape[1]
    inputs["token_ids"] = np.pad(inputs["token_ids"], ((0, 0), (0, count)))
    inputs["padding_mask"] = np.pad(inputs["padding_mask"], ((0, 0), (0, count)))
    for index in range(length, length + count):
        ids.append(compute_logits(model, inputs)[0, index - 1].argmax())
        inputs["token_ids"][0, index] = ids[-1]
        inputs["padding_mask"][0, index] = True
    assert ids == data["greedy"][0].tolist()


@pytest.mark.parametrize("case", ["smolvlm"], indirect=True)
def test_presets_restore_the_model(case, tmp_path):
    _, model, _ = case
    model.save_to_preset(tmp_path / "preset")
    restored = MultimodalLM.from_preset(tmp_path / "preset")
    inputs = [encode(each, make_conversations()[:2]) for each in (model, restored)]
    for name, value in inputs[0].items():
        np.testing.assert_array_equal(inputs[1][name], value)
    logits = [compute_logits(each, inputs[0]) for each in (model, restored)]
    np.testing.assert_array_equal(logits[1], logits[0])


@pytest.mark.parametrize("case", ["idefics3"], indirect=True)
def test_images_that_are_not_split_have_one_tile(case, tmp_path):
    folder, _, _ = case
    settings = {"do_image_splitting": False}
    path = write_smolvlm_folder(tmp_path, "idefics3", processor=settings)
    preprocessor = load_checkpoint(path, load_weights=False).preprocessor
    sample = preprocessor.encode_text("<image>", {"image": make_images()[:1]})
    tokens = ["<fake_token_around_image>", "<global-img>", *["<image>"] * 4]
    assert [TOKENS[id] for id in sample.token_ids] == [*tokens, "<fake_token_around_image>"]
    assert len(sample.items["image"]) == 1


@pytest.mark.parametrize("case", ["idefics3"], indirect=True)
def test_answers_are_learned_with_the_space_in_front_of_them(case):
    preprocessor = case[1].preprocessor
    sample = preprocessor.encode_chat(make_conversations()[2][:2], add_generation_prompt=False)
    answer = [
        TOKENS[id] for id, each in zip(sample.token_ids, sample.is_answer, strict=True) if each
    ]
    assert answer == ["Ġhi", "Ġ", "1", "2", "<end_of_utterance>"]


def test_templates_with_videos_are_recognized(tmp_path):
    image = "{% elif line['type'] == 'image' %}{{ '<image>' }}"
    template = CHAT_TEMPLATE.replace(
        image, image + "{% elif line['type'] == 'video' %}{{ '<video>' }}"
    )
    model = load_checkpoint(write_smolvlm_folder(tmp_path, "smolvlm", template), load_weights=False)
    template = model.preprocessor.language_preprocessor.chat_template
    assert isinstance(template, SmolVLMChatTemplate)


@pytest.mark.parametrize(
    "settings, processor, message",
    [
        ({"image_token_id": 3}, {}, "'<image>' .* must have the id `image_token_id`, 3"),
        ({}, {"max_image_size": {"longest_edge": 6}}, "tiles of 6 pixels, but .* `image_size` 12"),
    ],
)
def test_files_that_do_not_match_raise(settings, processor, message, tmp_path):
    folder = write_smolvlm_folder(tmp_path, "smolvlm", processor=processor, **settings)
    with pytest.raises(ValueError, match=message):
        load_checkpoint(folder, load_weights=False)


def test_tiles_without_a_token_raise(tmp_path):
    folder = write_smolvlm_folder(tmp_path, "smolvlm", processor={"size": {"longest_edge": 36}})
    preprocessor = load_checkpoint(folder, load_weights=False).preprocessor
    with pytest.raises(ValueError, match="no token '<row_1_col_3>'.*Use a smaller `longest_edge`"):
        preprocessor.encode_text("<image>", {"image": make_images()[:1]})
