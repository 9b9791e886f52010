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


def captioning_speed_table(report):
    """Formats captions per second of each configuration, and the ratios to the peers."""
    generation, rows = report["generation"], []
    for cell in generation["cells"]:
        for start, what in (("from_images", "images"), ("from_image_tokens", "encoded images")):
            result = cell[start]
            factors = result["times_faster_than"]
            cells = [f"{result['captions_per_second']['ours']:.1f}"]
            cells += [f"{factors[peer]:.2f}" if peer in factors else "" for peer in PEERS]
            rows.append([what, str(cell["batch_size"]), str(cell["beams"]), *cells])
    versions = generation["versions"]
    note = (
        f"{format_cores(report['machine'])}; {report['search']['tokens']} tokens, all of which "
        f"every search writes; the same captions with caches as without. Keras {versions['keras']} "
        f"on TensorFlow {versions['tensorflow']}, KerasHub {versions['keras_hub']}, transformers "
        f"{versions['transformers']} on PyTorch {versions['torch']}."
    )
    heads = ["From", "Batch", "Beams", "Captions a second", *PEERS.values()]
    return markdown_table(heads, rows, note)


def captioning_training_table(report):
    """Formats training speed next to plain PyTorch, and the times of the parts of a step."""
    training, batch = report["training"], report["training_batch"]
    rows = []
    for dtype in ("float32", "mixed_bfloat16"):
        rates = training[dtype]["samples_per_second"]
        factor = training[dtype]["times_faster_than_plain_torch"]
        rows.append([f"`{dtype}`", *(f"{rate:.1f}" for rate in rates.values()), f"{factor:.2f}"])
    parts, command = training["seconds_of_a_batch"], report["command"]
    note = (
        f"Images a second, each with {batch['captions_each']} captions of {batch['tokens']} "
        f"tokens, {batch['images']} in a batch; Keras {training['versions']['keras']} on PyTorch "
        f"{training['versions']['torch']}; {format_cores(report['machine'])}. Of a float32 batch "
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
