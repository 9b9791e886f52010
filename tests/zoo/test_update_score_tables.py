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


def test_photos_that_chose_nothing_have_a_table_of_their_own(tables, tmp_path):
    write_results(tmp_path, "one", "results.json", beams=4, bleu=0.25)
    write_results(tmp_path, "one", tables.UNSEEN, beams=4, bleu=0.5)
    chosen, unseen = (tables.read_results(tmp_path / "zoo", unseen) for unseen in (False, True))
    assert [each["metrics"]["bleu_1"] for each in chosen["one"]] == [0.25]
    assert [each["metrics"]["bleu_1"] for each in unseen["one"]] == [0.5]
    unseen["one"][0]["protocol"]["split"] = None
    assert "\nflickr8k: 1,000 images with" in tables.score_table(unseen)


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


def test_a_model_card_gets_the_stages_of_its_training(tables, tmp_path):
    card = tmp_path / "README.md"
    card.write_text("before <!-- stages:begin -->\nold\n<!-- stages:end --> after")
    heads = "epoch,loss,bleu_1,bleu_4,cider\n"
    rows = "1,3.0,0.5,0.125,0.25\n2,2.0,0.625,0.1875,0.5\n3,1.0,0.75,0.25,0.375\n"
    (tmp_path / "log_cross_entropy.csv").write_text(heads + rows)
    (tmp_path / "log_self_critical.csv").write_text(heads + "1,0.1,0.625,0.3125,0.75\n")
    text = tables.filled(card, {})
    assert text.startswith("before <!-- stages:begin -->\n| Stage | Epochs | Best |")
    assert "| cross-entropy, decoder | 3 | 2 | 0.625 | 0.188 | 0.500 |\n" in text
    assert "| self-critical | 1 | 1 | 0.625 | 0.312 | 0.750 |\n" in text
    assert text.count("cross-entropy") == 1
    assert text.endswith("\n<!-- stages:end --> after")


def test_the_scores_of_retrieval(tables, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    metrics = {name: number / 16 for number, name in enumerate(tables.RECALLS)}
    protocol = {
        "data": "flickr8k",
        "split": "dev",
        "images": 1000,
        "captions": 5000,
        "candidates": "all",
        "versions": {"keras": "3.15.1", "backend": "torch"},
    }
    result = {"metrics": metrics, "protocol": protocol}
    (folder / "results.json").write_text(json.dumps(result))
    write_results(tmp_path, "one", "results.json", beams=4, bleu=0.25)
    row = "0.000 | 0.062 | 0.125 | 0.188 | 0.250 | 0.312 |"
    table = tables.retrieval_table(tmp_path)
    assert f"| `photos` | {row}\n" in table and "`one`" not in table
    assert "dev split: 1,000 images with 5,000 captions" in table
    runs = [{"loss": "InfoNCELoss", "metrics": metrics, "seconds": 1234}]
    protocol |= {"trained_on": "train", "encoders": "frozen", "seeds": [0]}
    protocol["machine"] = {"cores": 2, "cpu": "A"}
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"runs": runs, "protocol": protocol}))
    table = tables.retrieval_losses_table({"frozen": path, "fine-tuned": path})
    for encoders in ("frozen", "fine-tuned"):
        assert f"| `InfoNCELoss` | {encoders} | {row} 1,234 |\n" in table
    assert "seed 0;" in table and "\nFine-tuned: flickr8k, trained on train" in table


def test_the_scores_of_opinions(tables, tmp_path):
    folder = tmp_path / "opinions"
    folder.mkdir()
    protocol = {
        "data": "films",
        "split": "half by half",
        "trained_on": "5,000 utterances of 90 videos",
        "utterances": 1200,
        "videos": 30,
        "epochs_of_halves": [4, 7],
        "recipe": {"epochs": 9},
        "accuracy_of_seeds": [0.7, 0.8],
        "machine": {"cores": 2, "cpu": "x"},
        "versions": {"keras": "3.15.1", "backend": "torch"},
    }
    metrics = {"accuracy": 0.75, "f1": 0.5, "weighted_f1": 0.625}
    (folder / "results.json").write_text(json.dumps({"metrics": metrics, "protocol": protocol}))
    write_results(tmp_path, "one", "results.json", beams=4, bleu=0.25)
    table = tables.sentiment_table(tmp_path)
    assert "| `opinions` | 0.750 | 0.500 | 0.625 |\n" in table and "`one`" not in table
    assert (
        "films: trained on 5,000 utterances of 90 videos, scored on 1,200 of 30 other videos; half "
        "by half (epochs 4 and 7 of at most 9); mean of 2 seeds, accuracy 0.700 to 0.800; Keras "
        "3.15.1 on torch; 2 CPU cores (x), shared with other work." in table
    )


def test_the_benchmark_of_fusion(tables, tmp_path):
    def model(accuracy):
        return {
            "accuracy": accuracy,
            "accuracy_spread_over_seeds": 0.125,
            "accuracy_interval_over_videos": [0.25, 0.75],
            "f1": 0.5,
            "parameters": 1234,
            "cpu_seconds_of_all_runs": 7.6,
        }

    report = {
        "models": {"worse": model(0.75), "better": model(0.875)},
        "without_modalities": {"better": {"text, audio": {"accuracy": 0.5}}},
        **dict.fromkeys(("train", "dev"), {"utterances": 1200, "videos": 30}),
        "majority_accuracy": 0.5,
        **dict.fromkeys(("seeds", "epochs"), 3),
        **dict.fromkeys(("machine", "keras", "jax"), "x"),
    }
    path = tmp_path / "fusion.json"
    path.write_text(json.dumps(report))
    table = tables.fusion_mosi_table(path)
    assert "| better | 0.875 | ± 0.125 | 0.250 to 0.750 | 0.500 | 1,234 | 8 |\n" in table
    assert table.index("| better |") < table.index("| worse |")
    assert "Trained on 1,200 utterances of 30 videos, scored on 1200 of 30 others" in table
    table = tables.missing_modalities_table(path)
    assert table.startswith("| What is there | better |\n|---|---:|\n| text, audio | 0.500 |")


def test_the_tables_in_the_repository_are_up_to_date(tables):
    stale = [
        str(path.relative_to(ROOT))
        for path, results in tables.pages_and_results(ROOT)
        if path.read_text(encoding="utf-8") != tables.filled(path, results)
    ]
    assert not stale, "Run `python zoo/update_score_tables.py`."
