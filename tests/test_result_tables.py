"""The tables of the pages are those of the benchmarks' results.

That the pages are up to date is tested with `zoo/update_score_tables.py`.
"""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(
    params=[
        "captioning_tables",
        "data_tables",
        "fusion_tables",
        "gpu_tables",
        "graph_tables",
        "serving_tables",
    ]
)
def tables(request, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module(request.param).TABLES


def test_every_table_has_its_place(tables):
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.md"))
    assert all(f"<!-- {name}:begin -->\n" in pages for name in tables)


def test_a_table(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
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
