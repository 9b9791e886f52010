"""The table of docs/graphs.md on graphs of images.

`zoo/update_score_tables.py` puts it where it belongs.
"""

from result_tables import markdown_table

SCORES = {"bleu_1": "BLEU-1", "bleu_4": "BLEU-4", "meteor": "METEOR", "cider": "CIDEr-D"}


def graph_captioner_table(report):
    """A captioner with and without graph convolutions over its image tokens."""
    rows = []
    for model in report["models"].values():
        what = "`GraphCaptioner`" if model["graph_layers"] else "`TransformerCaptioner`"
        minutes = sum(model["seconds_of_epochs"]) / 60
        for search in report["decoding"]:
            cells = [f"{model[search][score]:.3f}" for score in SCORES]
            rows.append([what, search, *cells, f"{minutes:.0f}"])
    protocol, settings = report["protocol"], report["settings"]
    machine = protocol["machine"]
    facts = (
        f"{protocol['data']}, {protocol['split']} split, {protocol['images']:,} images; length "
        f"penalty {report['decoding']['4 beams']['length_penalty']:g}; "
        f"`{settings['--encoder']}`, frozen, {settings['--epochs']} epochs of cross-entropy on "
        f"{settings['--views']} versions of each image, {settings['--dtype']}, seed "
        f"{settings['--seed']}, on {report['trained_on']}; {machine['cores']} CPU cores "
        f"({machine['cpu']})."
    )
    return markdown_table(["Model", "Search", *SCORES.values(), "Minutes"], rows, facts)


TABLES = {
    "graph_captioner": (graph_captioner_table, "graph_captioner.json", "graph_captioner.py"),
}
