import math

import pytest

from keras_mmfusion.metrics.captions.diversity import caption_diversity, object_recall


def test_diversity_matches_counts_by_hand():
    scores = caption_diversity({1: "A dog and a dog.", 2: "a cat"})
    assert scores == {
        "distinct_1": 4 / 7,
        "distinct_2": 4 / 5,  # "a dog" occurs twice.
        "vocabulary": 4,
        "mean_length": 3.5,
        "distinct_captions": 1.0,
    }


def test_seen_in_training_compares_tokens():
    scores = caption_diversity(
        ["A dog runs .", "A cat", "a dog runs"], iter(["a DOG runs!", "dog"])
    )
    assert scores["seen_in_training"] == pytest.approx(2 / 3)
    assert scores["distinct_captions"] == pytest.approx(2 / 3)


def test_captions_without_words_have_zero_diversity():
    scores = caption_diversity(["", "..."])
    assert scores["distinct_1"] == scores["mean_length"] == 0
    with pytest.raises(ValueError, match="at least one caption"):
        caption_diversity([])


def test_objects_need_the_minimum_number_of_references():
    references = {1: ["A man and a dog", "A man by a traffic light", "man, traffic light"]}
    objects = ["man, person", "dog", "traffic light", "cat"]
    # Two references name man and traffic light; one names the dog, so it is not hallucinated.
    scores = object_recall(references, {1: "A person, a dog and a cat"}, objects)
    assert scores == {"recall": 1 / 2, "precision": 2 / 3, "objects": 2}
    assert object_recall(references, {1: "a dog"}, objects, min_references=1)["objects"] == 3


def test_single_reference_suffices_if_there_is_no_other():
    assert object_recall({1: ["a dog"]}, {1: "the dog"}, ["dog"])["recall"] == 1
    nothing = object_recall({1: ["a dog"]}, {1: "the sky"}, ["cat"])
    assert math.isnan(nothing["recall"]) and math.isnan(nothing["precision"])


def test_string_is_a_single_caption():
    assert caption_diversity("A dog runs.") == caption_diversity(["A dog runs."])
    seen = caption_diversity(["a dog"], "A dog.")["seen_in_training"]
    assert seen == 1
    references, candidates = {1: ["a dog"]}, {1: "a dog"}
    assert object_recall(references, candidates, "dog, puppy") == object_recall(
        references, candidates, ["dog, puppy"]
    )


@pytest.mark.parametrize("wrong", [None, float("nan"), 3])
def test_captions_that_are_not_strings_raise_an_error(wrong):
    with pytest.raises(TypeError, match="Expected strings. Received: (None|nan|3)"):
        caption_diversity(["a dog", wrong])


def test_pandas_series_of_captions():
    pandas = pytest.importorskip("pandas")
    scores = caption_diversity(pandas.Series(["a dog", "a cat"]))
    assert scores == caption_diversity(["a dog", "a cat"])


@pytest.mark.parametrize("wrong", [None, [None], [b"dog"], b"dog", 3])
def test_non_string_inputs_raise_a_type_error(wrong):
    with pytest.raises(TypeError, match="Expected strings. Received"):
        caption_diversity(wrong)
    with pytest.raises(TypeError, match="Expected strings. Received"):
        object_recall({1: ["a dog"]}, {1: "a dog"}, wrong)
