"""`mmfusion evaluate`: scores of a preset, with all that is needed to read and repeat them."""

import dataclasses
import enum
import os
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli.json_file import check_json_file, write_json
from keras_mmfusion.cli.quiet_import import import_keras
from keras_mmfusion.cli.score import Metrics, chosen_metrics
from keras_mmfusion.models.captioning.decoding.decoding_arguments import MAX_BEAMS
from keras_mmfusion.zoo.presets import resolve_preset

app = typer.Typer(no_args_is_help=True)


Folder = Annotated[
    pathlib.Path | None, typer.Option(help="Folder in Flickr8k's or MS COCO captions' layout.")
]
Split = Annotated[
    str | None, typer.Option(help="With --data: a split's name, or a file of image names.")
]
Images = Annotated[pathlib.Path | None, typer.Option(help="Instead of --data: a folder of images.")]
Captions = Annotated[
    pathlib.Path | None,
    typer.Option(help="With --images: a CSV file with the columns image and caption."),
]


class NodeModel(enum.StrEnum):
    """Classifiers of nodes; their recipes, which import Keras, have the same names."""

    GCN = "gcn"
    GAT = "gat"
    APPNP = "appnp"
    GCN2 = "gcn2"


class RecommenderModel(enum.StrEnum):
    """Recommenders; their recipes, which import Keras, have the same names."""

    POPULARITY = "popularity"
    BPR = "bpr"
    VBPR = "vbpr"
    LIGHT_GCN = "light_gcn"
    GRAPH_FUSION = "graph_fusion"


@app.callback()
def evaluate():
    """Score a preset on a data set, and write the scores with their protocol."""


@app.command()
def captioner(
    data: Folder = None,
    split: Split = None,
    images: Images = None,
    captions: Captions = None,
    preset: Annotated[
        str, typer.Option(help="A preset's name, a preset folder, or an hf:// handle.")
    ] = "captioner_flickr8k_lite0",
    beams: Annotated[
        int, typer.Option(min=1, max=MAX_BEAMS, help="Width of the search; 1 is greedy.")
    ] = 4,
    length_penalty: Annotated[
        float, typer.Option(min=-2, max=10, help="Power of the length that scores are divided by.")
    ] = 0.7,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first images.")] = None,
    metric: Metrics = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images decoded together.")] = 32,
    json_file: Annotated[
        pathlib.Path | None,
        typer.Option("--json", help="Write metrics, protocol and every sample to this file."),
    ] = None,
):
    """Score an image captioner against the captions that people wrote: corpus scores."""
    # What can be wrong with the arguments, before TensorFlow is imported.
    metrics = chosen_metrics(metric)
    pairs, data_protocol = _read_pairs(data, split, images, captions, limit, json_file)
    resolve_preset(preset)

    import_keras()
    from keras_mmfusion.models.captioning.training.caption_evaluation import evaluate_captioner
    from keras_mmfusion.zoo import captioner as load_captioner

    results = evaluate_captioner(
        load_captioner(preset),
        pairs,
        beams,
        length_penalty,
        metrics,
        batch_size,
        _progress("Captioning"),
    )
    _report(results, {**_preset_facts(preset), **data_protocol}, json_file)


@app.command()
def retrieval(
    data: Folder = None,
    split: Split = None,
    images: Images = None,
    captions: Captions = None,
    preset: Annotated[
        str, typer.Option(help="A preset's name, a preset folder, or an hf:// handle.")
    ] = "image_text_flickr8k",
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first images.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images embedded together.")] = 32,
    json_file: Annotated[
        pathlib.Path | None,
        typer.Option("--json", help="Write metrics, protocol and every sample to this file."),
    ] = None,
):
    """Score a model of photos and sentences: recall and median rank, in both directions."""
    pairs, data_protocol = _read_pairs(data, split, images, captions, limit, json_file)
    resolve_preset(preset)

    import_keras()
    from keras_mmfusion.models.retrieval.retrieval_evaluation import evaluate_retrieval
    from keras_mmfusion.zoo import embedder

    results = evaluate_retrieval(embedder(preset), pairs, batch_size, _progress("Embedding"))
    _report(results, {**_preset_facts(preset), **data_protocol}, json_file)


@app.command()
def sentiment(
    data: Annotated[
        pathlib.Path,
        typer.Option(help=".npz file in the layout of CMU-MOSI's features, see `read_cmu_mosi`."),
    ],
    preset: Annotated[
        str, typer.Option(help="A preset's name, a preset folder, or an hf:// handle.")
    ] = "sentiment_mosi",
    batch_size: Annotated[int, typer.Option(min=1, help="Videos of a batch.")] = 16,
    json_file: Annotated[
        pathlib.Path | None,
        typer.Option("--json", help="Write metrics, protocol and every sample to this file."),
    ] = None,
):
    """Score a model of opinions in videos: negative or positive, by accuracy and F1."""
    from keras_mmfusion.datasets import read_cmu_mosi

    # What can be wrong with the arguments, before Keras is imported.
    check_json_file(json_file)
    utterances = read_cmu_mosi(data)
    resolve_preset(preset)

    import_keras()
    from keras_mmfusion.models.sentiment.sentiment_evaluation import (
        check_features,
        evaluate_sentiment,
    )
    from keras_mmfusion.zoo import sentiment as load_sentiment
    from keras_mmfusion.zoo.manifest import compute_sha256

    model = load_sentiment(preset)
    try:
        check_features(model, utterances.features)
    except ValueError as error:
        raise ValueError(f"{os.fspath(data)!r} does not fit the preset. {error}") from error
    results = evaluate_sentiment(model, utterances, batch_size)
    protocol = {
        **_preset_facts(preset),
        "data": data.name,
        "data_sha256": compute_sha256(data),
    }
    _report(results, protocol, json_file)


