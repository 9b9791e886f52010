"""The tables of the pages on serving are those of the benchmarks' results."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tables():
    path = ROOT / "benchmarks" / "serving_tables.py"
    spec = importlib.util.spec_from_file_location("serving_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_up_to_date(tables):
    pages = [(ROOT / "docs" / name).read_text("utf-8") for name in tables.PAGES]
    stale = [
        name for name, page in zip(tables.PAGES, pages, strict=True) if tables.filled(page) != page
    ]
    assert not stale, "Run `python benchmarks/serving_tables.py`."
    found = {match[2] for page in pages for match in tables.BLOCK.finditer(page)}
    assert found == set(tables.TABLES)


def test_a_table(tables, tmp_path):
    page = "<!-- billion:begin -->\nold\n<!-- billion:end -->\n"
    assert "Not measured yet" in tables.filled(page, tmp_path)
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
    filled = tables.filled(page, tmp_path)
    assert "| worker hours = 10⁹ / rate / 3600 | 27,778 |" in filled
    assert "| dollars, if a worker's hour costs $0.40 | 11,111 |" in filled
    assert filled.endswith("<!-- billion:end -->\n")
