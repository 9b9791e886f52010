"""The tables of docs/checkpoints.md on speed and memory, next to transformers.

`zoo/update_score_tables.py` inserts them into the page.
"""

from result_tables import format_cores, format_legend, markdown_table

SIDES = ("ours", "transformers")
CAPTIONERS, DTYPES = ("blip", "git", "vit_gpt2"), ("float32", "bfloat16")
SPEED_TARGETS = {1: 1.0, 3: 1.3}  # By the number of beams.
LOAD_TARGET, MEMORY_TARGET = 1.5, 1.3
NOT_MEASURED = "Not measured yet: run `python benchmarks/checkpoints.py`.\n"
NAMES = {"blip": "BLIP base", "git": "GIT base", "vit_gpt2": "ViT + GPT-2", "clip": "CLIP ViT-B/32"}


def captioning_speed_table(report):
    """Formats the times of captioning next to those of transformers."""
    measured = {(each["model"], each["dtype"]): each["cells"] for each in report["captioners"]}
    rows = []
    for model in CAPTIONERS:
        for dtype in DTYPES:
            cells = measured.get((model, dtype))
            values = [_format_cell(cell) for cell in cells] if cells else [["not measured"] * 6]
            rows += [[NAMES[model], f"`{dtype}`", *each] for each in values]
    heads = ["Model", "Weights", "Batch", "Beams", "Seconds", "transformers", "Times faster"]
    versions = report["versions"]
    loads = [
        each["load_before"]
        for each in (report["machine"], *report["captioners"])
        if "load_before" in each
    ]
    note = format_legend(
        f"Seconds from decoded photos of 500 x 375 pixels to {report['tokens']} token ids.",
        _describe_targets(report),
        f"Keras {versions['keras']} on TensorFlow {versions['tensorflow']}; "
        f"transformers {versions['transformers']} on PyTorch {versions['torch']}; "
        f"{format_cores(report['machine'])}, load average at most {max(loads):.1f} before a "
        "measurement.",
    )
    return markdown_table([*heads, "Identical captions"], rows, note, "ll" + 6 * "r")


def _format_cell(cell):
    return [
        str(cell["batch_size"]),
        str(cell["beams"]),
        f"{cell['seconds']['ours']:.2f}",
        f"{cell['seconds']['transformers']:.2f}",
        f"{cell['times_faster']:.2f}",
        f"{cell['same_captions']:.0%}",
    ]


def _describe_targets(report):
    """Returns the entries of the legend on the targets and the cells that miss them."""
    slow = [
        f"{NAMES[each['model']]}, {each['dtype']}, batch {cell['batch_size']}, "
        f"beams {cell['beams']}"
        for each in report["captioners"]
        for cell in each["cells"]
        if cell["times_faster"] < SPEED_TARGETS[cell["beams"]]
    ]
    targets = "at least 1.0 times as fast, 1.3 times with 3 beams"
    return {"Targets": targets, "Missed by": "; ".join(slow) or "none"}


def checkpoint_parts_table(report):
    """Formats where the CPU time of one photo is spent."""
    rows = [
        [
            NAMES[captioner["model"]],
            f"`{captioner['dtype']}`",
            str(part["beams"]),
            *(
                f"{part['cpu_seconds'][side][name]:.3f}"
                for name in ("preprocessing", "encoder", "rest", "token")
                for side in SIDES
            ),
        ]
        for captioner in report["captioners"]
        for part in captioner.get("parts", [])
    ]
    if not rows:
        return NOT_MEASURED
    heads = ["Model", "Weights", "Beams", "Preprocessing", SIDES[1], "Encoder", SIDES[1]]
    heads += ["Rest", SIDES[1], "Per token", SIDES[1]]
    note = (
        "Seconds of CPU time of all threads for one photo. The rest is done once for each photo, "
        "such as the keys and values of the image."
    )
    return markdown_table(heads, rows, note, "ll" + 9 * "r")


def _list_loads(report):
    loads = [(r["model"], r["dtype"], r["load"], r) for r in report["captioners"]]
    if "embedding" in report:
        loads.append(("clip", "float32", report["embedding"]["load"], report["embedding"]))
    return loads


