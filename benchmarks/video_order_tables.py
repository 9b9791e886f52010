"""The table of docs/video.md on questions about order and motion."""

from result_tables import format_cores, markdown_table

HEADS = ["Questions", "All frames in order", "Frames in random order", "Middle frame"]
NAMES = {
    "what": "what appears",
    "count": "how many objects appear",
    "first": "what appears first",
    "before": "what appears before the ...",
    "after": "what appears after the ...",
    "direction": "does the ... move left or right",
    "order": "the last four",
    "all": "all",
}


def video_order_table(report):
    """Formats the accuracy of each model for each kind of question, and the best without order."""
    rows = []
    for kind, name in NAMES.items():
        row = [name]
        for model in ("video", "shuffled_frames", "single_frame"):
            cell = _format(report, model, kind)
            limit = report["best_without_order"].get(model, {}).get(kind)
            row.append(cell if limit is None else f"{cell} ({limit:.3f})")
        rows.append(row)
    clips, seeds = report["clips"], report["training"]["seeds"]
    runs = report["models"]["video"]
    minutes = " and ".join(f"{run['seconds'] / 60:.1f}" for run in runs)
    cpu_minutes = " and ".join(f"{run['cpu_seconds'] / 60:.1f}" for run in runs)
    protocol = (
        f"Accuracy on {clips['test']:,} clips, as many of each kind, of {clips['frames']} frames, "
        f"{clips['size']} x {clips['size']} pixels; in parentheses, the best expected accuracy "
        f"without the order of frames. Trained on {clips['train']:,} clips, each used once. All "
        f"frames in order: {_count(seeds)}; {minutes} minutes of training, {cpu_minutes} of CPU "
        f"time. The others: one seed. {format_cores(report['machine'])}, shared with other work; "
        f"Keras {report['versions']['keras']} on {report['versions']['backend']}."
    )
    return markdown_table(HEADS, rows, protocol)


def _format(report, model, kind):
    values = [run["accuracy"][kind] for run in report["models"][model]]
    return f"{sum(values) / len(values):.3f}"


def _count(seeds):
    return "one seed" if len(seeds) == 1 else f"mean of {len(seeds)} seeds"


TABLES = {"video_order": (video_order_table, "video_order.json", "video_order.py")}
