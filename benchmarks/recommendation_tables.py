"""The table of docs/recommendation.md."""

from result_tables import format_cores

METRICS = [
    f"{prefix}{score}@{k}"
    for prefix in ("", "cold_")
    for score in ("recall", "ndcg")
    for k in (10, 20)
]


def recommendation_table(report):
    """Formats the scores of recommenders on all items and on cold items."""
    headings = [name.replace("cold_", "cold ").replace("ndcg", "NDCG") for name in METRICS]
    lines = [f"| Model | {' | '.join(headings)} |", "|---|" + "---:|" * len(METRICS)]
    for model, result in report.items():
        cells = []
        for name in METRICS:
            spread = f" ± {result['std'][name]:.4f}" if len(result["runs"]) > 1 else ""
            cells.append(f"{result['metrics'][name]:.4f}{spread}")
        lines.append(f"| {model.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", _describe(list(report.values())), ""])


def _describe(results):
    protocol, versions = results[0]["protocol"], results[0]["versions"]
    seeds = max((result["protocol"]["seeds"] for result in results), key=len)
    machines = sorted({format_cores(result["machine"]) for result in results})
    return (
        f"MovieLens latest-small: {protocol['split']}; {protocol['trained_on']:,} training "
        f"interactions, {protocol['tested_on']:,} to predict, of {protocol['users']} users; full "
        f"sort of {protocol['items']:,} movies. Cold: the {protocol['cold_items']:,} movies "
        f"without training interactions, ranked among themselves, for "
        f"{protocol['users_with_cold_items']} users. Mean and standard deviation over the seeds "
        f"{', '.join(map(str, seeds))}; Keras {versions['keras']} on {versions['backend']}; "
        f"{'; '.join(machines)}."
    )


TABLES = {
    "recommendation": (recommendation_table, "recommendation.json", "recommendation.py"),
}
