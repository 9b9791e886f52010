"""The tables of docs/benchmarks/fusion.md on the speed of the layers.

`zoo/update_score_tables.py` inserts them into the pages.
"""

from result_tables import format_cores, markdown_table

PASSES = ("forward", "forward_and_backward")
PEERS = {
    "times_plain_torch": "`nn.MultiheadAttention`",
    "times_keras": "`keras.layers.MultiHeadAttention`, on PyTorch",
    "times_keras_on_tensorflow_xla": "the same on TensorFlow, with XLA",
}


def cross_attention_speed_table(report):
    """Formats the time of `CrossModalAttention` relative to its peers, and its memory."""
    rows = []
    for cell in report["cross_attention"].values():
        what = f"{cell['batch']} times {cell['query_tokens']} tokens over {cell['key_tokens']:,}"
        for peer, name in PEERS.items():
            rows.append([what, name, *(f"{cell[kind][peer]:.2f}" for kind in PASSES)])
    memory = report["memory_of_cross_attention"]["megabytes"]
    note = f"{_describe_protocol(report)} Over "
    note += f"{_listed(f'{int(keys):,}' for keys in memory)} keys it takes "
    note += f"{_listed(f'{megabytes:.0f}' for megabytes in memory.values())} MB."
    return markdown_table(["`CrossModalAttention`", "beside", "forward", "both"], rows, note)


def fusion_speed_table(report):
    """Formats the time of each rule relative to plain PyTorch."""
    rows = [
        [f"`{name}`", *(f"{rule[kind]['times_plain_torch']:.2f}" for kind in PASSES)]
        for name, rule in report["rules"].items()
    ]
    slower = [
        f"`{name}`"
        for name, rule in report["rules"].items()
        if rule["forward_and_backward"]["times_plain_torch"] > 1.2
    ]
    within = len(rows) - len(slower)
    others = f"; not so: {', '.join(slower)}" if slower else ""
    note = f"{_describe_protocol(report)} In training {within} of the {len(rows)} rules are within "
    note += f"1.2 times of PyTorch{others}. The largest tensor "
    note += f"of the tensor fusion has {report['tensor_fusion']['largest']:,} numbers, its "
    note += f"formula's {report['tensor_fusion']['of_the_formula']:,}."
    return markdown_table(["Rule", "forward", "both"], rows, note)


def soft_dtw_table(report):
    """Formats the seconds of soft-DTW next to other implementations."""
    names = {
        "keras_mmfusion_xla": "`solve_soft_dtw`, compiled by XLA",
        "keras_mmfusion_eager": "`solve_soft_dtw`, eager on TensorFlow",
        "tslearn": "tslearn, compiled by numba, one pair at a time",
        "numpy_loop": "a NumPy loop over pairs of tokens, vectorized over the batch",
        "torch_loop": "the same loop in PyTorch with automatic gradients",
    }
    factors = {"keras_mmfusion_xla": 1.0, **report["times_faster_by_xla"]}
    rows = [[what, f"{report['seconds'][n]:.2f}", f"{factors[n]:.1f}"] for n, what in names.items()]
    note = (
        f"{report['machine']}, shared with other work; Keras {report['keras']}, TensorFlow "
        f"{report['tensorflow']}."
    )
    return markdown_table(["Implementation", "seconds", "times the first"], rows, note)


def _describe_protocol(report):
    versions = report["versions"]
    return (
        f"Medians of {report['repeats']} turns on {format_cores(report['machine'])}; Keras "
        f"{versions['keras']}, PyTorch {versions['torch']}, TensorFlow {versions['tensorflow']}."
    )


def _listed(words):
    *most, last = words
    return f"{', '.join(most)} and {last}"


TABLES = {
    "cross_attention_speed": (
        cross_attention_speed_table,
        "fusion_layers.json",
        "fusion_layers.py",
    ),
    "fusion_speed": (fusion_speed_table, "fusion_layers.json", "fusion_layers.py"),
    "soft_dtw": (soft_dtw_table, "soft_dtw.json", "soft_dtw.py"),
}
