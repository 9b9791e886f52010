"""The tables of docs/benchmarks/captioning.md on speed and memory.

`zoo/update_score_tables.py` inserts them into the pages.
"""

from result_tables import format_cores, markdown_table

PEERS = {
    "without_caches": "without caches",
    "keras_example": "as Keras's example",
    "keras_hub_sampler": "KerasHub's sampler",
    "transformers": "transformers, PyTorch",
}


def format_ratio(ratios):
    """Formats the ratio of the latest run, and the range of several runs.

    Example:

    >>> format_ratio([1.021, 0.897, 0.964])
    '0.96 (0.90 to 1.02)'
    >>> format_ratio([1.021])
    '1.02'
    """
    latest = f"{ratios[-1]:.2f}"
    return f"{latest} ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else latest


def format_runs(runs):
    """Formats the days and machines of the runs of a table.

    Example:

    >>> run = {"date": "2026-11-25", "machine": {"cores": 2, "cpu": "AMD EPYC"}}
    >>> format_runs([run])
    'Measured on 2026-11-25 (2 CPU cores (AMD EPYC))'
    >>> format_runs([run, run]).partition(",")[0]
    'The last of 2 runs'
    """
    days = " and ".join(f"{run['date']} ({format_cores(run['machine'])})" for run in runs)
    if len(runs) == 1:
        return f"Measured on {days}"
    return f"The last of {len(runs)} runs, with the range of all in parentheses, on {days}"


def captioning_speed_table(report):
    """Formats captions per second of each configuration, and the ratios to the peers."""
    runs, rows = report["runs"], []
    cells_of_runs = zip(*(run["generation"]["cells"] for run in runs), strict=True)
    for cells in cells_of_runs:
        cell = cells[-1]
        for start, what in (("from_images", "images"), ("from_image_tokens", "encoded images")):
            rate = cell[start]["captions_per_second"]["ours"]
            ratios = {
                peer: [each[start]["times_faster_than"][peer] for each in cells]
                for peer in cell[start]["times_faster_than"]
            }
            texts = [format_ratio(ratios[peer]) if peer in ratios else "" for peer in PEERS]
            row = [what, str(cell["batch_size"]), str(cell["beams"]), f"{rate:.1f}"]
            rows.append([*row, *texts])
    latest = runs[-1]
    versions = latest["generation"]["versions"]
    note = (
        f"{format_runs(runs)}; "
        f"{latest['search']['tokens']} tokens, all of which "
        f"every search writes; the same captions with caches as without. Keras {versions['keras']} "
        f"on TensorFlow {versions['tensorflow']}, KerasHub {versions['keras_hub']}, transformers "
        f"{versions['transformers']} on PyTorch {versions['torch']}."
    )
    heads = ["From", "Batch", "Beams", "Captions a second", *PEERS.values()]
    return markdown_table(heads, rows, note)


def captioning_training_table(report):
    """Formats training speed next to plain PyTorch, and the times of the parts of a step."""
    runs, rows = report["runs"], []
    latest = runs[-1]
    training, batch = latest["training"], latest["training_batch"]
    for dtype in ("float32", "mixed_bfloat16"):
        rates = training[dtype]["samples_per_second"]
        ratios = [run["training"][dtype]["times_faster_than_plain_torch"] for run in runs]
        rows.append(
            [f"`{dtype}`", *(f"{rate:.1f}" for rate in rates.values()), format_ratio(ratios)]
        )
    parts, command = training["seconds_of_a_batch"], latest["command"]
    note = (
        f"{format_runs(runs)}. "
        f"Images a second, each with {batch['captions_each']} captions of {batch['tokens']} "
        f"tokens, {batch['images']} in a batch; Keras {training['versions']['keras']} on PyTorch "
        f"{training['versions']['torch']}. Of a float32 batch "
        f"from JPEGs the input pipeline takes {parts['input_pipeline']:.2f} s, the frozen encoder "
        f"{parts['encoder']:.2f} s, the decoder's step {parts['decoder_training_step']:.2f} s. "
        f"A cold `mmfusion caption` takes {command['seconds']['caption']:.1f} s, "
        f"{command['times_the_import']:.1f} times the import of TensorFlow and KerasHub."
    )
    return markdown_table(["Decoder in", "ours", "plain PyTorch", "times faster"], rows, note)


def captioning_memory_table(report):
    """Formats the resident memory during captioning."""
    samples, versions = report["resident_megabytes"], report["versions"]
    step = report["images"] // len(samples)
    heads = ["Images", *(f"{step * (n + 1):,}" for n in range(len(samples)))]
    row = ["MB", *(f"{megabytes:,.0f}" for megabytes in samples)]
    note = (
        "The default captioner with 4 beams, from JPEGs, TensorFlow included; Keras "
        f"{versions['keras']} on TensorFlow {versions['tensorflow']}; "
        f"{format_cores(report['machine'])}."
    )
    return markdown_table(heads, [row], note)


TABLES = {
    "captioning_speed": (captioning_speed_table, "captioning.json", "captioning.py"),
    "captioning_training": (captioning_training_table, "captioning.json", "captioning.py"),
    "captioning_memory": (captioning_memory_table, "memory.json", "memory.py"),
}
