"""The tables of docs/checkpoints.md on equality with transformers, from `results/parity.json`.

`zoo/update_score_tables.py` inserts them into the page.
"""

from parity_cases import CASES
from result_tables import format_cores, format_legend, markdown_table

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
PACKAGES = {"transformers": "transformers", "keras": "Keras", **BACKENDS}
NAMES = {
    "blip": "BLIP, captions",
    "blip_vqa": "BLIP, answers",
    "blip_matcher": "BLIP, matching",
    "git": "GIT",
    "git_video": "GIT, video of 6 frames",
    "vit_gpt2": "ViT + GPT-2",
    "vit_bert": "ViT + BERT",
    "vit_roberta": "ViT + RoBERTa",
    "deit_bert": "DeiT + BERT",
    "deit_roberta": "DeiT + RoBERTa",
    "beit_bert": "BEiT + BERT",
    "swin_roberta": "Swin + RoBERTa",
    "vilt": "ViLT",
    "clip": "CLIP",
    "siglip": "SigLIP",
    "llama": "SmolLM2",
    "gpt2": "GPT-2",
}
SIZES = ("full", "tiny")
TARGETS = {"full": 1e-4, "tiny": 1e-5}
LOSS_TARGET = 1e-4
_NOT_MEASURED = "Not measured yet: run `python benchmarks/parity.py {}`.\n"


def parity_table(report):
    """Formats the differences of numbers: one row per architecture and size."""
    heads = [
        "Model",
        "Parameters",
        *BACKENDS.values(),
        "Rounding",
        "Padding",
        "Loss",
        "Gradient",
    ]
    rows = _make_rows(report, NAMES, _format_numbers, len(heads))
    legend = {
        "TensorFlow, JAX, PyTorch": "largest difference of a logit from transformers, both in "
        "float32; – if not measured",
        "Rounding": "the same between transformers in float32 and in float64",
        "Padding": "largest difference between a padded batch and single inputs",
        "Loss": "largest difference; BLIP's matching has none in transformers",
        "Gradient": "largest relative difference of the norm of all gradients",
        "Targets": f"{TARGETS['full']:.0e} for published and {TARGETS['tiny']:.0e} for tiny "
        f"configurations, and {LOSS_TARGET:.0e} for loss and gradient",
        **_describe_misses(report),
    }
    note = format_legend(
        "Both sides have the same random weights: matrices have a standard deviation of 1.6 / "
        "√inputs (0.06 at 768 inputs), scales and biases are jittered, and the output of the end "
        "token is enlarged, so that texts differ and some end early.",
        legend,
        f"{_describe_runs(report)}; {format_cores(report['machine'])}.",
    )
    return markdown_table(heads, rows, note)


def parity_texts_table(report):
    """Formats the shares of identical texts: one row per generating architecture and size."""
    heads = ["Model", "Parameters", "Greedy", "4 beams", "Prompt", "Alone", "bfloat16"]
    cells = [cell for size in SIZES for cell in report.get(size, {}).values()]
    generating = [name for name in NAMES if CASES[name].kind in ("captioner", "question_answerer")]
    legend = {
        "Prompt": "4 beams that begin with given words",
        "Alone": "each text generated alone with 4 beams, compared with the same text in a batch",
        "bfloat16": "greedy texts that equal those of transformers in float32, on TensorFlow",
    }
    note = format_legend(
        "Number of texts with identical ids / number of texts, on all backends together.",
        legend,
        _describe_texts(cells),
    )
    return markdown_table(heads, _make_rows(report, generating, _format_texts, len(heads)), note)


def _make_rows(report, names, format_cell, columns):
    rows = []
    for size in SIZES:
        for name in names:
            cell = report.get(size, {}).get(name)
            if cell is None:
                label = {"full": "published"}.get(size, size)
                rows.append([NAMES[name], label, "not measured", *[""] * (columns - 3)])
                continue
            millions = cell["source"]["parameters"] / 1e6
            label = size if size == "tiny" else f"{millions:.1f} M"
            rows.append([NAMES[name], label, *format_cell(cell)])
    return rows


def _format_numbers(cell):
    backends = cell["backends"]
    logits = [[backends[key]] if key in backends else [] for key in BACKENDS]
    return [
        *(_format_largest(runs, "logits_float32") for runs in logits),
        _format_largest([cell["source"].get("rounding", {})], "logits"),
        *(_format_largest(backends.values(), key) for key in ("padding", "loss", "gradient_norm")),
    ]


def _format_largest(runs, key):
    values = [run[key] for run in runs if key in run]
    return f"{max(values):.1e}" if values else "–"


