"""Fills the score tables of README.md, docs/ and the model cards from the files in zoo/<preset>/.

    python zoo/update_score_tables.py           # write
    python zoo/update_score_tables.py --check   # exit status 1 if a table is not what it would be

A table stands between `<!-- scores:begin -->` and `<!-- scores:end -->`. A model card gets the
scores of its own preset, every other page those of all presets. `results*.json` are what
`mmfusion evaluate --json` wrote; results without caption scores are left out. Between
`<!-- unseen:begin -->` and `<!-- unseen:end -->` a page gets the scores of all captioners on
photos that chose nothing, out of `results_flickr_extra.json`. Between
`<!-- stages:begin -->` and `<!-- stages:end -->` a model card gets a table of the stages of its
training, out of the `log_<stage>.csv` that `mmfusion train captioner` wrote. Between
`<!-- retrieval:begin -->` and `<!-- retrieval:end -->` a page gets the scores of the presets of
photos and sentences, and between `<!-- retrieval_losses:begin -->` and
`<!-- retrieval_losses:end -->` what `benchmarks/retrieval.py` and `retrieval_fine_tuning.py`
wrote of each loss. In the same way `sentiment` are the scores of the presets of opinions in
videos, `fusion_mosi` and `missing_modalities` what `benchmarks/fusion_mosi.py` wrote,
`recommendation` what `benchmarks/recommendation.py` did. `captioning_tables.py`, `data_tables.py`,
`fusion_tables.py`, `gpu_tables.py`, `graph_tables.py` and `serving_tables.py` in `benchmarks/` draw
tables of the benchmarks that they name.
"""

import argparse
import csv
import functools
import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import captioning_tables  # noqa: E402
import data_tables  # noqa: E402
import fusion_tables  # noqa: E402
import gpu_tables  # noqa: E402
import graph_tables  # noqa: E402
import serving_tables  # noqa: E402
from result_tables import cores, result_table  # noqa: E402

RETRIEVAL_LOSSES = {
    "frozen": ROOT / "benchmarks" / "results" / "retrieval.json",
    "fine-tuned": ROOT / "benchmarks" / "results" / "retrieval_fine_tuning.json",
}
FUSION_MOSI = ROOT / "benchmarks" / "results" / "fusion_mosi.json"
UNSEEN = "results_flickr_extra.json"
RECOMMENDATION = ROOT / "benchmarks" / "results" / "recommendation.json"
RESULT_TABLES = {
    **captioning_tables.TABLES,
    **data_tables.TABLES,
    **fusion_tables.TABLES,
    **gpu_tables.TABLES,
    **graph_tables.TABLES,
    **serving_tables.TABLES,
}
TABLES = (
    "scores|unseen|stages|retrieval|retrieval_losses|sentiment|fusion_mosi|missing_modalities|"
    "recommendation|" + "|".join(RESULT_TABLES)
)
BLOCK = re.compile(rf"(<!-- ({TABLES}):begin -->\n).*?(<!-- \2:end -->)", re.DOTALL)
RECALLS = [
    f"{direction}_recall_at_{k}"
    for direction in ("image_to_text", "text_to_image")
    for k in (1, 5, 10)
]
RETRIEVAL_HEADS = "Image to text R@1 | R@5 | R@10 | Text to image R@1 | R@5 | R@10"
STAGES = {
    "cross_entropy": "cross-entropy, decoder",
    "fine_tuning": "cross-entropy, with the encoder's last blocks",
    "self_critical": "self-critical",
}
COLUMNS = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr-D",
}


def read_results(zoo, unseen=False):
    """Reads every evaluation of a captioner in a zoo folder.

    Args:
        zoo: path of the folder that holds `<preset>/results*.json`.
        unseen: bool. Those on photos that chose nothing, and only those.

    Returns:
        A dict of preset name -> list of results, widest search first.
    """
    results = {}
    for path in sorted(zoo.glob("*/results*.json")):
        if unseen != (path.name == UNSEEN):
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        if COLUMNS.keys() & result["metrics"].keys():
            results.setdefault(path.parent.name, []).append(result)
    for each in results.values():
        each.sort(key=lambda result: -result["protocol"]["decoding"]["beams"])
    return results


