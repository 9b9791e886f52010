"""The tables of docs/benchmarks/gpu.md, from the GPU benchmark and `gpu/photo_quality.py`.

`zoo/update_score_tables.py` inserts them into the pages.
"""

from result_tables import format_cores, markdown_table

SIDES = ("keras_mmfusion on jax", "keras_mmfusion on torch", "plain torch")
# JAX reports the peak of all cases so far, not of one case.
SIDES_WITH_MEMORY = SIDES[1:]


def speed_table(report):
    """Formats the milliseconds of every case, and the reached share of the GPU's peak."""
    if report["device"] == "cpu":
        return "GPU performance has not been measured: the results are of a CPU.\n"
    heads = ["Case", "Dtype", *(f"{side}, ms" for side in SIDES)]
    heads += [*(f"{side}, MB" for side in SIDES_WITH_MEMORY), "Share of the peak"]
    result = {(row["case"], row["dtype"], row["side"]): row for row in report["rows"]}
    cases = dict.fromkeys((row["case"], row["dtype"]) for row in report["rows"])
    rows = []
    for case, dtype in cases:
        sides = [result.get((case, dtype, side), {}) for side in SIDES]
        peaks = [
            result.get((case, dtype, side), {}).get("peak_bytes") for side in SIDES_WITH_MEMORY
        ]
        memory = ["-" if peak is None else f"{peak / 1e6:,.0f}" for peak in peaks]
        times = [f"{1000 * row['seconds']:.2f}" if "seconds" in row else "-" for row in sides]
        shares = [row["share_of_bfloat16_peak"] for row in sides if "share_of_bfloat16_peak" in row]
        rows.append([case, dtype, *times, *memory, f"{max(shares):.1%}" if shares else "-"])
    note = (
        f"{report['device']}; {', '.join(f'{k} {v}' for k, v in report['versions'].items())}. The "
        f"peak is a product of bfloat16 matrices on it, {report['bfloat16_matrix_peak']:.3g} "
        "operations a second; the share is of the quickest side."
    )
    return markdown_table(heads, rows, note)


def photo_quality_table(report):
    """Formats the scores of a captioner, trained on original photos, on re-encoded dev photos."""
    heads = ["Photos", "kB each", "BLEU-4", "CIDEr-D"]
    rows = [
        [
            "as they are" if row["quality"] is None else f"{row['format']} {row['quality']}",
            f"{row['bytes_per_photo'] / 1000:.1f}",
            f"{row['bleu_4']:.3f}",
            f"{row['cider']:.3f}",
        ]
        for row in report["settings"]
    ]
    note = (
        f"`{report['preset']}`, {report['search']} search, the {report['images']:,} photos of "
        f"Flickr8k's {report['split']} split, {format_cores(report['machine'])}."
    )
    return markdown_table(heads, rows, note)


TABLES = {
    "gpu_speed": (speed_table, "gpu.json", "bash gpu/run.sh OUT benchmarks"),
    "photo_quality": (photo_quality_table, "gpu_photo_quality.json", "python gpu/photo_quality.py"),
}