def _format_texts(cell):
    keys = ("greedy", "beams", "prompted", "single", "bfloat16")
    return [_format_counts(cell["backends"].values(), key) for key in keys]


def _format_counts(runs, key):
    counts = [run[key] for run in runs if key in run]
    if not counts:
        return "–"
    same, total = (sum(count[part] for count in counts) for part in ("same", "of"))
    return f"{same} / {total}"


def _describe_misses(report):
    """Returns the entry of the legend on the numbers that exceed the targets."""
    misses = []
    for size, target in TARGETS.items():
        for name, cell in report.get(size, {}).items():
            for backend, run in cell["backends"].items():
                limits = {"logits_float32": target, "padding": target}
                limits |= dict.fromkeys(("loss", "gradient_norm"), LOSS_TARGET)
                misses += [
                    f"{key.partition('_')[0]} of {NAMES[name]}, {size}, {BACKENDS[backend]}"
                    for key, limit in limits.items()
                    if run.get(key, 0) > limit
                ]
    return {"Above a target": "; ".join(misses)} if misses else {}


def _describe_runs(report):
    """Returns the versions of all processes, and the dates."""
    cells = [cell for size in SIZES for cell in report.get(size, {}).values()]
    runs = [run for cell in cells for run in (cell["source"], *cell["backends"].values())]
    names = {}
    for run in runs:
        for key, version in run["versions"].items():
            names.setdefault(key, set()).add(version)
    versions = ", ".join(
        f"{name} {' and '.join(sorted(names[key]))}"
        for key, name in PACKAGES.items()
        if key in names
    )
    dates = sorted({run["date"] for run in runs})
    return f"{versions}; {' to '.join(dates[:1] + dates[1:][-1:])}"


def _describe_texts(cells):
    counts = [
        (cell["source"]["distinct_beams"], cell["inputs"])
        for cell in cells
        if "distinct_beams" in cell["source"]
    ]
    if not counts:
        return ""
    lowest, highest = (choose(counts, key=lambda each: each[0] / each[1]) for choose in (min, max))
    return (
        f"With 4 beams, a model generates between {lowest[0]} different texts for {lowest[1]} "
        f"inputs and {highest[0]} for {highest[1]}."
    )


def preprocessing_table(report):
    """Formats the comparison of image processors: one row per kind of file."""
    if "preprocessing" not in report:
        return _NOT_MEASURED.format("preprocessing")
    kinds = {}
    ways = ("eager", "tf.data", "graph")
    results = report["preprocessing"]
    for cell in results["processors"].values():
        for way in ways:
            for kind, values in cell[way].items():
                known = kinds.setdefault(kind, {}).setdefault(way, {"largest": 0.0, "share": 0.0})
                known["largest"] = max(known["largest"], values["largest"])
                known["share"] = max(known["share"], values["share_above_1"])
    rows = [
        [f"`{kind}`", *(_format_pixels(cells[way]) for way in ways)]
        for kind, cells in sorted(kinds.items())
    ]
    version = results["versions"]["transformers"]
    legend = {
        "Files": f"{results['files']} photos of odd sizes, by format and color mode",
        "In parentheses": "the share of values that differ by more than 1, if any",
        "Exported graph": "decodes files with TensorFlow's decoders; the others use Pillow's",
        "Transparency": "ignored, as by transformers' `load_image`. If one color of a palette is "
        f"transparent, the processors of transformers {version} with `do_convert_rgb` replace it "
        "by white",
    }
    note = format_legend(
        "Largest difference of a pixel on a scale from 0 to 255, where 1 is the target.",
        legend,
        "The image processors are those of BLIP, CLIP (also of GIT), SigLIP, ViT, DeiT, and ViLT.",
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
        cells = report["tokenization"]["tokenizers"][key]
        row = [name]
        for texts in ("captions", "adversarial"):
            cell = cells[texts]
            row.append(f"{cell['texts']:,}")
            row += [f"{cell[way]['different']}" for way in ("eager", "tf.data")]
        rows.append(row)
    heads = ["Tokenizer", "Captions", "Eager", "tf.data", "Adversarial texts", "Eager", "tf.data"]
    note = (
        "Number of texts, and how many of them get other ids than in transformers, with the "
        "published vocabularies. The captions are the training parts of Flickr8k and COCO captions."
    )
    return markdown_table(heads, rows, note)


COMMAND = "python benchmarks/parity.py"
TABLES = {
    "parity": (parity_table, "parity.json", COMMAND),
    "parity-texts": (parity_texts_table, "parity.json", COMMAND),
    "parity-preprocessing": (preprocessing_table, "parity.json", f"{COMMAND} preprocessing"),
    "parity-tokenization": (tokenization_table, "parity.json", f"{COMMAND} tokenization"),
}
