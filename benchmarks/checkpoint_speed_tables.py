"""The tables of docs/checkpoints.md on speed and memory, next to transformers.

`zoo/update_score_tables.py` inserts them into the page.
"""

from result_tables import format_cores, markdown_table

NAMES = {"blip": "BLIP base", "git": "GIT base", "vit_gpt2": "ViT-GPT2", "clip": "CLIP ViT-B/32"}


def captioning_speed_table(report):
    """Formats the times of captioning next to those of transformers."""
    rows = [
        [
            NAMES[captioner["model"]],
            f"`{captioner['dtype']}`",
            str(cell["batch_size"]),
            str(cell["beams"]),
            f"{cell['seconds']['ours']:.2f}",
            f"{cell['seconds']['transformers']:.2f}",
            f"{cell['times_faster']:.2f}",
            f"{cell['same_captions']:.0%}",
        ]
        for captioner in report["captioners"]
        for cell in captioner["cells"]
    ]
    heads = ["Model", "Weights", "Batch", "Beams", "Seconds", "transformers", "Times faster"]
    versions = report["versions"]
    note = (
        f"From decoded photos of 500 x 375 pixels to {report['tokens']} token ids; "
        f"{format_cores(report['machine'])}. Keras {versions['keras']} on TensorFlow "
        f"{versions['tensorflow']}; transformers {versions['transformers']} on PyTorch "
        f"{versions['torch']}."
    )
    return markdown_table([*heads, "Identical captions"], rows, note, "ll" + 6 * "r")


def checkpoint_loading_table(report):
    """Formats the times and the memory of loading."""
    loads = [(r["model"], r["dtype"], r["load"], r) for r in report["captioners"]]
    if "embedding" in report:
        loads.append(("clip", "float32", report["embedding"]["load"], report["embedding"]))
    rows = [
        [
            NAMES[name],
            f"`{dtype}`",
            *(f"{load['seconds'][each]:.2f}" for each in ("ours", "our_preset", "transformers")),
            *(f"{load['first_seconds'][each]:.2f}" for each in ("ours", "transformers")),
            *(f"{load['peak_megabytes'][each]:,.0f}" for each in ("ours", "transformers")),
            *(f"{whole['peak_megabytes'][each]:,.0f}" for each in ("ours", "transformers")),
        ]
        for name, dtype, load, whole in loads
    ]
    heads = ["Model", "Weights", "Seconds", "as a preset", "transformers"]
    heads += ["first", "transformers", "MB loaded", "transformers", "MB used", "transformers"]
    note = (
        "The model with its tokenizer and image processor, from float32 files in the page cache. "
        '"First" is the first load of a process, with the imports that it needs. Memory is the '
        "peak of the process after the first load, and after captioning or embedding."
    )
    return markdown_table(heads, rows, note, "ll" + 9 * "r")


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
        "checkpoint_loading": checkpoint_loading_table,
        "checkpoint_embedding": image_embedding_table,
    }.items()
}
