"""The tables of docs/explaining.md on the accuracy and the cost of the methods."""

from result_tables import format_cores, markdown_table

LEVELS = {"token": "tokens", "modality": "modalities"}
METHODS = {
    "integrated_gradients": "integrated gradients, {steps} steps",
    "smooth_grad": "SmoothGrad, {steps} samples",
    "grad_cam": "Grad-CAM",
    "occlusion": "occlusion, {cells} cells",
    "shapley": "Shapley values, {shapley_parts} parts, {permutations} permutations",
}


def planted_table(report):
    """Formats the checks of every method on samples with a known cause, best first."""
    rows = []
    for level, name in LEVELS.items():
        checks = [each for each in report["checks"] if each["level"] == level]
        for each in sorted(checks, key=_sort_key):
            hits = each["hits"]
            rows.append(
                [
                    f"`{each['method'].partition('(')[0]}`",
                    name,
                    *(_percent(hits[key]["rate"]) if hits else "" for key in ("words", "steps")),
                    _percent(each["modality_rate"]),
                    _number(each["completeness_error"]),
                    _number(each["randomization_correlation"]),
                    _removal(each["removal"], "deletion"),
                    _removal(each["removal"], "insertion"),
                    f"{1000 * each['seconds']:.0f} ms",
                ]
            )
    heads = ["Method", "Level", "Word", "Step", "Modality", "Completeness error", "Randomized"]
    chance = {name: hits["chance"] for name, hits in report["checks"][0]["hits"].items()}
    random = _removal(report["checks"][0]["removal"], "random")
    note = (
        f"{report['samples']} samples of `make_planted_samples(..., seed={report['seed']})`, and "
        f"the model of `train_planted_model()`, whose accuracy is {report['accuracy']:.3f}. Word, "
        "step: how often the highest value of the deciding modality is that of the deciding token "
        f"(by chance {_percent(chance['words'])} and {_percent(chance['steps'])}). Modality: "
        "how often the deciding modality has the larger share (by chance 50%). Randomized: rank "
        "correlation with the values after the weights are permuted. Deletion, insertion: "
        "normalized areas, means of both modalities; deletion in a random order has "
        f"{random}. Time: median of a sample, on {format_cores(report['machine'])}, shared with "
        f"other work; Keras {report['versions']['keras']} on {report['versions']['backend']}."
    )
    return markdown_table([*heads, "Deletion", "Insertion", "Time"], rows, note, "ll" + "r" * 8)


def _sort_key(checks):
    hits = [each["rate"] for each in checks["hits"].values()]
    return -sum(hits), -checks["modality_rate"], checks["seconds"]


def _removal(removal, kind):
    if not removal:
        return ""
    return f"{sum(each[kind] for each in removal.values()) / len(removal):.2f}"


def _percent(value):
    return "" if value is None else f"{value:.0%}"


def _number(value):
    return "" if value is None else f"{abs(value):.2g}" if abs(value) < 0.01 else f"{value:.2f}"


def captum_table(report):
    """Formats the time of explanations next to Captum."""
    rows = []
    for name, each in report["methods"].items():
        seconds = each["cpu_seconds"]
        ours, keras, torch = (
            seconds.get(peer) for peer in ("ours_on_torch", "captum_of_keras", "captum_of_torch")
        )
        tensorflow = seconds["ours_on_tensorflow"]
        differences = each.get("largest_difference")
        rows.append(
            [
                METHODS[name].format(**report["settings"]),
                *(_milliseconds(x) for x in (ours, tensorflow, keras, torch)),
                "" if keras is None else f"{keras / ours:.2f}",
                f"{torch / ours:.2f}",
                f"{torch / tensorflow:.2f}",
                "random" if differences is None else f"{max(differences.values()):.0e}",
            ]
        )
    heads = [
        "Method",
        "Ours, PyTorch",
        "Ours, TensorFlow",
        "Captum, Keras model",
        "Captum, PyTorch model",
        "Captum, Keras / ours, PyTorch",
        "Captum, PyTorch / ours, PyTorch",
        "Captum, PyTorch / ours, TensorFlow",
        "Difference",
    ]
    peers = report["peers"]
    note = (
        "CPU time of all threads for one explanation, medians of "
        f"{report['repeats']} turns: a convolutional network of images of "
        f"{report['settings']['image']} pixels, fused with a record. Captum "
        f"{peers['captum_of_torch']['captum']} explains the same Keras model on PyTorch, and "
        "a plain PyTorch model with its weights. Difference: the largest one of any value, "
        "relative to the largest value; values of methods with random numbers differ by "
        f"chance. PyTorch {peers['captum_of_torch']['torch']}, "
        f"Keras {peers['ours_on_torch']['keras']}, "
        f"{format_cores(report['machine'])}, shared with other work."
    )
    return markdown_table(heads, rows, note)


def _milliseconds(seconds):
    return "" if seconds is None else f"{1000 * seconds:.0f} ms"


def pointing_table(report):
    """Formats the pointing game: how often the highest value is inside the object."""
    games = report["games"]
    names = list(dict.fromkeys(name for game in games.values() for name in game["methods"]))
    rows = []
    for name in names:
        cells = []
        for game in games.values():
            each = game["methods"].get(name)
            cells.append(
                ""
                if each is None
                else f"{each['rate']:.0%} ({each['low']:.0%} to {each['high']:.0%})"
            )
            cells.append("" if each is None else f"{each['cpu_seconds']:.1f} s")
        rows.append([f"`{name}`", *cells])
    chances = [next(iter(game["methods"].values()))["chance"] for game in games.values()]
    chance = [cell for value in chances for cell in (f"{value:.0%}", "")]
    rows.append(["by chance", *chance])
    heads = ["Method", *(head for kind in games for head in (kind.capitalize(), "Time"))]
    counts = ", ".join(
        f"{game['samples']} {kind} ({game['preset']})" for kind, game in games.items()
    )
    note = (
        f"{counts}; 95% bootstrap intervals over scenes; {report['steps']} steps of gradients, 2 "
        "pairs of permutations for Shapley values. Time: CPU time, median of a scene, on "
        f"{format_cores(report['machine'])}, shared with other work; Keras "
        f"{report['versions']['keras']} on {report['versions']['backend']}; seed {report['seed']}."
    )
    return markdown_table(heads, rows, note)


TABLES = {
    "explain_planted": (
        planted_table,
        "explain_planted.json",
        "python benchmarks/explain.py planted",
    ),
    "explain_captum": (captum_table, "explain_captum.json", "python benchmarks/explain.py captum"),
    "explain_pointing": (
        pointing_table,
        "explain_pointing.json",
        "python benchmarks/explain.py pointing",
    ),
}
