"""Texts and conversations with items as token ids."""

import keras
import numpy as np
import pytest
from models.language.small_language_models import IMAGE_ID, VOCABULARY, small_preprocessor

from keras_mmfusion.encoders import PillowImageConverter
from keras_mmfusion.models import LanguagePreprocessor, MultimodalPreprocessor

TABLE_ID = len(VOCABULARY)
IMAGE = np.full((6, 8, 3), 128, "uint8")


@pytest.fixture(scope="module")
def preprocessor():
    converter = PillowImageConverter((4, 4), scale=1 / 255)
    return MultimodalPreprocessor(
        small_preprocessor(sequence_length=12), {"image": 3, "table": 1}, {"image": converter}
    )


def split(text):
    return small_preprocessor().tokenizer(text)


def test_markers_become_placeholders_in_their_order(preprocessor):
    items = {"image": [IMAGE, IMAGE], "table": [[1.0, 2.0]]}
    sample = preprocessor.encode_text("a<image>b<table><image>", items)
    image = [IMAGE_ID] * 3  # The marker is a token of the vocabulary.
    assert sample.token_ids == [*split("a"), *image, *split("b"), TABLE_ID, *image]
    assert sample.is_answer == [True, *[False] * 3, True, *[False] * 4]
    assert [array.shape for array in sample.items["image"]] == [(4, 4, 3)] * 2
    np.testing.assert_allclose(sample.items["image"][0], 128 / 255, rtol=1e-6)
    np.testing.assert_array_equal(sample.items["table"], [[1.0, 2.0]])


def test_conversations_have_items_as_parts(preprocessor):
    parts = [{"type": "table", "table": [1.0]}, {"type": "text", "text": "<image>?"}]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "ok"}]
    sample = preprocessor.encode_chat(messages, add_generation_prompt=False)
    text = "<|im_start|>user\n", "<image>?", "<|im_end|>\n<|im_start|>assistant\n", "ok<|im_end|>"
    plain = split(text[1])
    assert IMAGE_ID not in plain
    ids = [*split(text[0]), TABLE_ID, *plain, *split(text[2]), *split(text[3] + "\n")]
    assert sample.token_ids == ids
    learned = np.array(ids)[np.array(sample.is_answer)]
    assert learned.tolist() == split(text[3])
    assert list(sample.items) == ["table"]


def test_batches_of_fit_have_shifted_targets_and_weights_of_the_responses(preprocessor):
    data = {
        "prompts": ["<table>a", "b"],
        "responses": ["cd", ""],
        "table": [[[1.0, 2.0]], []],
        "image": [None, None],
    }
    inputs, targets, weights = preprocessor(data)
    a, b, c, d = split("abcd")
    end = preprocessor.tokenizer.end_token_id
    assert inputs["token_ids"].tolist() == [[TABLE_ID, a, c, d], [b, end, end, end]]
    assert targets.tolist() == [[a, c, d, end], [end] * 4]
    assert weights.tolist() == [[0, 1, 1, 1], [1, 0, 0, 0]]
    assert inputs["padding_mask"].tolist() == [[True] * 4, [True, True, False, False]]
    assert inputs["table"].tolist() == [[[1.0, 2.0]], [[0.0, 0.0]]]
    assert inputs["table_mask"].tolist() == [[True], [False]]
    assert "image" not in inputs
    single = {"prompts": "<table>a", "responses": "cd", "table": [[1.0, 2.0]]}
    np.testing.assert_array_equal(preprocessor(single)[1], targets[:1])


def test_long_texts_are_truncated_but_not_their_items(preprocessor):
    inputs, _, _ = preprocessor({"prompts": ["a" * 20]})
    assert inputs["token_ids"].shape == (1, 12)
    with pytest.raises(ValueError, match="truncating it to 13 would remove tokens of an item"):
        preprocessor({"prompts": ["a" * 11 + "<image>"], "image": [[IMAGE]]})


def test_the_config_restores_all_parts(preprocessor):
    restored = keras.layers.deserialize(keras.layers.serialize(preprocessor))
    assert restored.num_tokens == preprocessor.num_tokens
    assert restored.markers == {"image": "<image>", "table": "<table>"}
    assert restored.converters["image"].image_size == (4, 4)
    assert restored.sequence_length == 12
    assert isinstance(restored.language_preprocessor, LanguagePreprocessor)


@pytest.mark.parametrize(
    "data, message",
    [
        ({"prompts": "<image>"}, "Received 1 markers and 0 items"),
        ({"prompts": "a", "image": [IMAGE]}, "Received 0 markers and 1 items"),
        ({"prompts": "a", "audio": [IMAGE]}, "'audio' is unknown.*'image', 'table'"),
        ({"prompts": ["a"], "image": [[], []]}, "`image` must have an entry for each of 1 prompts"),
        ({"prompts": ["a"], "responses": [1]}, "`responses` must be strings"),
        ({"prompts": [None]}, "`prompts` must be strings"),
        (
            {"prompts": ["<table><table>"], "table": [[[1.0], [1.0, 2.0]]]},
            r"items of modality 'table' must have one shape. Received shapes: \[\(1,\), \(2,\)\]",
        ),
    ],
)
def test_invalid_data_raises(preprocessor, data, message):
    with pytest.raises(ValueError, match=message):
        preprocessor(data)


def test_invalid_messages_raise(preprocessor):
    def encode(part):
        preprocessor.encode_chat([{"role": "user", "content": [part]}])

    with pytest.raises(ValueError, match="'audio' is unknown"):
        encode({"type": "audio", "audio": 1})
    with pytest.raises(ValueError, match="must have an entry 'image', the item"):
        encode({"type": "image"})
    without_template = LanguagePreprocessor(preprocessor.tokenizer)
    with pytest.raises(ValueError, match="has no chat template"):
        MultimodalPreprocessor(without_template, {"image": 1}).encode_chat([])
    with pytest.raises(ValueError, match="`language_preprocessor` must be a `LanguagePre"):
        MultimodalPreprocessor(preprocessor.tokenizer, {"image": 1})
    with pytest.raises(ValueError, match="'audio' is unknown"):
        MultimodalPreprocessor(small_preprocessor(), {"image": 1}, markers={"audio": "<a>"})
