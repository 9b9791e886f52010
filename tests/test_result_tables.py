"""Tables of benchmarks. tests/zoo/test_update_score_tables.py checks that pages are up to date."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


MODULES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*_tables.py"))


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("module", MODULES)
def test_every_table_is_in_a_page(module):
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.md"))
    tables = getattr(importlib.import_module(module), "TABLES", {})
    assert all(f"<!-- {name}:begin -->\n" in pages for name in tables)


def test_table_is_filled_from_a_file_of_results(tmp_path):
    result_table = importlib.import_module("result_tables").result_table
    source = importlib.import_module("serving_tables").TABLES["billion"]
    assert "Not measured yet" in result_table(*source, tmp_path)
    billion = {
        "worker_hours": 27777.8,
        "days": 7,
        "workers": 165.3,
        "dollars_per_worker_hour": 0.4,
        "dollars": 11111.1,
        "dollars_per_million": 11.11,
    }
    run = {
        "preset": "small",
        "beams": 4,
        "images_per_second_of_a_worker": 10.0,
        "cores_of_a_worker": 2,
        "start_seconds": 9.6,
        "billion": billion,
    }
    report = {"machine": {"cpu": "a CPU"}, "images": 1000, "size": [500, 375], "runs": [run]}
    (tmp_path / "bulk.json").write_text(json.dumps(report), encoding="utf-8")
    table = result_table(*source, tmp_path)
    assert "| worker hours = 10⁹ / rate / 3600 | 27,778 |" in table
    assert "| dollars, if a worker's hour costs $0.40 | 11,111 |" in table
    assert table.endswith("The price is an assumption.\n")


def test_retrieval_losses_table_has_both_trainings():
    module = importlib.import_module("retrieval_tables")
    metrics = {name: number / 16 for number, name in enumerate(module.RECALLS)}
    protocol = {
        "data": "flickr8k",
        "split": "dev",
        "versions": {"keras": "3.15.1", "backend": "torch"},
        "trained_on": "train",
        "encoders": "frozen",
        "seeds": [0],
        "machine": {"cores": 2, "cpu": "A"},
    }
    runs = [{"loss": "InfoNCELoss", "metrics": metrics, "seconds": 1234}]
    report = {"runs": runs, "protocol": protocol}
    table = module.retrieval_losses_table(report, report)
    row = "0.000 | 0.062 | 0.125 | 0.188 | 0.250 | 0.312 |"
    for encoders in ("frozen", "fine-tuned"):
        assert f"| `InfoNCELoss` | {encoders} | {row} 1,234 |\n" in table
    assert "seed 0;" in table and "\nFine-tuned: flickr8k, trained on train" in table


def test_fusion_mosi_tables():
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
    module = importlib.import_module("fusion_mosi_tables")
    table = module.fusion_mosi_table(report)
    assert "| better | 0.875 | ± 0.125 | 0.250 to 0.750 | 0.500 | 1,234 | 8 |\n" in table
    assert table.index("| better |") < table.index("| worse |")
    assert "Trained on 1,200 utterances of 30 videos, scored on 1200 of 30 others" in table
    table = module.missing_modalities_table(report)
    assert table.startswith("| Modalities | better |\n|---|---:|\n| text, audio | 0.500 |")


def test_parity_replaces_only_what_was_measured(tmp_path):
    save_cell = importlib.import_module("parity").save_cell
    path = tmp_path / "parity.json"
    for name, inputs, backends in (
        ("git", 4, {"jax": 1, "torch": 2}),
        ("blip", 4, {"jax": 3}),
        ("git", 5, {"torch": 4}),
    ):
        save_cell(path, "tiny", name, {"inputs": inputs, "backends": backends})
    results = json.loads(path.read_text("utf-8"))
    assert list(results["tiny"]) == ["blip", "git"]
    assert results["tiny"]["git"] == {"inputs": 5, "backends": {"jax": 1, "torch": 4}}


def test_parity_tables_state_what_is_missing_and_above_a_target():
    module = importlib.import_module("parity_tables")
    run = {
        "logits_float32": 2e-5,
        "padding": 1e-6,
        "greedy": {"same": 49, "of": 50},
        "versions": {"keras": "3.15.1"},
        "date": "2026-11-30",
    }
    source = {"parameters": 57_000, "rounding": {"logits": 1e-5}, "distinct_beams": 40}
    source |= {"versions": {"transformers": "5.24.0"}, "date": "2026-11-30"}
    cell = {"inputs": 50, "source": source, "backends": {"jax": run, "torch": run}}
    report = {"tiny": {"git": cell}, "machine": {"cores": 2, "cpu": "A"}}
    table = module.parity_table(report)
    assert "| GIT | tiny | – | 2.0e-05 | 2.0e-05 | 1.0e-05 | 1.0e-06 | – | – |\n" in table
    assert "| GIT | published | not measured |  |" in table
    assert "Above a target: logits of GIT, tiny, JAX; logits of GIT, tiny, PyTorch." in table
    assert "transformers 5.24.0, Keras 3.15.1; 2026-11-30; 2 CPU cores (A)." in table
    assert "| GIT | tiny | 98 / 100 | – | – | – | – |\n" in module.parity_texts_table(report)
