"""The tables of docs/benchmarks/graphs.md on speed, on Cora and on graphs of images.

`zoo/update_score_tables.py` inserts them into the pages.
"""

from result_tables import format_cores, markdown_table

SCORES = {"bleu_1": "BLEU-1", "bleu_4": "BLEU-4", "meteor": "METEOR", "cider": "CIDEr-D"}
PAPERS = {
    "gcn": "81.5",
    "gat": "83.0 ± 0.7",
    "appnp": "83.3, as the paper of GCNII has it",
    "gcn2": "85.5 ± 0.5",
}
GRAPHS = {
    "cora": "Cora",
    "cora_entries": "Cora, features as entries",
    "arxiv_size": "{nodes:,} nodes, {edges:,} edges, {dim} features",
}


def speed_table(report):
    """Formats the time of a GCN's training step next to other libraries."""
    versions = report["versions"]
    names = {
        "ours_on_jax": "this library, on JAX",
        "ours_on_torch": "this library, on PyTorch",
        "ours_on_tensorflow": "this library, on TensorFlow",
        "torch_geometric": f"PyTorch Geometric {versions['torch_geometric']}",
        "tensorflow_gnn": f"TF-GNN {versions['tensorflow_gnn']}, GCNConv",
        "spektral": f"Spektral {versions['spektral']}",
    }
    seconds = [report["graphs"][graph]["seconds"] for graph in GRAPHS]
    rows = [[what, *(_time(each.get(name)) for each in seconds)] for name, what in names.items()]
    graphs = [what.format(**report["arxiv_size"]) for what in GRAPHS.values()]
    machine, model = report["machine"], report["model"]
    note = (
        f"A training step of {model['layers']} layers with {model['hidden']} hidden units on the "
        f"whole graph, {model['optimizer']}; medians of turns, on Cora of "
        f"{report['steps_a_turn']['cora']} steps each; Keras {versions['ours'][0]['keras']}, "
        f"{format_cores(machine)}."
    )
    return markdown_table(["Library", *graphs], rows, note)


def _time(seconds):
    if seconds is None:
        return "not possible"
    return f"{seconds:.2f} s" if seconds > 0.5 else f"{1000 * seconds:.1f} ms"


def planetoid_table(report):
    """Formats the accuracy of each node classifier on Cora next to that of its paper."""
    rows, environments = [], set()
    models = report["cora"]
    for name in sorted(models, key=list(PAPERS).index):
        metrics = models[name]["metrics"]
        mean, spread = (100 * metrics[key] for key in ("test_accuracy", "test_accuracy_std"))
        runs = str(len(models[name]["runs"]))
        rows.append([f"`{name}`", runs, f"{mean:.2f} ± {spread:.2f}", PAPERS[name]])
        for part in models[name]["parts"]:
            versions = part["versions"]
            environment = f"Keras {versions['keras']} on {versions['backend']}, "
            environment += format_cores(part["machine"])
            environments.add(environment)
    heads = ["Model", "Runs", "Test accuracy, mean ± standard deviation", "The paper's"]
    note = f"Seeds from 0 on; {'; '.join(sorted(environments))}."
    return markdown_table(heads, rows, note)


def graph_captioner_table(report):
    """Formats the scores of a captioner with and without graph convolutions."""
    rows = []
    for model in report["models"].values():
        what = "`GraphCaptioner`" if model["graph_layers"] else "`TransformerCaptioner`"
        minutes = sum(model["seconds_of_epochs"]) / 60
        for search in report["decoding"]:
            cells = [f"{model[search][score]:.3f}" for score in SCORES]
            rows.append([what, search, *cells, f"{minutes:.0f}"])
    protocol, settings = report["protocol"], report["settings"]
    note = (
        f"{protocol['data']}, {protocol['split']} split, {protocol['images']:,} images; length "
        f"penalty {report['decoding']['4 beams']['length_penalty']:g}; "
        f"`{settings['--encoder']}`, frozen, {settings['--epochs']} epochs of cross-entropy on "
        f"{settings['--views']} versions of each image, {settings['--dtype']}, seed "
        f"{settings['--seed']}, on {report['trained_on']}; {format_cores(protocol['machine'])}."
    )
    return markdown_table(["Model", "Search", *SCORES.values(), "Minutes"], rows, note)


TABLES = {
    "graph_layers": (speed_table, "graph_layers.json", "graph_layers.py --planetoid DATA"),
    "planetoid": (planetoid_table, "planetoid.json", "planetoid.py"),
    "graph_captioner": (graph_captioner_table, "graph_captioner.json", "graph_captioner.py"),
}