def score_table(results):
    """Writes results as a Markdown table and the protocol under it.

    Args:
        results: dict of preset name -> list of results, from `read_results`.

    Returns:
        A string; what to do to get a table if there are no results.
    """
    if not results:
        return "No evaluation has been recorded yet: `mmfusion evaluate captioner` makes one.\n"
    heads = ["Preset", "Search", *COLUMNS.values()]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|" + "---:|" * len(COLUMNS)]
    protocols = {}
    for name, each in results.items():
        for result in each:
            beams = result["protocol"]["decoding"]["beams"]
            cells = [f"`{name}`", f"{beams} beams" if beams > 1 else "greedy"]
            cells += [_number(result["metrics"].get(column)) for column in COLUMNS]
            lines.append("| " + " | ".join(cells) + " |")
            protocols[_protocol(result["protocol"])] = None
    return "\n".join([*lines, "", "Corpus scores, one model without an ensemble.", *protocols, ""])


def _number(value):
    return "" if value is None else f"{value:.3f}"


def _protocol(protocol):
    split = f", {protocol['split']} split" if protocol["split"] else ""
    facts = [
        f"{protocol['data']}{split}: {protocol['images']:,} images with "
        f"{protocol['captions']:,} captions",
        f"length penalty {protocol['decoding']['length_penalty']:g}",
        f"tokenizer: {protocol['tokenizer']}",
    ]
    if "meteor" in protocol:
        facts.append(f"METEOR: {protocol['meteor']}")
    versions = protocol["versions"]
    facts.append(f"Keras {versions['keras']} on {versions['backend']}")
    return "; ".join(facts) + "."


def stage_table(folder):
    """Writes what each stage of a captioner's training came to as a Markdown table.

    Args:
        folder: path of the folder that holds `log_<stage>.csv`.

    Returns:
        A string.
    """
    columns = {name: COLUMNS[name] for name in ("bleu_1", "bleu_4", "cider")}
    lines = [
        "| " + " | ".join(["Stage", "Epochs", "Best", *columns.values()]) + " |",
        "|---|---:|---:|" + "---:|" * len(columns),
    ]
    for stage, what in STAGES.items():
        path = folder / f"log_{stage}.csv"
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            best = max(rows, key=lambda row: float(row["cider"]))
            cells = [what, str(len(rows)), best["epoch"]]
            cells += [_number(float(best[name])) for name in columns]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "Greedy captions of dev at the best epoch of each stage.", ""])


