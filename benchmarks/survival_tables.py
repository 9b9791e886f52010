"""The table of docs/medicine.md."""

from result_tables import format_cores


def survival_table(studies):
    """Formats the concordance indices of all models on the studies."""
    names = [name.upper() for name in studies]
    lines = [f"| model | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    published = [f"{study['published_genes_only']:.3f}" for study in studies.values()]
    lines.append(f"| published network of genes only | {' | '.join(published)} |")
    for name in next(iter(studies.values()))["models"]:
        cells = [
            "{c_index:.3f} ± {std_of_folds:.3f}".format(**study["models"][name])
            for study in studies.values()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", _describe(studies), ""])


def _describe(studies):
    counts = "; ".join(
        f"{name.upper()}, {study['patients']} patients, {study['events']} deaths"
        for name, study in studies.items()
    )
    model = list(next(iter(studies.values()))["models"].values())[-1]
    seeds = f" Networks: mean of seeds {model['seeds']}." if "seeds" in model else ""
    versions = model["versions"]
    return (
        "Harrell's concordance index: mean and standard deviation over MCAT's five folds "
        f"({counts}).{seeds} All settings were selected on a fifth of the training patients of "
        f"each fold, never on the held-out patients. NumPy {versions['numpy']}, Keras "
        f"{versions['keras']} on {versions['backend']}; {format_cores(model['machine'])}."
    )


TABLES = {
    "survival": (survival_table, "survival.json", "survival.py"),
}
