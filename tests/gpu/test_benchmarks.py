"""Tests the GPU benchmark at its smallest size on CPUs."""

import importlib
import json
import sys

import numpy as np
import pytest
from packed_files import GPU, ROOT, run_parts

sys.path.insert(0, str(GPU))


def test_all_cases_run_on_all_implementations(tmp_path, monkeypatch):
    # The benchmark needs no packed files.
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


def test_both_implementations_compute_the_same_costs(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    plain = importlib.import_module("benchmark_torch")
    import benchmark_sizes as workload

    from keras_mmfusion.layers.alignment import solve_optimal_transport, solve_soft_dtw

    cost = np.random.default_rng(0).random((2, 6, 4)).astype("float32")
    values, _ = solve_soft_dtw(cost, workload.GAMMA)
    assert float(plain.soft_dtw(torch.tensor(cost))) == pytest.approx(float(sum(values)), rel=1e-4)
    values, _ = solve_optimal_transport(cost, workload.REGULARIZATION)
    assert float(plain.sinkhorn(torch.tensor(cost))) == pytest.approx(float(sum(values)), rel=1e-3)


def test_plain_torch_cache_gives_the_same_tokens(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    plain = importlib.import_module("benchmark_torch")
    torch.manual_seed(0)
    decoder = plain.Decoder().eval()
    tokens = torch.randn(2, 81, 1280)
    with torch.no_grad():
        ids = plain.greedy_captions(decoder, tokens)
        inputs = torch.cat([torch.ones(2, 1, dtype=torch.int64), ids[:, :-1]], dim=1)
        logits = decoder(inputs[:, None], tokens)[:, 0]
    logits[..., :4] = -torch.inf
    assert torch.equal(logits.argmax(dim=-1)[:, :-1], ids[:, :-1])


def test_flops_of_captioning_match_a_count_by_hand(monkeypatch):
    """Counts every product for a decoder with one layer and one caption."""
    import benchmark_sizes as workload

    monkeypatch.setattr(workload, "LAYERS", 1)
    n, d, w, i, t = (
        workload.LENGTH,
        workload.DIM,
        workload.IMAGE_DIM,
        workload.IMAGE_TOKENS,
        workload.MLP_DIM,
    )
    multiplications = (
        6 * n * d * d  # Query, key, value and output; query and output of the second attention.
        + 2 * i * w * d  # Keys and values of the image.
        + 2 * n * (n / 2) * d  # Half of the scores are masked.
        + 2 * n * i * d
        + 2 * n * d * t
        + n * d * workload.VOCABULARY_SIZE
    )
    assert workload.count_flops("captioner_decoding_1") == 2 * multiplications
