import pytest

from keras_mmfusion.checkpoints.key_matching import match_keys

KEYS = ["text.norm.weight", "text.dense.weight"]


def test_prefixes_and_spellings_are_recognized():
    renames = [(r"^encoder\.", "text."), (r"\.fc1\.", ".dense.")]
    names = ["module.model.text.norm.weight", "vit.encoder.fc1.weight"]
    match = match_keys(names, KEYS, prefixes=("vit.",), renames=renames)
    assert match.names == dict(zip(KEYS, names, strict=True))


def test_a_prefix_that_is_part_of_the_key_is_kept():
    assert match_keys(["model.dense"], ["model.dense"]).names == {"model.dense": "model.dense"}


def test_missing_and_unused_names_are_listed():
    with pytest.raises(ValueError) as error:
        match_keys(["text.norm.gamma", "text.dense.weight", "head"], KEYS)
    assert str(error.value) == (
        "The checkpoint lacks 1 weight: 'text.norm.weight', and has 2 weights without a use: "
        "'head', 'text.norm.gamma'. 'text.norm.gamma' resembles 'text.norm.weight'."
    )


def test_long_lists_are_shortened():
    with pytest.raises(ValueError, match="has 30 weights without a use: .*'k28' and 10 more"):
        match_keys([f"k{i:02}" for i in range(9, 39)], [])


def test_buffers_and_ignored_names_are_dropped():
    names = [*KEYS, "text.position_ids", "h.0.attn.bias", "text.pooler.weight"]
    assert set(match_keys(names, KEYS, ignored=[r"text\.pooler\..*"]).names) == set(KEYS)
    with pytest.raises(ValueError, match="without a use: 'h.0.attn.bias2'"):
        match_keys([*KEYS, "h.0.attn.bias2"], KEYS)


def test_two_names_of_one_weight_raise_an_error():
    with pytest.raises(ValueError, match="'a' and 'model.a' are both the weight 'a'"):
        match_keys(["a", "model.a"], ["a"])


def test_tied_weights_may_be_absent_or_replace_each_other():
    tied = {"head.weight": "embed.weight"}
    assert match_keys(["embed.weight"], ["embed.weight"], tied=tied).copies == []
    match = match_keys(["model.head.weight"], ["embed.weight"], tied=tied)
    assert match.names == {"embed.weight": "model.head.weight"}
    match = match_keys(["head.weight", "model.embed.weight"], ["embed.weight"], tied=tied)
    assert match.copies == [("head.weight", "model.embed.weight")]
