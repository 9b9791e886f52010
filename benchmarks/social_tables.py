"""The tables of docs/social_networks.md.

`zoo/update_score_tables.py` inserts them into the page.
"""

from result_tables import format_cores, markdown_table

METHODS = {
    "label_propagation": "label propagation",
    "node2vec": "node2vec (gensim), logistic regression",
    "gcn_structure": "GCN, a vector for each node instead of attributes",
    "logistic_regression": "logistic regression (scikit-learn)",
    "mlp": "MLP",
    "gcn": "GCN",
    "appnp": "personalized PageRank (APPNP)",
    "late_fusion": "late fusion: mean of MLP and GCN of the structure",
    "graph_fusion": "`GraphFusionClassifier`",
    "common_neighbors": "common neighbors",
    "adamic_adar": "Adamic-Adar",
    "attribute_similarity": "cosine similarity of attributes",
    "fusion": "`GraphFusionClassifier` as encoder",
    "louvain": "Louvain (NetworkX)",
    "attributes": "k-means of the attributes",
    "propagated": "k-means of the attributes propagated along edges",
}
STRUCTURE = (
    "label_propagation",
    "node2vec",
    "gcn_structure",
    "common_neighbors",
    "adamic_adar",
    "louvain",
)
ATTRIBUTES = ("logistic_regression", "mlp", "attribute_similarity", "attributes")


def make_table(report, task, metrics, scale):
    """Formats a row for each method that was run.

    Args:
        report: dict, the file of results.
        task: string.
        metrics: dict, metric -> heading.
        scale: number that scores are multiplied by.
    """
    rows, names = [], {"blogcatalog": "BlogCatalog", "flickr": "Flickr"}
    for dataset, methods in report[task].items():
        for name in sorted(methods, key=list(METHODS).index):
            uses = "structure" if name in STRUCTURE else "both"
            uses = "attributes" if name in ATTRIBUTES else uses
            cells = [names.get(dataset, dataset), METHODS[name], uses]
            runs = methods[name]["runs"]
            rows.append(
                [*cells, str(len(runs)), *_format(methods[name], metrics, len(runs), scale)]
            )
    heads = ["Network", "Method", "Uses", "Seeds", *metrics.values()]
    note = f"Keras {report['versions']['keras']} on {report['versions']['backend']}, "
    note += f"{format_cores(report['machine'])}."
    return markdown_table(heads, rows, note, "lll" + "r" * (1 + len(metrics)))


def _format(scores, metrics, runs, scale):
    digits = 1 if scale == 100 else 3
    for metric in metrics:
        mean, spread = (scale * scores[metric][key] for key in ("mean", "std"))
        yield f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if runs > 1 else "")


def node_table(report):
    return make_table(report, "nodes", {"micro_f1": "Micro F1", "macro_f1": "Macro F1"}, 100)


def link_table(report):
    metrics = {"auc": "AUC", "average_precision": "AP", "mrr": "MRR", "hits_at_10": "Hits@10"}
    hard = {f"hard_{name}": f"{heading}, hard" for name, heading in metrics.items()}
    return make_table(report, "links", metrics | hard, 1)


def community_table(report):
    metrics = {"nmi": "NMI", "modularity": "Modularity"}
    return make_table(report, "communities", metrics, 1)


COMMAND = "social.py {} --data DATA --dataset blogcatalog --json benchmarks/results/social.json"
TABLES = {
    "social_nodes": (node_table, "social.json", "python benchmarks/" + COMMAND.format("nodes")),
    "social_links": (link_table, "social.json", "python benchmarks/" + COMMAND.format("links")),
    "social_communities": (
        community_table,
        "social.json",
        "python benchmarks/" + COMMAND.format("communities"),
    ),
}
