"""The tables of docs/checkpoints.md on equality with transformers, from `results/parity.json`.

`zoo/update_score_tables.py` inserts them into the page.
"""

from result_tables import format_cores, markdown_table

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
NAMES = {
    "blip": "BLIP, captions",
    "blip_vqa": "BLIP, answers",
    "git": "GIT",
    "git_video": "GIT, video of 6 frames",
    "vit_gpt2": "ViT + GPT-2",
    "clip": "CLIP",
    "siglip": "SigLIP",
}
_NOT_MEASURED = "Not measured yet: run `python benchmarks/parity.py {}`.\n"


def parity_table(report):
    """Formats the comparison of models: one row per architecture and size."""
    rows = []
    for size in ("full", "tiny"):
        for name, cell in report.get(size, {}).items():
            backends = cell["backends"]
            rows.append(
                [
                    NAMES.get(name, name),
                    f"{cell['source']['parameters'] / 1e6:.1f} M" if size == "full" else "tiny",
                    *(_format_logits(backends.get(key)) for key in BACKENDS),
                    _format_share(backends, "same_greedy"),
                    _format_share(backends, "same_beams"),
                    _format_share(backends, "same_prompted"),
                    _format_difference(max(each["padding"] for each in backends.values())),
                    _format_gradient(backends),
                    _format_bfloat16(backends),
                ]
            )
    heads = [
        "Model",
        "Parameters",
        *(f"Logits, {name}" for name in BACKENDS.values()),
        "Greedy",
        "4 beams",
        "Prompt",
        "Padding",
        "Loss, gradient",
        "bfloat16",
    ]
    protocol = report["protocol"]
    versions = protocol["versions"]
    note = (
        "Random weights, the same on both sides: matrices with a standard deviation of 1.6 / "
        "√inputs (0.06 at 768 inputs), scales and biases jittered, and the output of the end token "
        "enlarged, so that texts differ and some end early. "
        "Logits: largest absolute difference in float32; – if not measured. Greedy, 4 beams, "
        "Prompt: texts with identical ids / texts, all backends. Padding: largest difference "
        "between a padded batch and single inputs. Loss, gradient: largest difference of the loss, "
        "and relative one of the norm of its gradients. bfloat16: share of greedy texts that equal "
        f"those in float32. {_describe_texts(report)}"
        f"transformers {versions['transformers']}, PyTorch {versions['torch']}, Keras "
        f"{versions['keras']}; {format_cores(protocol['machine'])}."
    )
    return markdown_table(heads, rows, note, "l" + "r" * (len(heads) - 1))


def _format_difference(value):
    return f"{value:.0e}"


def _format_logits(cell):
    return "–" if cell is None else _format_difference(cell["logits"])


def _format_share(backends, key):
    if not any(key in each for each in backends.values()):
        return ""
    inputs = sum(each["inputs"] for each in backends.values())
    same = sum(round(each[key] * each["inputs"]) for each in backends.values())
    return f"{same} / {inputs}"


def _format_gradient(backends):
    if not any("loss" in each for each in backends.values()):
        return ""
    return ", ".join(
        _format_difference(max(each[key] for each in backends.values()))
        for key in ("loss", "gradient_norm")
    )


def _format_bfloat16(backends):
    value = backends.get("tensorflow", {}).get("bfloat16_same_greedy")
    return "" if value is None else f"{value:.0%}"


def _describe_texts(report):
    counts = [
        (cell["source"]["distinct_beams"], cell["inputs"])
        for size in ("full", "tiny")
        for cell in report.get(size, {}).values()
        if "distinct_beams" in cell["source"]
    ]
    if not counts:
        return ""
    lowest, highest = (choose(counts, key=lambda each: each[0] / each[1]) for choose in (min, max))
    return (
        f"With 4 beams, a model generates between {lowest[0]} different texts for {lowest[1]} "
        f"inputs and {highest[0]} for {highest[1]}. "
    )


def preprocessing_table(report):
    """Formats the comparison of image processors: one row per kind of file."""
    if "preprocessing" not in report:
        return _NOT_MEASURED.format("preprocessing")
    kinds = {}
    ways = ("eager", "tf.data", "graph")
    results = report["preprocessing"]
    for name, cell in results.items():
        if name == "files":
            continue
        for way in ways:
            for kind, values in cell[way].items():
                known = kinds.setdefault(kind, {}).setdefault(way, {"largest": 0.0, "share": 0.0})
                known["largest"] = max(known["largest"], values["largest"])
                known["share"] = max(known["share"], values["share_above_1"])
    rows = [
        [f"`{kind}`", *(_format_pixels(cells[way]) for way in ways)]
        for kind, cells in sorted(kinds.items())
    ]
    note = (
        "Largest difference of a pixel from transformers' Pillow processors of BLIP, CLIP, SigLIP "
        f"and ViT, on a scale from 0 to 255; {results['files']} files of odd sizes. In "
        "parentheses, the share of values that differ by more than 1, if any. The graph decodes "
        "files with TensorFlow's decoders, the others with Pillow's. Transparency is ignored, as "
        "by transformers' `load_image`; only where one color of a palette is transparent, the "
        "processors of transformers 5.24 with `do_convert_rgb` replace it by white afterwards."
    )
    return markdown_table(["Files", "Eager", "tf.data", "Exported graph"], rows, note)


def _format_pixels(cell):
    text = f"{cell['largest']:.2f}"
    return text if cell["share"] == 0 else f"{text} ({cell['share']:.2%})"


def tokenization_table(report):
    """Formats the comparison of tokenizers."""
    if "tokenization" not in report:
        return _NOT_MEASURED.format("tokenization")
    names = {"bert": "WordPiece (BERT)", "gpt2": "GPT-2", "clip": "CLIP"}
    rows = []
    for key, name in names.items():
        cells = report["tokenization"][key]
        row = [name]
        for texts in ("captions", "adversarial"):
            cell = cells[texts]
            row.append(f"{cell['texts']:,}")
            row += [f"{cell[way]['different']}" for way in ("eager", "tf.data")]
        rows.append(row)
    heads = ["Tokenizer", "Captions", "Eager", "tf.data", "Adversarial texts", "Eager", "tf.data"]
    note = (
        "Texts, and how many of them have other ids than transformers gives, with the published "
        "vocabularies. Captions: training parts of Flickr8k and COCO captions."
    )
    return markdown_table(heads, rows, note)


COMMAND = "python benchmarks/parity.py"
TABLES = {
    "parity": (parity_table, "parity.json", f"{COMMAND} full"),
    "parity-preprocessing": (preprocessing_table, "parity.json", f"{COMMAND} preprocessing"),
    "parity-tokenization": (tokenization_table, "parity.json", f"{COMMAND} tokenization"),
}
