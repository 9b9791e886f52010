"""Batches of dialogues with weights of the answers, and fine-tuning with them."""

import keras
import numpy as np
import pytest
from models.language.small_language_models import small_llama, small_preprocessor

from keras_mmfusion.models import (
    ChatTemplate,
    DialogueSequence,
    LlamaLanguageModel,
    MultimodalPreprocessor,
)
from keras_mmfusion.models.language import LanguageModelRecipe, train_language_model


def make_preprocessor(sequence_length=64):
    preprocessor = small_preprocessor()
    preprocessor.chat_template = ChatTemplate("{role}:", "\n", "")
    preprocessor.sequence_length = sequence_length
    return preprocessor


def make_dialogue(question, *answers):
    messages = []
    for answer in answers:
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer})
    return messages


def decode(preprocessor, ids, mask):
    return preprocessor.tokenizer.detokenize(ids[mask].tolist())


def decode_answers(preprocessor, targets, weights):
    return [
        decode(preprocessor, row, each == 1) for row, each in zip(targets, weights, strict=True)
    ]


def count_tokens(sequence):
    """The number of tokens of each sequence of each batch."""
    return [sequence[i][0]["padding_mask"].sum(axis=1).tolist() for i in range(len(sequence))]


DIALOGUES = [
    make_dialogue("one", "1"),
    make_dialogue("two or three?", "2", "3"),
    make_dialogue("f", "four"),
]


def test_only_answers_have_weights():
    preprocessor = make_preprocessor()
    sequence = DialogueSequence(DIALOGUES, preprocessor, shuffle=False, pad_to_multiple_of=16)
    inputs, targets, weights = sequence[0]
    assert targets.shape == weights.shape == inputs["token_ids"].shape == (3, 64)
    assert decode_answers(preprocessor, targets, weights) == ["1\n", "2\n3\n", "four\n"]
    np.testing.assert_array_equal(inputs["token_ids"][:, 1:], targets[:, :-1])
    text = decode(preprocessor, inputs["token_ids"][0], inputs["padding_mask"][0])
    assert text == "user:one\nassistant:1\n"


def test_batches_have_similar_lengths_and_depend_on_seed_and_epoch():
    dialogues = [make_dialogue("q" * length, "a") for length in range(1, 41)]
    sequence = DialogueSequence(dialogues, make_preprocessor(), 4, pad_to_multiple_of=1, seed=3)
    assert len(sequence) == 10
    counts = count_tokens(sequence)
    assert all(max(each) - min(each) == 2 for each in counts)  # The longest lacks its last token.
    same = DialogueSequence(dialogues, make_preprocessor(), 4, pad_to_multiple_of=1, seed=3)
    assert count_tokens(same) == counts
    sequence.on_epoch_end()
    assert count_tokens(sequence) != counts


def test_packed_sequences_contain_all_dialogues():
    preprocessor = make_preprocessor()
    sequence = DialogueSequence(DIALOGUES, preprocessor, pack=True, shuffle=False)
    _, targets, weights = sequence[0]
    assert decode_answers(preprocessor, targets, weights) == ["1\nfour\n", "2\n3\n"]


def test_items_are_read_for_each_batch():
    preprocessor = MultimodalPreprocessor(make_preprocessor(), {"table": 2})
    question = [{"type": "table", "table": [0.5, 2.0]}, {"type": "text", "text": "?"}]
    dialogues = [make_dialogue(question, "a"), make_dialogue("b", "c")]
    inputs, targets, weights = DialogueSequence(dialogues, preprocessor, shuffle=False)[0]
    np.testing.assert_array_equal(inputs["table_mask"], [[True], [False]])
    np.testing.assert_array_equal(inputs["table"][0, 0], [0.5, 2.0])
    assert (inputs["token_ids"][0] == preprocessor.placeholders["table"]).sum() == 2
    packed, _, _ = DialogueSequence(dialogues, preprocessor, pack=True)[0]
    assert packed["table"].shape == (1, 1, 2)


def test_dialogues_without_an_answer_in_the_sequence_are_dropped():
    dialogues = [*DIALOGUES, make_dialogue("q" * 100, "a")]
    with pytest.warns(UserWarning, match=r"1 of 4 dialogues have no answer .* 64 tokens.*\[3\]"):
        assert len(DialogueSequence(dialogues, make_preprocessor(), 1)) == 3
    with pytest.raises(ValueError, match="1 of 1 dialogues have no answer"):
        DialogueSequence(dialogues[3:], make_preprocessor())


def test_invalid_dialogues_raise():
    with pytest.raises(ValueError, match=r"`dialogues\[1\]` is invalid: .*`role`"):
        DialogueSequence([DIALOGUES[0], [{"role": "tool"}]], make_preprocessor())
    image = make_dialogue([{"type": "image", "image": "a.jpg"}], "a")
    with pytest.raises(ValueError, match=r"`dialogues\[0\]` is invalid: Modality 'image'"):
        DialogueSequence([image], make_preprocessor())
    with pytest.raises(ValueError, match="`batch_size`"):
        DialogueSequence(DIALOGUES, make_preprocessor(), batch_size=0)
    with pytest.raises(IndexError, match="from 0 to 0"):
        DialogueSequence(DIALOGUES, make_preprocessor())[1]


def test_language_models_learn_the_answers(eager_fit):
    preprocessor = make_preprocessor()
    model = LlamaLanguageModel(small_llama(1), preprocessor)
    sequence = DialogueSequence(DIALOGUES, preprocessor, 4, pad_to_multiple_of=16)
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        weighted_metrics=["accuracy"],
    )
    model.fit(sequence, epochs=15, shuffle=False, verbose=0, callbacks=[sequence.epoch_callback()])
    assert model.evaluate(sequence, verbose=0, return_dict=True)["accuracy"] > 0.9


def test_training_that_diverged_raises_and_writes_nothing(eager_fit, tmp_path):
    model = LlamaLanguageModel(small_llama(1), make_preprocessor())
    model.backbone.token_embedding.embeddings.assign(
        np.full(model.backbone.token_embedding.embeddings.shape, np.nan)
    )
    recipe = LanguageModelRecipe(epochs=1)
    with pytest.raises(ValueError, match="not finite after any epoch.*`learning_rate`.*0.0001"):
        train_language_model(recipe, model, DIALOGUES, DIALOGUES, tmp_path / "out")
    assert not (tmp_path / "out").exists()
