"""The GPU benchmark at its smallest size, on CPUs."""

import importlib
import json
import sys

from packed_files import GPU, ROOT, run_parts

sys.path.insert(0, str(GPU))


def test_every_case_runs_on_every_side(tmp_path, monkeypatch):
    # Nothing is packed for it.
    run_parts("jax", tmp_path / "nothing", "benchmarks", "--out", tmp_path, "--tiny")
    report = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert [row for row in report["rows"] if "error" in row] == []
    assert report["done"]
    assert len({(row["side"], row["case"]) for row in report["rows"]}) == len(report["rows"])
    assert report["bfloat16_matrix_peak"] > 0
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    speed_table = importlib.import_module("gpu_tables").speed_table
    assert "has not been measured" in speed_table({**report, "device": "cpu"})
    table = speed_table({**report, "device": "A GPU"})
    assert table.count("\n| ") == len(report["rows"]) / 3 + 1
    assert "| captioner_training | bfloat16 |" in table


def test_flops_of_a_captioning_step(monkeypatch):
    """Counted anew, product by product, for a decoder of one layer and one caption."""
    import benchmark_sizes as given

    monkeypatch.setattr(given, "LAYERS", 1)
    n, d, w, i, t = given.LENGTH, given.DIM, given.IMAGE_DIM, given.IMAGE_TOKENS, given.MLP_DIM
    multiplications = (
        6 * n * d * d  # Query, key, value, output; the query and output of the second attention.
        + 2 * i * w * d  # The image's keys and values.
        + 2 * n * (n / 2) * d  # Half of the scores are masked.
        + 2 * n * i * d
        + 2 * n * d * t
        + n * d * given.VOCABULARY_SIZE
    )
    assert given.flops("captioner_decoding_1") == 2 * multiplications
