import math

import pytest

from keras_mmfusion.metrics.diversity import caption_diversity, object_recall


def test_distinct_n_and_vocabulary_are_counts():
    figures = caption_diversity({1: "A dog and a dog.", 2: "a cat"})
    assert figures == {
        "distinct_1": 4 / 7,
        "distinct_2": 4 / 5,  # "a dog" comes twice.
        "vocabulary": 4,
        "mean_length": 3.5,
        "distinct_captions": 1.0,
    }


def test_seen_captions_are_compared_as_words():
    figures = caption_diversity(
        ["A dog runs .", "A cat", "a dog runs"], iter(["a DOG runs!", "dog"])
    )
    assert figures["seen_in_training"] == pytest.approx(2 / 3)
    assert figures["distinct_captions"] == pytest.approx(2 / 3)


def test_captions_without_words():
    figures = caption_diversity(["", "..."])
    assert figures["distinct_1"] == figures["mean_length"] == 0
    with pytest.raises(ValueError, match="at least one caption"):
        caption_diversity([])


def test_an_object_is_in_the_image_if_references_agree():
    references = {1: ["A man and a dog", "A man by a traffic light", "man, traffic light"]}
    objects = ["man, person", "dog", "traffic light", "cat"]
    # Man and traffic light are agreed on; the dog is named by one only, so it is no invention.
    figures = object_recall(references, {1: "A person, a dog and a cat"}, objects)
    assert figures == {"recall": 1 / 2, "precision": 2 / 3, "objects": 2}
    assert object_recall(references, {1: "a dog"}, objects, least=1)["objects"] == 3


def test_a_single_reference_suffices_where_there_is_no_other():
    assert object_recall({1: ["a dog"]}, {1: "the dog"}, ["dog"])["recall"] == 1
    nothing = object_recall({1: ["a dog"]}, {1: "the sky"}, ["cat"])
    assert math.isnan(nothing["recall"]) and math.isnan(nothing["precision"])


def test_one_string_is_one_caption():
    assert caption_diversity("A dog runs.") == caption_diversity(["A dog runs."])
    seen = caption_diversity(["a dog"], "A dog.")["seen_in_training"]
    assert seen == 1
    references, candidates = {1: ["a dog"]}, {1: "a dog"}
    assert object_recall(references, candidates, "dog, puppy") == object_recall(
        references, candidates, ["dog, puppy"]
    )


@pytest.mark.parametrize("wrong", [None, float("nan"), 3])
def test_captions_that_are_no_strings_are_named(wrong):
    with pytest.raises(TypeError, match="must be strings. Received: (None|nan|3)"):
        caption_diversity(["a dog", wrong])


def test_tables_of_captions():
    pandas = pytest.importorskip("pandas")
    figures = caption_diversity(pandas.Series(["a dog", "a cat"]))
    assert figures == caption_diversity(["a dog", "a cat"])


@pytest.mark.parametrize("wrong", [None, [None], [b"dog"], b"dog", 3])
def test_what_are_no_strings_is_named(wrong):
    with pytest.raises(TypeError, match="There must be strings. Received"):
        caption_diversity(wrong)
    with pytest.raises(TypeError, match="There must be strings. Received"):
        object_recall({1: ["a dog"]}, {1: "a dog"}, wrong)