def retrieval_table(zoo):
    """Writes the scores of the presets of photos and sentences as a Markdown table.

    Args:
        zoo: path of the folder that holds `<preset>/results.json`.

    Returns:
        A string.
    """
    lines = [f"| Preset | {RETRIEVAL_HEADS} |", "|---|" + "---:|" * len(RECALLS)]
    protocols = {}
    for path in sorted(zoo.glob("*/results.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if RECALLS[0] in result["metrics"]:
            cells = [f"`{path.parent.name}`"]
            cells += [_number(result["metrics"][name]) for name in RECALLS]
            lines.append("| " + " | ".join(cells) + " |")
            protocol = result["protocol"]
            protocols[
                f"{protocol['data']}, {protocol['split']} split: {protocol['images']:,} images "
                f"with {protocol['captions']:,} captions; candidates: {protocol['candidates']}; "
                f"Keras {protocol['versions']['keras']} on {protocol['versions']['backend']}."
            ] = None
    return "\n".join([*lines, "", *protocols, ""])


def retrieval_losses_table(paths):
    """Writes what benchmarks of the losses of retrieval came to as a Markdown table.

    Args:
        paths: dict, how the encoders were trained -> path of the JSON file of that benchmark.

    Returns:
        A string.
    """
    lines = [
        f"| Loss | Encoders | {RETRIEVAL_HEADS} | Seconds |",
        "|---|---|" + "---:|" * (len(RECALLS) + 1),
    ]
    facts = []
    for encoders, path in paths.items():
        report = json.loads(path.read_text(encoding="utf-8"))
        for run in report["runs"]:
            cells = [f"`{run['loss']}`", encoders]
            cells += [_number(run["metrics"][name]) for name in RECALLS]
            lines.append("| " + " | ".join([*cells, f"{run['seconds']:,}"]) + " |")
        protocol = report["protocol"]
        seeds, versions = protocol["seeds"], protocol["versions"]
        facts.append(
            f"{encoders[0].upper()}{encoders[1:]}: {protocol['data']}, trained on "
            f"{protocol['trained_on']}, {protocol['split']} split; encoders "
            f"{protocol['encoders']}; seed {', '.join(map(str, seeds))}; "
            f"{protocol['machine']['cores']} CPU cores ({protocol['machine']['cpu']}), shared "
            f"with other work; Keras {versions['keras']} on {versions['backend']}."
        )
    return "\n".join([*lines, "", *facts, ""])


def sentiment_table(zoo):
    """Writes the scores of the presets of opinions in videos as a Markdown table.

    Args:
        zoo: path of the folder that holds `<preset>/results.json`.

    Returns:
        A string.
    """
    columns = {"accuracy": "Accuracy", "f1": "F1 of positive", "weighted_f1": "Weighted F1"}
    lines = ["| Preset | " + " | ".join(columns.values()) + " |", "|---|" + "---:|" * len(columns)]
    protocols = {}
    for path in sorted(zoo.glob("*/results.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if columns.keys() <= result["metrics"].keys():
            cells = [f"`{path.parent.name}`", *[_number(result["metrics"][n]) for n in columns]]
            lines.append("| " + " | ".join(cells) + " |")
            protocol = result["protocol"]
            accuracies = protocol["accuracy_of_seeds"]
            epochs = " and ".join(map(str, protocol["epochs_of_halves"]))
            protocols[
                f"{protocol['data']}: trained on {protocol['trained_on']}, scored on "
                f"{protocol['utterances']:,} of {protocol['videos']} other videos; "
                f"{protocol['split']} (epochs {epochs} of at most "
                f"{protocol['recipe']['epochs']}); mean of {len(accuracies)} seeds, "
                f"accuracy {min(accuracies):.3f} to {max(accuracies):.3f}; Keras "
                f"{protocol['versions']['keras']} on {protocol['versions']['backend']}; "
                f"{cores(protocol['machine'])}, shared with other work."
            ] = None
    return "\n".join([*lines, "", *protocols, ""])


def fusion_mosi_table(path):
    """Writes what a benchmark of fusion came to, best model first, as a Markdown table.

    Args:
        path: path of the JSON file that `benchmarks/fusion_mosi.py` wrote.

    Returns:
        A string.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    heads = "Model | Accuracy | Over seeds | Over videos | F1 | Parameters | CPU seconds"
    lines = [f"| {heads} |", "|---|" + "---:|" * 6]
    for name, model in sorted(report["models"].items(), key=lambda item: -item[1]["accuracy"]):
        cells = [name, _number(model["accuracy"])]
        cells.append(f"± {_number(model['accuracy_spread_over_seeds'])}")
        cells.append(" to ".join(map(_number, model["accuracy_interval_over_videos"])))
        cells += [_number(model["f1"]), f"{model['parameters']:,}"]
        cells.append(f"{model['cpu_seconds_of_all_runs']:.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    train, dev = report["train"], report["dev"]
    facts = (
        f"Trained on {train['utterances']:,} utterances of {train['videos']} videos, scored on "
        f"{dev['utterances']} of {dev['videos']} others, each half of them after the number of "
        f"epochs, at most {report['epochs']}, that is best on the other half; "
        f"{_number(report['majority_accuracy'])} of them are of the more frequent class. Mean and "
        f"standard deviation of {report['seeds']} seeds; over videos, the 95 % interval if other "
        "videos had been drawn (bootstrap). The seconds are of all seeds' trainings and their "
        f"compilation; {report['machine']}, shared with other work; Keras {report['keras']} on JAX "
        f"{report['jax']}."
    )
    return "\n".join([*lines, "", facts, ""])


def missing_modalities_table(path):
    """Writes what models came to without some of the modalities as a Markdown table.

    Args:
        path: path of the JSON file that `benchmarks/fusion_mosi.py` wrote.

    Returns:
        A string.
    """
    models = json.loads(path.read_text(encoding="utf-8"))["without_modalities"]
    lines = ["| What is there | " + " | ".join(models) + " |", "|---|" + "---:|" * len(models)]
    for subset in next(iter(models.values())):
        cells = [subset, *[_number(model[subset]["accuracy"]) for model in models.values()]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def recommendation_table(path):
    """Writes what recommenders came to, over all items and over cold ones, as a Markdown table.

    Args:
        path: path of the JSON file that `benchmarks/recommendation.py` wrote.

    Returns:
        A string.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    names = [
        f"{prefix}{score}@{k}"
        for prefix in ("", "cold_")
        for score in ("recall", "ndcg")
        for k in (10, 20)
    ]
    heads = [name.replace("cold_", "cold ").replace("ndcg", "NDCG") for name in names]
    lines = [f"| Model | {' | '.join(heads)} |", "|---|" + "---:|" * len(names)]
    for model, found in report.items():
        cells = []
        for name in names:
            spread = f" ± {found['std'][name]:.4f}" if len(found["runs"]) > 1 else ""
            cells.append(f"{found['metrics'][name]:.4f}{spread}")
        lines.append(f"| {model.replace('_', ' ')} | {' | '.join(cells)} |")
    found = next(iter(report.values()))
    protocol = found["protocol"]
    seeds = max((each["protocol"]["seeds"] for each in report.values()), key=len)
    machines = sorted({cores(each["machine"]) for each in report.values()})
    facts = (
        f"MovieLens latest-small: {protocol['split']}; {protocol['trained_on']:,} interactions to "
        f"train on, {protocol['tested_on']:,} to foretell, of {protocol['users']} users; full "
        f"sort of {protocol['items']:,} movies. Cold: the {protocol['cold_items']:,} movies that "
        f"nobody took in training, ranked among themselves, for the "
        f"{protocol['users_with_cold_items']} users who took some. Mean and standard deviation "
        f"over the seeds {', '.join(map(str, seeds))}; Keras {found['versions']['keras']} on "
        f"{found['versions']['backend']}; {'; '.join(machines)}."
    )
    return "\n".join([*lines, "", facts, ""])


def filled(path, results):
    """The text of a page, with what belongs there in every table's place.

    Args:
        path: path of the page.
        results: what `score_table` takes.
    """

    tables = {
        "scores": lambda: score_table(results),
        "unseen": lambda: score_table(read_results(ROOT / "zoo", unseen=True)),
        "stages": lambda: stage_table(path.parent),
        "retrieval": lambda: retrieval_table(ROOT / "zoo"),
        "retrieval_losses": lambda: retrieval_losses_table(RETRIEVAL_LOSSES),
        "sentiment": lambda: sentiment_table(ROOT / "zoo"),
        "fusion_mosi": lambda: fusion_mosi_table(FUSION_MOSI),
        "missing_modalities": lambda: missing_modalities_table(FUSION_MOSI),
        "recommendation": lambda: recommendation_table(RECOMMENDATION),
        **{
            name: functools.partial(result_table, *source) for name, source in RESULT_TABLES.items()
        },
    }

    def fill(match):
        return match[1] + tables[match[2]]() + match[3]

    return BLOCK.sub(fill, path.read_text(encoding="utf-8"))


def pages_and_results(root):
    """Yields every page that has a table's place, with the results that belong there."""
    results = read_results(root / "zoo")
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        yield path, results
    for path in sorted((root / "zoo").glob("*/README.md")):
        name = path.parent.name
        yield path, {name: results[name]} if name in results else {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, compare")
    check = parser.parse_args().check
    stale = []
    for path, results in pages_and_results(ROOT):
        old = path.read_text(encoding="utf-8")
        new = filled(path, results)
        if new == old:
            continue
        stale.append(path)
        print(path.relative_to(ROOT))
        if not check:
            part = path.with_name(f".{path.name}.part")
            part.write_text(new, encoding="utf-8")
            os.replace(part, path)
    sys.exit(bool(check and stale))


if __name__ == "__main__":
    main()
