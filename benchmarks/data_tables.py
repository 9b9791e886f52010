"""The tables of docs/ on the speed of metrics and of the input pipeline.

`zoo/update_score_tables.py` inserts them into the pages.
"""

from result_tables import format_cores, markdown_table

SCORES = {"tokens": "tokens", "bleu": "BLEU", "rouge_l": "ROUGE-L", "cider": "CIDEr-D"}


def metrics_speed_table(report):
    """Formats the seconds of each metric, next to pycocoevalcap's."""
    rows = []

    def add(what, images, theirs, ours):
        cells = [f"{images:,}", f"{theirs:.3g}", f"{ours:.3g}", f"{theirs / ours:.1f}"]
        rows.append([what, *cells])

    for run in report["scores"]:
        theirs, ours = run["pycocoevalcap"], run["keras_mmfusion"]
        for name, what in SCORES.items():
            add(what, run["images"], theirs[name]["seconds"], ours[name]["seconds"])
        sums = [sum(each["seconds"] for each in of.values()) for of in (theirs, ours)]
        add("all four", run["images"], *sums)
    for run in report["meteor"]:
        add("METEOR", run["images"], run["jar"]["seconds"], run["keras_mmfusion"]["seconds"])
    batch, meteor = report["self_critical_batch"], report["meteor"][0]
    add(
        "CIDEr-D, of a training step",
        batch["batch"],
        batch["pycocoevalcap"]["seconds"],
        batch["keras_mmfusion"]["seconds"],
    )
    note = (
        f"Five references an image; {report['machine']}, Python {report['python']}. Java's start "
        f"({report['java_start_up']['seconds']:.2f} s) is part of its tokenizer's time. METEOR's "
        f"includes loading its tables: {meteor['jar_start_up']['seconds']:.1f} s in Java, "
        f"{meteor['keras_mmfusion_start_up']['seconds']:.1f} s here, and on a machine's first "
        f"call {meteor['keras_mmfusion_first_start_up']['seconds']:.1f} s. A training step's "
        "rewards use references that were counted before it."
    )
    return markdown_table(
        ["What", "Images", "pycocoevalcap, s", "ours, s", "times faster"], rows, note
    )


def input_pipeline_table(report):
    """Formats images per second, next to a loop that only decodes."""
    heads = [
        "Photos",
        "to",
        "bare loop",
        "in parallel",
        "plain tf.data",
        "`caption_dataset`",
        "`CaptionSequence`",
        "share",
        "in CPU time",
    ]
    ways = (
        "bare_loop_in_turn",
        "bare_loop_in_parallel",
        "plain_tf_data",
        "caption_dataset",
        "caption_sequence",
    )
    rows = [
        [
            name,
            " x ".join(map(str, run["size"])),
            *(f"{run['images_per_second'][way]:,.0f}" for way in ways),
            f"{run['share_of_the_loop_in_parallel']:.2f}",
            f"{run['share_of_the_loop_in_cpu_time']:.2f}",
        ]
        for name, run in report["speed"].items()
    ]
    faster = report["times_faster_by_reduction"]
    differences = "; ".join(
        f"{name}: {each['mean']:.2f} on average, {each['maximum']} at most"
        for name, each in report["differences_by_reduction"].items()
    )
    load = " to ".join(f"{each:.1f}" for each in report["load_average"])
    memory = report["memory"]
    megabytes = memory["resident_megabytes"]
    note = (
        f"Images a second, the best of {report['epochs']} epochs, in batches of "
        f"{report['batch_size']}. The bare loop reads and decodes, one photo after the other or "
        "in parallel; plain tf.data decodes, shrinks by `tf.image.resize(antialias=True)` and "
        "batches; share: `caption_dataset`'s of the parallel loop's. `reduce_jpegs=True` decodes "
        f"at half size: `caption_dataset` is {faster['images_per_second']:.1f} times as fast "
        f"({faster['images_per_cpu_second']:.1f} in CPU time), and the resized pixels differ from "
        f"those without it, of 255 levels: {differences}. "
        f"{format_cores(report['machine'])}, TensorFlow {report['tensorflow']}; load average "
        f"{load}. Resident memory "
        f"over an "
        f"epoch of {memory['images']:,} images: {megabytes[0]:,.0f} to {megabytes[-1]:,.0f} MB."
    )
    return markdown_table(heads, rows, note)


TABLES = {
    "metrics_speed": (metrics_speed_table, "metrics.json", "metrics.py"),
    "input_pipeline": (input_pipeline_table, "input_pipeline.json", "input_pipeline.py"),
}
