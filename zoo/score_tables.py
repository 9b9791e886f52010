"""Tables of presets, from the files in `zoo/<preset>/`.

Results with a `"table"` entry (see `keras_mmfusion.models.EvaluationResult`) describe their own
columns, so that no list of tasks or metrics is needed here.
"""

import csv
import json
from pathlib import Path

ZOO = Path(__file__).resolve().parent
STAGES = {
    "cross_entropy": "cross-entropy, decoder",
    "fine_tuning": "cross-entropy, with the encoder's last blocks",
    "self_critical": "self-critical",
}
STAGE_METRICS = {"bleu_1": "BLEU-1", "bleu_4": "BLEU-4", "cider": "CIDEr-D"}


def scores_table(name, data=None, zoo=ZOO):
    """Writes the scores of one preset, or of all presets of a task, as a Markdown table.

    Args:
        name: string. A preset, or a task of `card.json`.
        data: string. The name of other data than that of `results.json`.
        zoo: path of the folder that holds `<preset>/card.json` and `<preset>/results*.json`.

    Returns:
        A string: a row for each evaluation, and the protocols.
    """
    results = read_results(name, data, zoo)
    if not results:
        return "Not evaluated yet: `mmfusion evaluate` with `--json zoo/<preset>/results.json`.\n"
    first = results[0][1]["table"]
    metrics = {}
    for _, result in results:
        metrics |= result["table"]["metrics"]
    headings = ["Preset", *first["settings"], *metrics.values()]
    rule = ["---"] * (1 + len(first["settings"])) + ["---:"] * len(metrics)
    lines = [_join(headings), "|" + "|".join(rule) + "|"]
    protocols = {}
    for preset, result in results:
        scores = [_format(result["metrics"].get(metric)) for metric in metrics]
        lines.append(_join([f"`{preset}`", *result["table"]["settings"].values(), *scores]))
        protocols[_describe_protocol(result)] = None
    return "\n".join([*lines, "", *protocols, ""])


def read_results(name, data=None, zoo=ZOO):
    """Reads the evaluations of one preset, or of all presets of a task.

    Args:
        name, data, zoo: see `scores_table`.

    Returns:
        A list of tuples of a preset's name and a result, `results.json` first.
    """
    results = []
    for card in sorted(zoo.glob("*/card.json")):
        if name not in (card.parent.name, _read(card)["task"]):
            continue
        found = {path.name: _read(path) for path in sorted(card.parent.glob("results*.json"))}
        main = found.get("results.json")
        if main is None or "table" not in main:
            continue
        wanted = data or main["protocol"]["data"]
        results += [
            (card.parent.name, result)
            for result in found.values()
            if result["protocol"]["data"] == wanted
        ]
    return results


def stages_table(preset, zoo=ZOO):
    """Writes the training stages of a captioner as a Markdown table.

    Args:
        preset: string.
        zoo: path of the folder that holds `<preset>/log_<stage>.csv`, written by `mmfusion train
            captioner`.

    Returns:
        A string.
    """
    headings = ["Stage", "Epochs", "Best", *STAGE_METRICS.values()]
    lines = [_join(headings), "|---|" + "---:|" * (len(headings) - 1)]
    for stage, description in STAGES.items():
        path = zoo / preset / f"log_{stage}.csv"
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            best = max(rows, key=lambda row: float(row["cider"]))
            scores = [_format(float(best[metric])) for metric in STAGE_METRICS]
            lines.append(_join([description, str(len(rows)), best["epoch"], *scores]))
    return "\n".join([*lines, "", "Greedy captions of dev at the best epoch of each stage.", ""])


def types_table(preset, kind, zoo=ZOO):
    """Writes the accuracy of a question answerer for each type of questions as a Markdown table.

    Args:
        preset: string.
        kind: string. The kind of the types, such as `"answer_type"`.
        zoo: see `scores_table`.

    Returns:
        A string.
    """
    [(_, result), *_] = read_results(preset, zoo=zoo)
    lines = [_join(["Type", "Questions", "Accuracy"]), "|---|---:|---:|"]
    for name, count in result["protocol"]["types"].items():
        if name.startswith(f"{kind}="):
            score = _format(result["metrics"][f"accuracy[{name}]"])
            lines.append(_join([name.removeprefix(f"{kind}="), f"{count:,}", score]))
    return "\n".join([*lines, ""])


def runs_table(preset, zoo=ZOO):
    """Writes the scores of a recipe for each seed as a Markdown table.

    Args:
        preset: string.
        zoo: see `scores_table`.

    Returns:
        A string.
    """
    [(_, result), *_] = read_results(preset, zoo=zoo)
    runs = result["protocol"]["runs"]
    headings = [name.replace("_", " ").capitalize() for name in runs[0]]
    lines = [_join(headings), "|" + "---:|" * len(headings)]
    for run in runs:
        scores = [_format(score) for name, score in run.items() if name != "seed"]
        lines.append(_join([str(run["seed"]), *scores]))
    return "\n".join([*lines, ""])


def presets_table(zoo=ZOO):
    """Lists all presets as a Markdown table.

    Args:
        zoo: path of the folder that holds `<preset>/card.json`.

    Returns:
        A string.
    """
    lines = ["| Preset | Task | Description | License |", "|---|---|---|---|"]
    for path in sorted(zoo.glob("*/card.json")):
        card = _read(path)
        lines.append(
            _join([f"`{path.parent.name}`", card["task"], card["description"], card["license"]])
        )
    return "\n".join([*lines, ""])


def _describe_protocol(result):
    protocol = result["protocol"]
    split = f", {protocol['split']} split" if protocol.get("split") else ""
    versions = protocol["versions"]
    return (
        f"{protocol['data']}{split}: {result['table']['summary']}; Keras {versions['keras']} on "
        f"{versions['backend']}."
    )


def _format(value):
    return "" if value is None else f"{value:.3f}"


def _join(cells):
    return "| " + " | ".join(cells) + " |"


def _read(path):
    return json.loads(path.read_text(encoding="utf-8"))
