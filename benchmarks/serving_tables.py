"""The tables of docs/ on serving, from the results of the benchmarks.

`zoo/update_score_tables.py` inserts them into the pages.
"""

from result_tables import format_cores, markdown_table


def billion_table(report):
    """Formats the resources for a billion images for each search."""
    runs = report["runs"]
    per_second = [run["images_per_second_of_a_worker"] for run in runs]
    billions = [run["billion"] for run in runs]
    price, days = billions[0]["dollars_per_worker_hour"], billions[0]["days"]
    rows = {
        "images a second of a worker, measured": [f"{rate:.1f}" for rate in per_second],
        "worker hours = 10⁹ / rate / 3600": [f"{each['worker_hours']:,.0f}" for each in billions],
        f"workers for {days:g} days = worker hours / ({days:g} × 24)": [
            f"{each['workers']:,.0f}" for each in billions
        ],
        f"dollars, if a worker's hour costs ${price:.2f}": [
            f"{each['dollars']:,.0f}" for each in billions
        ],
        "dollars a million": [f"{each['dollars_per_million']:.2f}" for each in billions],
        "seconds until a worker's first caption, measured": [
            f"{run['start_seconds']:.0f}" for run in runs
        ],
    }
    heads = ["", *(f"{run['beams']} beams" if run["beams"] > 1 else "greedy" for run in runs)]
    machine, (width, height) = report["machine"], report["size"]
    note = (
        f"`{runs[0]['preset']}`, {report['images']:,} JPEGs of {width} by {height} pixels, a "
        f"worker of {runs[0]['cores_of_a_worker']} CPU cores ({machine['cpu']}). The price is an "
        "assumption."
    )
    return markdown_table(heads, [[name, *cells] for name, cells in rows.items()], note)


def exported_dtypes_table(report):
    """Formats size, speed and scores of a captioner exported in each dtype."""
    heads = ["Dtype", "MB", "CPU ms a photo, of 32", "Alone", "BLEU-4", "CIDEr-D"]
    rows = [
        [
            dtype,
            f"{run['megabytes']:.1f}",
            f"{1000 * run['cpu_seconds_per_photo_in_batches_of_32']:.0f}",
            f"{1000 * run['cpu_seconds_per_photo_alone']:.0f}",
            f"{run['bleu_4']:.3f}",
            f"{run['cider']:.3f}",
        ]
        for dtype, run in sorted(report["dtypes"].items(), key=lambda each: -each[1]["megabytes"])
    ]
    protocol = report["protocol"]
    note = (
        f"`{protocol['preset']}`, {protocol['beams']} beams, the first {protocol['images']:,} "
        f"images of Flickr8k's {protocol['split']} split, {format_cores(protocol['machine'])}."
    )
    return markdown_table(heads, rows, note)


def load_table(report):
    """Formats the results of an exported captioner under load and next to `generate`."""
    heads = ["Clients", "Captions a second", "Median, ms", "90 %", "99 %"]
    under, beside = report["under_load"], report["beside_generate"]
    rows = [
        [
            str(each["clients"]),
            f"{each['captions_per_second']:.1f}",
            *(f"{each[f'p{percent}_milliseconds']:.0f}" for percent in (50, 90, 99)),
        ]
        for each in under["clients"]
    ]
    memory, rates = under["memory"], beside["captions_per_second"]
    note = (
        f"`{report['preset']}`, {report['beams']} beams, {report['photos']}, "
        f"{format_cores(report['machine'])}, clients and server on one machine. Loaded in "
        f"{under['load_seconds']:.1f} s, first answer after "
        f"{under['first_answer_seconds']:.1f} s more. The server took at most "
        f"{memory['peak_megabytes']:,.0f} MB, and in {memory['minutes']:g} minutes with "
        f"{memory['clients']} clients {_grown(memory['growth'])}. In one process, in turn: "
        f"the SavedModel {rates['exported']:.1f} captions a second, `generate` "
        f"{rates['generate']:.1f}, a ratio of {beside['exported_over_generate']:.2f}."
    )
    return markdown_table(heads, rows, note)


def _grown(growth):
    return f"grew by {growth:.1%}" if growth >= 0.0005 else "did not grow"


TABLES = {
    "billion": (billion_table, "bulk.json", "bulk.py"),
    "exported_dtypes": (exported_dtypes_table, "exported_dtypes.json", "exported_dtypes.py"),
    "load": (load_table, "serving.json", "serving.py"),
}
