"""Recommends friends in a social network, from a table of friendships and one of people.

    python examples/recommend_friends.py circles

The first run writes the folder: `friends.csv` (`source`, `target`) and `people.csv` (`id`,
`attributes`, words separated by spaces). Replace them by your own. `--short` trains for fewer
epochs.
"""

import argparse
import csv
import dataclasses
import pathlib

import numpy as np

from keras_mmfusion.datasets import read_edge_table, split_links
from keras_mmfusion.explain import explain_link
from keras_mmfusion.models.link_prediction import (
    evaluate_link_predictor,
    get_link_recipe,
    make_link_inputs,
    recommend_links,
    train_link_predictor,
)

PEOPLE, CIRCLES = 120, 4
HOBBIES = ["chess", "hiking", "cooking", "jazz", "football", "painting", "running", "gardening"]


def make_tables(folder):
    """Writes people of four circles, which share friends and hobbies."""
    rng = np.random.default_rng(0)
    circles = np.arange(PEOPLE) % CIRCLES
    names = [f"person{i}" for i in range(PEOPLE)]
    pairs = np.unique(np.sort(rng.integers(PEOPLE, size=(3000, 2)), axis=1), axis=0)
    inside = circles[pairs[:, 0]] == circles[pairs[:, 1]]
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & (inside | (rng.random(len(pairs)) < 0.05))]
    likes = rng.random((PEOPLE, 8)) < np.where(np.arange(8) % 4 == circles[:, None], 0.7, 0.1)
    words = [" ".join(np.array(HOBBIES)[each]) for each in likes]
    folder.mkdir(parents=True)
    for name, header, rows in (
        ("friends.csv", ("source", "target"), [(names[a], names[b]) for a, b in pairs]),
        ("people.csv", ("id", "attributes"), zip(names, words, strict=True)),
    ):
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows([header, *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="runs/circles", type=pathlib.Path)
    parser.add_argument("--short", action="store_true", help="fewer epochs")
    args = parser.parse_args()
    if not args.folder.exists():
        make_tables(args.folder)
    graph = read_edge_table(args.folder / "friends.csv", args.folder / "people.csv")
    print(graph)

    split = split_links(graph, negatives=20)
    epochs = 3 if args.short else 40
    recipe = dataclasses.replace(get_link_recipe("gcn"), dim=16, epochs=epochs, patience=10)
    model = train_link_predictor(recipe, graph, split)
    scores = evaluate_link_predictor(model, graph, split.train_edges, split.test).metrics
    for name in ("auc", "mrr", "hard_auc", "hard_mrr"):
        print(f"{name}: {scores[name]:.2f}")

    person = graph.node_ids[0].item()
    [friends] = recommend_links(model, graph, [person], k=3)
    for other, probability in friends:
        print(f"{person} may know {other}: {probability:.2f}")

    pair = graph.find_nodes([person, friends[0][0]])
    steps = 20 if args.short else 200
    why = explain_link(model, make_link_inputs(graph), pair, steps=steps)
    print(f"{person} and {friends[0][0]}, because of these friendships:")
    for source, target, score in why.list_top_edges(3):
        print(f"  {graph.node_ids[source]} - {graph.node_ids[target]}: {score:.2f}")


if __name__ == "__main__":
    main()
