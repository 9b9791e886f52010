"""The table of docs/retrieval.md on losses."""

from result_tables import format_cores

DIRECTIONS = ("image_to_text", "text_to_image")
RECALLS = [f"{direction}_recall_at_{k}" for direction in DIRECTIONS for k in (1, 5, 10)]
HEADINGS = "Image to text R@1 | R@5 | R@10 | Text to image R@1 | R@5 | R@10"


def retrieval_losses_table(frozen, fine_tuned):
    """Formats the scores of each loss with frozen and fine-tuned encoders.

    Args:
        frozen, fine_tuned: dicts, the reports of `retrieval.py` and `retrieval_fine_tuning.py`.
    """
    lines = [f"| Loss | Encoders | {HEADINGS} | Seconds |", "|---|---|" + "---:|" * 7]
    protocols = []
    for encoders, report in {"frozen": frozen, "fine-tuned": fine_tuned}.items():
        for run in report["runs"]:
            scores = [f"{run['metrics'][name]:.3f}" for name in RECALLS]
            cells = [f"`{run['loss']}`", encoders, *scores, f"{run['seconds']:,}"]
            lines.append("| " + " | ".join(cells) + " |")
        protocols.append(f"{encoders.capitalize()}: {_describe(report['protocol'])}")
    return "\n".join([*lines, "", *protocols, ""])


def _describe(protocol):
    versions = protocol["versions"]
    return (
        f"{protocol['data']}, trained on {protocol['trained_on']}, {protocol['split']} split; "
        f"encoders {protocol['encoders']}; seed {', '.join(map(str, protocol['seeds']))}; "
        f"{format_cores(protocol['machine'])}, shared with other work; Keras {versions['keras']} "
        f"on {versions['backend']}."
    )


TABLES = {
    "retrieval_losses": (
        retrieval_losses_table,
        ("retrieval.json", "retrieval_fine_tuning.json"),
        "retrieval.py",
    ),
}
