import importlib
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def update():
    sys.path += [str(ROOT / "zoo")]
    try:
        yield importlib.import_module("update_score_tables")
    finally:
        sys.path.remove(str(ROOT / "zoo"))


@pytest.fixture(scope="module")
def scores(update):
    return importlib.import_module("score_tables")


def write_results(zoo, preset, file="results.json", score=0.25, task="tagger", **changes):
    """Writes a card and results of a task that no script knows."""
    result = {
        "metrics": {"precision": score, "seconds": 3},
        "protocol": {
            "data": "photos",
            "split": "dev",
            "versions": {"keras": "3.15.1", "backend": "tensorflow"},
            **changes,
        },
        "table": {
            "metrics": {"precision": "Precision", "recall": "Recall"},
            "settings": {"Tags": "5" if file == "results.json" else "1"},
            "summary": "1,000 images",
        },
        "samples": [],
    }
    folder = zoo / preset
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(result), encoding="utf-8")
    card = {"task": task, "description": "A tagger.", "license": "CC0-1.0", "credit": "None."}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def test_columns_come_from_the_results(scores, tmp_path):
    write_results(tmp_path, "one", "results_fast.json", score=0.25)
    write_results(tmp_path, "one", score=0.3125)
    assert scores.scores_table("tagger", zoo=tmp_path) == (
        "| Preset | Tags | Precision | Recall |\n"
        "|---|---|---:|---:|\n"
        "| `one` | 5 | 0.312 |  |\n"
        "| `one` | 1 | 0.250 |  |\n"
        "\n"
        "photos, dev split: 1,000 images; Keras 3.15.1 on tensorflow.\n"
    )


def test_name_is_a_task_or_a_preset(scores, tmp_path):
    for preset, task in {"one": "tagger", "two": "tagger", "three": "counter"}.items():
        write_results(tmp_path, preset, task=task)

    def presets(name):
        return [preset for preset, _ in scores.read_results(name, zoo=tmp_path)]

    assert presets("tagger") == ["one", "two"]
    assert presets("two") == ["two"]
    assert "Not evaluated yet" in scores.scores_table("four", zoo=tmp_path)


def test_results_on_other_data_have_their_own_table(scores, tmp_path):
    write_results(tmp_path, "one", score=0.25)
    write_results(tmp_path, "one", "results_other.json", score=0.5, data="other", split=None)
    assert "0.500" not in scores.scores_table("one", zoo=tmp_path)
    table = scores.scores_table("one", "other", zoo=tmp_path)
    assert "0.250" not in table
    assert "\nother: 1,000 images; Keras" in table


def test_results_without_a_table_are_omitted(scores, tmp_path):
    write_results(tmp_path, "encoder")
    results = {"metrics": {"max_logit": 1.0}, "protocol": {}}
    (tmp_path / "encoder" / "results.json").write_text(json.dumps(results))
    assert scores.read_results("encoder", zoo=tmp_path) == []


def test_presets_table_lists_the_cards(scores, tmp_path):
    write_results(tmp_path, "one")
    assert scores.presets_table(tmp_path).endswith("| `one` | tagger | A tagger. | CC0-1.0 |\n")


def test_stages_table_shows_the_best_epoch_of_each_log(scores, tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    header = "epoch,loss,bleu_1,bleu_4,cider\n"
    rows = "1,3.0,0.5,0.125,0.25\n2,2.0,0.625,0.1875,0.5\n3,1.0,0.75,0.25,0.375\n"
    (folder / "log_cross_entropy.csv").write_text(header + rows)
    (folder / "log_self_critical.csv").write_text(header + "1,0.1,0.625,0.3125,0.75\n")
    table = scores.stages_table("one", tmp_path)
    assert table.startswith("| Stage | Epochs | Best | BLEU-1 |")
    assert "| cross-entropy, decoder | 3 | 2 | 0.625 | 0.188 | 0.500 |\n" in table
    assert "| self-critical | 1 | 1 | 0.625 | 0.312 | 0.750 |\n" in table
    assert table.count("cross-entropy") == 1


def test_types_and_runs_of_question_answerers(scores, tmp_path):
    runs = [
        {"seed": 3, "accuracy": 0.75, "question_only": 0.5},
        {"seed": 4, "accuracy": 0.875, "question_only": 0.25},
    ]
    types = {"answer_type=color": 1200, "answer_type=yes/no": 2, "question_type=is": 9}
    write_results(tmp_path, "one", types=types, runs=runs)
    path = tmp_path / "one" / "results.json"
    result = json.loads(path.read_text())
    result["metrics"] = {"accuracy[answer_type=color]": 0.5, "accuracy[answer_type=yes/no]": 1.0}
    path.write_text(json.dumps(result))
    assert scores.types_table("one", "answer_type", tmp_path) == (
        "| Type | Questions | Accuracy |\n|---|---:|---:|\n"
        "| color | 1,200 | 0.500 |\n| yes/no | 2 | 1.000 |\n"
    )
    assert scores.runs_table("one", tmp_path) == (
        "| Seed | Accuracy | Question only |\n|---:|---:|---:|\n"
        "| 3 | 0.750 | 0.500 |\n| 4 | 0.875 | 0.250 |\n"
    )


def test_blocks_are_filled_by_name_and_arguments(update):
    text = "a <!-- scores b-1.5 x:begin -->\nold\n<!-- scores b-1.5 x:end --> c"
    filled = update.fill_tables(text, {"scores": lambda *names: f"{names}\n"})
    assert filled == text.replace("old", "('b-1.5', 'x')")
    with pytest.raises(ValueError, match="No table 'nothing'. Tables: scores"):
        update.fill_tables(text.replace("scores", "nothing"), {"scores": None})


def test_pages_include_the_readme_the_docs_and_the_model_cards(update):
    pages = {str(path.relative_to(ROOT)) for path in update.list_pages()}
    assert {"README.md", "docs/zoo.md", "zoo/sentiment_mosi/README.md"} <= pages


def test_tables_in_the_repository_are_up_to_date(update):
    tables = update.load_tables()
    texts = {path: path.read_text(encoding="utf-8") for path in update.list_pages()}
    stale = [path for path, text in texts.items() if text != update.fill_tables(text, tables)]
    assert not stale, "Run `python zoo/update_score_tables.py`."


def test_every_evaluated_preset_shows_its_scores(scores):
    for path in (ROOT / "zoo").glob("*/results.json"):
        if scores.read_results(path.parent.name):
            card = (path.parent / "README.md").read_text(encoding="utf-8")
            assert re.search(rf"<!-- scores {path.parent.name}:begin -->", card)
