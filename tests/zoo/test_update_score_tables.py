import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tables():
    path = ROOT / "zoo" / "update_score_tables.py"
    spec = importlib.util.spec_from_file_location("update_score_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_results(root, preset, file, beams, bleu):
    result = {
        "metrics": {"bleu_1": bleu, "cider": 2 * bleu},
        "protocol": {
            "data": "flickr8k",
            "split": "dev",
            "images": 1000,
            "captions": 5000,
            "tokenizer": "whitespace",
            "decoding": {"beams": beams, "length_penalty": 0.7},
            "versions": {"keras": "3.15.1", "backend": "tensorflow"},
        },
    }
    folder = root / "zoo" / preset
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(result), encoding="utf-8")


def test_numbers_of_the_table_are_those_of_the_results(tables, tmp_path):
    write_results(tmp_path, "one", "results_greedy.json", beams=1, bleu=0.25)
    write_results(tmp_path, "one", "results.json", beams=4, bleu=0.3125)
    table = tables.score_table(tables.read_results(tmp_path / "zoo"))
    assert "| `one` | 4 beams | 0.312 |  |  |  |  |  | 0.625 |\n" in table
    assert "| `one` | greedy | 0.250 |  |  |  |  |  | 0.500 |\n" in table
    assert table.index("4 beams") < table.index("greedy")
    assert table.count("flickr8k, dev split: 1,000 images with 5,000 captions") == 1


def test_results_of_other_tasks_are_left_out(tables, tmp_path):
    folder = tmp_path / "zoo" / "encoder"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text('{"metrics": {"max_logit": 1.0}, "protocol": {}}')
    assert tables.read_results(tmp_path / "zoo") == {}


def test_a_model_card_gets_its_own_scores_only(tables, tmp_path):
    write_results(tmp_path, "one", "results.json", beams=4, bleu=0.25)
    write_results(tmp_path, "two", "results.json", beams=4, bleu=0.5)
    card = tmp_path / "zoo" / "two" / "README.md"
    card.write_text("card")
    pages = dict(tables.pages_and_results(tmp_path))
    assert list(pages[card]) == ["two"]
    assert list(pages[tmp_path / "README.md"]) == ["one", "two"]


def test_the_tables_in_the_repository_are_up_to_date(tables):
    stale = []
    for path, results in tables.pages_and_results(ROOT):
        text = path.read_text(encoding="utf-8")
        for block in tables.BLOCK.finditer(text):
            if block[0] != block[1] + tables.score_table(results) + block[2]:
                stale.append(str(path.relative_to(ROOT)))
    assert not stale, "Run `python zoo/update_score_tables.py`."