def checkpoint_loading_table(report):
    """Formats the times of loading."""
    loads = _list_loads(report)
    rows = [
        [
            NAMES[name],
            f"`{dtype}`",
            *(f"{load['seconds'][each]:.2f}" for each in ("ours", "our_preset", "transformers")),
            f"{load['times_longer']:.1f}",
            *(f"{load['first_seconds'][each]:.2f}" for each in SIDES),
        ]
        for name, dtype, load, _ in loads
    ]
    heads = ["Model", "Weights", "Seconds", "as a preset", "transformers", "Times longer"]
    heads += ["First load", "transformers"]
    met = sum(load["times_longer"] <= LOAD_TARGET for _, _, load, _ in loads)
    legend = {
        "Seconds": "the model with its tokenizer and image processor, from float32 files in "
        "the page cache",
        "As a preset": "from the folder that `save_to_preset` writes",
        "First load": "with the imports that a process needs",
    }
    note = format_legend(
        "Times of loading.",
        legend,
        f"The target, at most {LOAD_TARGET} times the time of transformers, is met in {met} of "
        f"{len(loads)} rows.",
    )
    return markdown_table(heads, rows, note, "ll" + 6 * "r")


def checkpoint_memory_table(report):
    """Formats the memory of loading and of captioning."""
    rows = [
        [
            NAMES[name],
            f"`{dtype}`",
            f"{load['weights_megabytes']:,.0f}",
            *(f"{load['peak_megabytes'][each]:,.0f}" for each in SIDES),
            _format_growth(load),
            *(f"{whole['peak_megabytes'][each]:,.0f}" for each in SIDES),
        ]
        for name, dtype, load, whole in _list_loads(report)
    ]
    heads = ["Model", "Weights", "MB of weights", "Peak, loaded", "transformers"]
    heads += ["Growth / weights", "Peak, used", "transformers"]
    legend = {
        "Peak, loaded": "after the first load",
        "Peak, used": "after captioning or embedding",
        "Growth": "of this package's process during the first load, with the modules that it "
        "imports",
    }
    note = format_legend(
        "Resident memory of the process in MB, at its peak.",
        legend,
        f"The target of the growth is at most {MEMORY_TARGET} times the weights.",
    )
    return markdown_table(heads, rows, note, "ll" + 6 * "r")


def _format_growth(load):
    if "megabytes_before" not in load:
        return "not measured"
    growth = load["peak_megabytes"]["ours"] - load["megabytes_before"]["ours"]
    return f"{growth / load['weights_megabytes']:.2f}"


def lora_table(report):
    """Formats the memory of fine-tuning with LoRA."""
    names = {
        "all_parts": "all parts of BLIP base",
        "frozen_image_encoder": "with a frozen image encoder",
    }
    rows = [
        [
            names[name],
            str(run["batch_size"]),
            f"{run['trainable_parameters'] / 1e6:.2f} M",
            f"{run['peak_megabytes']:,}",
        ]
        for name, run in report["runs"].items()
    ]
    heads = ["Adapters", "Batch", "Trainable parameters", "Peak memory, MB"]
    versions = report["versions"]
    note = (
        f"Rank {report['rank']}, photos of 384 x 384 pixels, captions of "
        f"{report['caption_tokens']} tokens, float32, AdamW; Keras {versions['keras']} on "
        f"TensorFlow {versions['tensorflow']}; {format_cores(report['machine'])}."
    )
    return markdown_table(heads, rows, note)


def image_embedding_table(report):
    """Formats the time of embeddings by CLIP."""
    result = report["embedding"]
    row = [
        f"{result['images']:,}",
        str(result["batch_size"]),
        *(f"{result['seconds'][side]:.1f}" for side in ("ours", "transformers")),
        f"{result['times_faster']:.2f}",
        f"{result['least_cosine']:.6f}",
    ]
    heads = ["Photos", "Batch", "Seconds", "transformers", "Times faster", "Least cosine"]
    note = "CLIP ViT-B/32 in float32, from decoded photos to vectors; the cosine of the two sides."
    return markdown_table(heads, [row], note)


TABLES = {
    name: (table, "checkpoints.json", "checkpoints.py")
    for name, table in {
        "checkpoint_speed": captioning_speed_table,
        "checkpoint_parts": checkpoint_parts_table,
        "checkpoint_loading": checkpoint_loading_table,
        "checkpoint_memory": checkpoint_memory_table,
        "checkpoint_embedding": image_embedding_table,
    }.items()
}
TABLES["checkpoint_lora"] = (lora_table, "checkpoint_lora.json", "checkpoint_lora.py")