@app.command()
def nodes(
    data: Annotated[pathlib.Path, typer.Option(help="Folder of Planetoid's files, ind.*.")],
    dataset: Annotated[str, typer.Option(help="cora, citeseer or pubmed.")] = "cora",
    model: Annotated[NodeModel, typer.Option(help="How nodes are classified.")] = NodeModel.GCN,
    runs: Annotated[int, typer.Option(min=1, help="Trainings, from the seeds 0, 1, 2, ...")] = 10,
    json_file: Annotated[
        pathlib.Path | None,
        typer.Option("--json", help="Write metrics, protocol and every run to this file."),
    ] = None,
):
    """Train a classifier of a graph's nodes, several times, and score it on the test nodes."""
    from keras_mmfusion.datasets.graphs.planetoid import read_planetoid

    check_json_file(json_file)
    graph = read_planetoid(data, dataset)

    import_keras()
    from keras_mmfusion.models.node_classification import evaluate_node_classifier

    results = evaluate_node_classifier(
        model.value, graph, runs, progress=_progress("Training", runs)
    )
    _report(results, {"data": data.resolve().name, "dataset": dataset}, json_file)


@app.command()
def recommender(
    data: Annotated[
        pathlib.Path,
        typer.Option(
            help="Folder of what to train on: MovieLens' ratings.csv and movies.csv; or "
            "interactions.csv, items.txt and a <modality>.npy for each modality."
        ),
    ],
    test: Annotated[
        pathlib.Path, typer.Option(help="CSV file of later interactions, with the same columns.")
    ],
    model: Annotated[
        RecommenderModel, typer.Option(help="What recommends.")
    ] = RecommenderModel.GRAPH_FUSION,
    features: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="Folder for what the encoders make of MovieLens' movies: read if it is there, "
            "else written, so that they run once."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the weights, the batches and the dropout.")
    ] = 0,
    json_file: Annotated[
        pathlib.Path | None,
        typer.Option("--json", help="Write metrics, protocol and every user to this file."),
    ] = None,
):
    """Train a recommender, and score how well it foretells what users take next."""
    from keras_mmfusion.datasets import ItemFeatures, read_recommender_tables
    from keras_mmfusion.zoo.movie_encoders import check_movie_encoders, load_item_features

    # What can be wrong with the arguments, before Keras is imported.
    check_json_file(json_file)
    tables = read_recommender_tables(data, test)

    import_keras()
    from keras_mmfusion.models.recommendation import (
        describe_recipe,
        evaluate_recommender,
        get_recommender_recipe,
        train_recommender,
    )
    from keras_mmfusion.zoo.manifest import compute_sha256

    recipe = dataclasses.replace(get_recommender_recipe(model.value), seed=seed)
    if recipe.model.uses_features:
        check_movie_encoders(tables.items, features)
        items = load_item_features(tables.items, features, _progress("Encoding"))
    else:
        items = ItemFeatures(tables.items.item_ids, {})
    trained = train_recommender(recipe, tables.interactions, items)
    results = evaluate_recommender(trained, tables.test)
    protocol = {
        "model": model.value,
        "recipe": describe_recipe(recipe),
        "modalities": list(trained.feature_dims),
        "seeds": [seed],
        "data": data.resolve().name,
        "test": test.name,
        "test_sha256": compute_sha256(test),
    }
    _report(results, protocol, json_file)


def _read_pairs(data, split, images, captions, limit, json_file):
    """What to score on, once it is sure that results can be written, and the protocol's words."""
    from keras_mmfusion.cli.caption_data import data_facts, read_pairs

    check_json_file(json_file)
    pairs = read_pairs(data, split, images, captions)
    protocol = {**data_facts(data, split, images, captions), "limit": limit}
    return pairs if limit is None else pairs.take(limit), protocol


def _preset_facts(preset):
    from keras_mmfusion.zoo.presets import get_fingerprint

    is_folder = pathlib.Path(preset).is_dir()
    return {
        "preset": pathlib.Path(preset).resolve().name if is_folder else preset,
        "preset_hash": get_fingerprint(preset),
    }


def _report(results, protocol, json_file):
    """Prints the metrics, and writes everything with its whole protocol."""
    from keras_mmfusion._provenance import machine, versions

    width = max(15, *map(len, results.metrics))
    for name, value in results.metrics.items():
        typer.echo(f"{name:{width}} {value:.4f}")
    if "meteor" in results.protocol:
        typer.echo(f"{'meteor_variant':{width}} {results.protocol['meteor']}")
    if json_file is not None:
        environment = {"versions": versions(), "machine": machine()}
        write_json(results.add_protocol(**protocol, **environment).to_json(), json_file)


def _progress(description, total=None):
    """A function that passes things on and shows how far it is."""

    def progress(things):
        from rich.console import Console
        from rich.progress import track

        return track(things, description, total, console=Console(stderr=True))

    return progress
