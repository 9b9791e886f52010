import gzip
import importlib.util
import json
import os
import shutil
from pathlib import Path

import make_meteor_cases
import pytest
from meteor_small_tables import write_tables

from keras_mmfusion.metrics.meteor.meteor import Meteor

ALL_STAGES = "meteor-1.5 (exact stem synonym paraphrase)"

needs_real_tables = pytest.mark.skipif(
    importlib.util.find_spec("pycocoevalcap") is None,
    reason="METEOR's tables are in the package pycocoevalcap, which is not installed",
)
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="needs a Java runtime")


@pytest.fixture(scope="module")
def stored_cases():
    return json.loads(make_meteor_cases.CASES_FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def real_meteor(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras_home")))
        meteor = Meteor()
        meteor.score({1: ["a dog"]}, {1: "a dog"})  # Writes the cache.
    return meteor


@pytest.fixture
def small_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras_home"))
    folder = tmp_path / "meteor"
    folder.mkdir()
    write_tables(folder)
    return folder


def assert_scores(meteor, cases, expected):
    references = {number: references for number, (_, *references) in enumerate(cases)}
    candidates = {number: candidate for number, (candidate, *_) in enumerate(cases)}
    corpus, scores = meteor.score(references, candidates)
    assert list(scores) == list(references)
    for number, score in enumerate(expected["images"]):
        assert scores[number] == pytest.approx(score, abs=1e-9), cases[number]
    assert corpus == pytest.approx(expected["corpus"], abs=1e-9)


def test_scores_equal_the_jar_on_small_tables(small_tables, stored_cases):
    meteor = Meteor(small_tables)
    assert meteor.variant == ALL_STAGES
    assert_scores(meteor, stored_cases["cases"], stored_cases["small_table_scores"])


@pytest.mark.peers
@needs_real_tables
def test_scores_equal_the_jar_on_the_published_tables(real_meteor, stored_cases):
    assert real_meteor.variant == ALL_STAGES
    assert_scores(real_meteor, stored_cases["cases"], stored_cases["scores"])


@pytest.mark.java
@needs_java
@needs_real_tables
def test_stored_scores_equal_the_jar(stored_cases):
    assert stored_cases["cases"] == make_meteor_cases.CASES
    assert stored_cases["scores"] == make_meteor_cases.compute_jar_scores(stored_cases["cases"])
    assert stored_cases["small_table_scores"] == make_meteor_cases.compute_small_table_scores(
        stored_cases["cases"]
    )


@pytest.mark.java
@pytest.mark.shared_data
@needs_java
@needs_real_tables
def test_scores_equal_the_jar_on_flickr8k(real_meteor):
    data = os.environ.get("KERAS_MMFUSION_TEST_DATA")
    if not data:
        pytest.skip("set KERAS_MMFUSION_TEST_DATA to the folder of the data sets")
    captions = {}
    lines = (Path(data) / "flickr8k" / "Flickr8k.token.txt").read_text(encoding="utf-8")
    for line in lines.splitlines():
        name, caption = line.split("\t")
        captions.setdefault(name.split("#")[0], []).append(caption)
    cases = list(captions.values())[:1000]  # Several references, then pairs.
    cases += [[first, other] for first, *others in captions.values() for other in others][:5000]
    assert_scores(real_meteor, cases, make_meteor_cases.compute_jar_scores(cases))


def test_stages_without_tables_are_omitted(small_tables, tmp_path):
    references, candidates = {1: ["the hound runs beside it"]}, {1: "the dog ran next to it"}
    full, _ = Meteor(small_tables).score(references, candidates)

    (small_tables / "data" / "paraphrase-en.gz").unlink()
    meteor = Meteor(small_tables)
    assert meteor.variant == "meteor-1.5 (exact stem synonym)"
    without_paraphrases, _ = meteor.score(references, candidates)

    (small_tables / "meteor-1.5.jar").unlink()
    meteor = Meteor(small_tables)
    assert meteor.variant == "meteor-1.5 (exact stem; no function words)"
    assert 0 < meteor.score(references, candidates)[0] < without_paraphrases < full


def test_missing_pycocoevalcap_raises_an_error(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "pycocoevalcap" else find_spec(name),
    )
    with pytest.raises(ValueError, match="pip install pycocoevalcap.*as `tables`"):
        Meteor()


def test_score_does_not_depend_on_the_other_images(small_tables, stored_cases):
    meteor = Meteor(small_tables)
    for (candidate, *references), score in zip(
        stored_cases["cases"], stored_cases["small_table_scores"]["images"], strict=True
    ):
        assert meteor.score({"x": references}, {"x": candidate})[0] == pytest.approx(score)


def test_long_captions_of_repeated_words_are_scored(small_tables):
    meteor = Meteor(small_tables)
    score, _ = meteor.score({1: ["a dog " * 60]}, {1: "dog a " * 60})
    assert 0 < score < 1


@pytest.mark.parametrize(
    ("references", "candidates", "error", "message"),
    [
        ({1: ["a"], 2: ["b"]}, {1: "a", 3: "c"}, ValueError, r"`references`: 2\..*lacks: 3\."),
        ({}, {}, ValueError, "`references` is empty"),
        ({1: []}, {1: "a"}, ValueError, "no caption for these image ids: 1"),
        (
            {1: [["a", "dog"]]},
            {1: "a dog"},
            TypeError,
            r"`references` must have strings; it has \['a', 'dog'\]",
        ),
        (
            {1: ["a dog"]},
            {1: None},
            TypeError,
            "`candidates` must have strings; it has None for image id 1",
        ),
    ],
)
def test_invalid_captions_raise_an_error(small_tables, references, candidates, error, message):
    with pytest.raises(error, match=message):
        Meteor(small_tables).score(references, candidates)


def test_missing_folder_raises_an_error(tmp_path):
    with pytest.raises(ValueError, match="`tables` must be a folder"):
        Meteor(tmp_path / "nowhere")


def test_invalid_jar_raises_an_error(small_tables):
    (small_tables / "meteor-1.5.jar").write_bytes(b"no zip file")
    with pytest.raises(ValueError, match="is not the jar of METEOR 1.5"):
        Meteor(small_tables)


@pytest.mark.parametrize("damage", ["truncated", "empty", "not gzip", "half a pair", "no pair"])
def test_damaged_paraphrase_table_raises_an_error(small_tables, damage):
    path = small_tables / "data" / "paraphrase-en.gz"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-12])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "not gzip":
        path.write_bytes(b"0.1\ndog\nhound\n")
    else:
        text = {"half a pair": "0.1\ndog\nhound\n0.1\ndog\n", "no pair": ""}[damage]
        path.write_bytes(gzip.compress(text.encode()))
    meteor = Meteor(small_tables)
    with pytest.raises(ValueError, match=r"paraphrase table .*paraphrase-en\.gz"):
        meteor.score({1: ["a dog"]}, {1: "a dog"})
