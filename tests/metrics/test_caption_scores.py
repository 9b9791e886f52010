import pathlib
import shutil

import pytest
from meteor_small_tables import write_tables

from keras_mmfusion.metrics import (
    CaptionScores,
    PTBTokenizer,
    bleu_scores,
    cider_d_score,
    coco_caption_scores,
)
from keras_mmfusion.metrics.captions import caption_scores
from keras_mmfusion.metrics.meteor import meteor
from keras_mmfusion.metrics.meteor.meteor_tables import find_installed_tables

DATA = pathlib.Path(__file__).parent.parent / "data"
REFERENCES = {
    1: ["A dog runs on the beach.", "The dog is running!"],
    2: ["Two cats sleep on a bed.", "Cats asleep"],
    3: ["A man's hat", "Hat of a man"],
}
CANDIDATES = {3: "a man with a hat", 1: "A dog runs, on a beach", 2: "Two dogs sleep on a bed ."}


def test_scores_equal_those_of_the_single_metrics():
    scores = coco_caption_scores(REFERENCES, CANDIDATES, metrics=("bleu", "rouge_l", "cider"))
    assert list(scores) == ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"]
    tokenizer = PTBTokenizer()
    references = tokenizer.tokenize(REFERENCES)
    candidates = {i: tokenizer.tokenize({i: [c]})[i][0] for i, c in CANDIDATES.items()}
    assert [scores[f"bleu_{n}"] for n in (1, 2, 3, 4)] == bleu_scores(references, candidates)[0]
    assert scores["cider"] == pytest.approx(cider_d_score(references, candidates)[0], abs=1e-12)


def test_metrics_are_selected_by_name():
    assert list(coco_caption_scores(REFERENCES, CANDIDATES, "cider")) == ["cider"]
    both = coco_caption_scores(REFERENCES, CANDIDATES, ("cider", "plain_cider"))
    assert both["plain_cider"] > both["cider"] > 0
    with pytest.raises(ValueError, match="unknown names: 'spice'. Available: bleu"):
        coco_caption_scores(REFERENCES, CANDIDATES, ("bleu", "spice"))


def test_per_image_has_scores_for_each_metric_and_id():
    scores = coco_caption_scores(REFERENCES, CANDIDATES, ("rouge_l", "bleu"), per_image=True)
    each = scores["per_image"]
    assert set(each) == {"rouge_l", "bleu_1", "bleu_2", "bleu_3", "bleu_4"}
    assert all(set(by_id) == {1, 2, 3} for by_id in each.values())
    assert scores["rouge_l"] == pytest.approx(sum(each["rouge_l"].values()) / 3)


def install_tables(monkeypatch, folder):
    """Patches `find_installed_tables` to return a folder or `None`."""
    for module in (caption_scores, meteor):
        monkeypatch.setattr(module, "find_installed_tables", lambda: folder)


def test_meteor_variant_names_the_stages(tmp_path, monkeypatch):
    write_tables(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras_home"))
    install_tables(monkeypatch, tmp_path)
    scores = coco_caption_scores(REFERENCES, CANDIDATES)
    assert 0 < scores["meteor"] < 1
    assert scores["meteor_variant"] == "meteor-1.5 (exact stem synonym paraphrase)"


def test_meteor_is_omitted_or_raises_an_error_without_its_tables(monkeypatch):
    install_tables(monkeypatch, None)
    with pytest.warns(UserWarning, match="METEOR is omitted.*pip install pycocoevalcap"):
        scores = coco_caption_scores(REFERENCES, CANDIDATES)
    assert list(scores) == ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"]
    with pytest.raises(ValueError, match="'meteor'.*pip install pycocoevalcap"):
        coco_caption_scores(REFERENCES, CANDIDATES, ("bleu", "meteor"))
    with pytest.raises(ValueError, match="pip install pycocoevalcap"):
        CaptionScores(metrics=("meteor",))


def test_find_installed_tables_needs_the_data_of_the_package(tmp_path, monkeypatch):
    package = tmp_path / "pycocoevalcap"
    (package / "meteor").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    (package / "__init__.py").touch()
    assert find_installed_tables() is None  # A package without its data.
    write_tables(package / "meteor")
    assert find_installed_tables() == package / "meteor"


def test_inputs_are_not_mutated():
    references = {i: list(each) for i, each in REFERENCES.items()}
    coco_caption_scores(references, CANDIDATES, ("bleu",))
    assert references == REFERENCES


@pytest.mark.parametrize(
    ("references", "candidates", "error", "message"),
    [
        ({}, {}, ValueError, "`references` is empty"),
        ({1: []}, {1: "a"}, ValueError, "no caption for these image ids: 1"),
        ({1: "a dog"}, {1: "a"}, TypeError, "have a string: 1"),
        ({1: ["a"], 2: ["b"]}, {1: "a", 3: "b"}, ValueError, "lacks these .*: 2. .*lacks: 3"),
        ({1: ["a"]}, {1: ["a"]}, TypeError, "`candidates` must have strings.*not list"),
        ({1: [["a"]]}, {1: "a"}, TypeError, "`references` must have strings.*not list"),
        ([["a"]], ["a"], TypeError, "`references` must be a dict"),
        ({1: ["a"]}, ["a"], TypeError, "`candidates` must be a dict"),
    ],
)
def test_errors_name_the_argument_and_ids(references, candidates, error, message):
    with pytest.raises(error, match=message):
        coco_caption_scores(references, candidates, ("bleu",))


def test_long_lists_of_missing_ids_are_shortened():
    references = {i: ["a"] for i in range(100)}
    with pytest.raises(ValueError, match="17, 18, 19 and 80 more"):
        coco_caption_scores(references, {}, ("bleu",))


@pytest.mark.java
def test_hostile_captions_score_like_pycocoevalcap_with_java():
    pytest.importorskip("pycocoevalcap")
    if not shutil.which("java"):
        pytest.skip("needs a Java runtime")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer as JavaTokenizer

    lines = (DATA / "hostile_captions.txt").read_text(encoding="utf-8").split("\n")[:-1]
    groups = [lines[i : i + 4] for i in range(0, len(lines) - 3, 4)]
    references = {i: group[:3] for i, group in enumerate(groups)}
    candidates = {i: group[3] + " " + group[0] for i, group in enumerate(groups)}

    def tokenize_with_java(captions):
        return JavaTokenizer().tokenize(
            {i: [{"caption": c} for c in each] for i, each in captions.items()}
        )

    truth = tokenize_with_java(references)
    results = tokenize_with_java({i: [c] for i, c in candidates.items()})
    scores = coco_caption_scores(references, candidates, ("bleu", "rouge_l", "cider"))
    bleu = Bleu(4).compute_score(truth, results, verbose=0)[0]
    assert [scores[f"bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx(bleu, abs=1e-9)
    assert scores["rouge_l"] == pytest.approx(Rouge().compute_score(truth, results)[0], abs=1e-9)
    assert scores["cider"] == pytest.approx(Cider().compute_score(truth, results)[0], abs=1e-9)


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({1: None}, "list of captions; these image ids have no list: 1"),
        ([["a dog"]], "must be a dict of image id"),
    ],
)
def test_invalid_references_raise_a_type_error(references, message):
    with pytest.raises(TypeError, match=message):
        coco_caption_scores(references, {1: "a dog"}, ["bleu"])
    with pytest.raises(TypeError, match="must (be a dict|have a list)"):
        PTBTokenizer().tokenize(references)
