"""Plots the results of `benchmarks/fusion_mosi.py`.

    python benchmarks/draw_fusion_mosi.py

Reads `benchmarks/results/fusion_mosi.json`; writes `docs/images/fusion_mosi.svg`, the accuracy of
each model, and `docs/images/missing_modalities.svg`, the accuracy with missing modalities. Needs
matplotlib.
"""

import argparse
import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
# Keep text as text, and make the file reproducible.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "fusion", "font.size": 9}
LOWEST = 0.68  # Lower values are written at the edge.


def draw_models(report):
    """Plots the accuracy of each model, best first, with its spread and interval."""
    models = sorted(report["models"].items(), key=lambda item: item[1]["accuracy"])
    figure, axes = plt.subplots(figsize=(7, 0.22 * len(models) + 0.8), layout="constrained")
    for row, (name, model) in enumerate(models):
        accuracy = model["accuracy"]
        color = "tab:orange" if "alone" in name else "tab:blue"
        if accuracy < LOWEST:
            axes.text(LOWEST, row, f" {accuracy:.3f}, off the scale", va="center", color=color)
            continue
        axes.plot(model["accuracy_interval_over_videos"], [row, row], color="lightgray", lw=3)
        axes.errorbar(
            accuracy, row, xerr=model["accuracy_spread_over_seeds"], color=color, fmt="o", ms=4
        )
    axes.set_yticks(range(len(models)), [name for name, _ in models])
    axes.set(xlim=(LOWEST, 0.85), ylim=(-0.7, len(models) - 0.3))
    axes.set_xlabel(
        f"accuracy on videos not trained on, mean of {report['seeds']} seeds\n"
        "thin line: standard deviation of the seeds\n"
        "gray: 95 % interval over videos"
    )
    return figure


def draw_missing(report):
    """Plots the accuracy of models on each subset of the modalities."""
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    for shift, (name, subsets) in zip(
        (-0.1, 0.1), report["without_modalities"].items(), strict=True
    ):
        axes.errorbar(
            [place + shift for place in range(len(subsets))],
            [each["accuracy"] for each in subsets.values()],
            yerr=[each["accuracy_spread_over_seeds"] for each in subsets.values()],
            fmt="o",
            ms=4,
            label=name,
        )
    axes.axhline(report["majority_accuracy"], color="lightgray", lw=1, zorder=0)
    axes.set_xticks(range(len(subsets)), [name.replace(", ", "\n") for name in subsets])
    axes.set(ylabel="accuracy, spread over seeds", xlabel="what is there", ylim=(0.35, 0.85))
    axes.legend(loc="center left", frameon=False)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    out = parser.parse_args().out
    path = ROOT / "benchmarks" / "results" / "fusion_mosi.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    matplotlib.use("svg")
    with plt.rc_context(STYLE):
        for name, draw in (("fusion_mosi", draw_models), ("missing_modalities", draw_missing)):
            figure = draw(report)
            figure.savefig(out / f"{name}.svg", metadata={"Date": None, "Creator": None})
            plt.close(figure)


if __name__ == "__main__":
    main()
