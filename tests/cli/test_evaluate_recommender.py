import json

import pytest
from models.recommendation.planted_tastes import make_interactions
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion.cli.evaluate import RecommenderModel
from keras_mmfusion.cli.main import app
from keras_mmfusion.datasets import write_item_features

TRAIN, TEST, ITEMS = make_interactions()


def write_table(path, interactions, header="user,item,timestamp"):
    columns = (interactions.users, interactions.items, interactions.timestamps)
    rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")


@pytest.fixture
def folder(tmp_path):
    write_item_features(ITEMS, tmp_path / "data")
    write_table(tmp_path / "data" / "interactions.csv", TRAIN)
    write_table(tmp_path / "later.csv", TEST)
    return tmp_path


def run(folder, *arguments):
    target = folder / "results.json"
    command = CliRunner().invoke(
        app,
        ["evaluate", "recommender", "--data", str(folder / "data"), "--json", str(target)]
        + ["--test", str(folder / "later.csv"), *arguments],
    )
    return command, json.loads(target.read_text()) if target.exists() else None


def test_what_it_writes(folder):
    command, results = run(folder, "--model", "graph_fusion", "--seed", "3")
    assert command.exit_code == 0, command.output
    metrics, protocol = results["metrics"], results["protocol"]
    # 5 of 15 seen items, and 2 of the 6 new ones, are of the user's taste and unseen by the user.
    assert metrics["recall@10"] > 0.7 and metrics["cold_recall@10"] == 1
    assert f"recall@10       {metrics['recall@10']:.4f}\n" in command.stdout
    assert (protocol["users"], protocol["items"], protocol["cold_items"]) == (30, 36, 6)
    assert protocol["modalities"] == ["photo", "text"] and protocol["seeds"] == [3]
    assert protocol["recipe"]["model"] == "GraphFusionRecommender"
    assert len(results["samples"]) == 30
    assert str(folder) not in json.dumps(results)


def test_popularity_has_nothing_to_train(folder):
    command, results = run(folder, "--model", "popularity")
    assert command.exit_code == 0, command.output
    assert results["protocol"]["recipe"]["epochs"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "magic"), "'magic' is not one of 'popularity', 'bpr', 'vbpr', 'light_gcn', "),
        (("--test", "no_such.csv"), "no_such.csv"),
    ],
)
def test_bad_arguments(folder, arguments, message):
    command, results = run(folder, *arguments)
    assert command.exit_code == 2 and results is None
    assert message in command.stderr


def test_a_folder_of_neither_kind(folder):
    (folder / "data" / "interactions.csv").unlink()
    command, _ = run(folder)
    assert "must have MovieLens' ratings.csv" in command.stderr


@pytest.mark.filterwarnings("ignore:.*no word in the vocabulary")
def test_movielens_is_encoded_once(folder, monkeypatch):
    from models.retrieval.small_embedders import small_embedder

    from keras_mmfusion import zoo
    from keras_mmfusion.encoders import ImageEncoder
    from keras_mmfusion.zoo import movie_encoders

    presets = []
    data = folder / "data"
    for path in data.iterdir():
        path.unlink()
    Image.new("RGB", (8, 12)).save(data / "0.jpg")
    movies = [
        f"{name},Movie {name} (1999),Drama,{'0.jpg' if n == 0 else ''},dogs run"
        for n, name in enumerate(ITEMS.item_ids)
    ]
    (data / "movies.csv").write_text("\n".join(["movieId,title,genres,poster,overview", *movies]))
    header = "userId,movieId,timestamp"
    write_table(data / "ratings.csv", TRAIN, header)
    write_table(folder / "later.csv", TEST, header)
    # Small encoders with random weights replace those of the zoo.
    monkeypatch.setattr(movie_encoders, "resolve_preset", presets.append)
    monkeypatch.setattr(zoo, "image_encoder", lambda name: ImageEncoder(image_size=32))
    monkeypatch.setattr(zoo, "embedder", lambda name: small_embedder())
    kept = folder / "features"
    command, first = run(folder, "--model", "vbpr", "--features", str(kept))
    assert command.exit_code == 0, command.output
    assert first["protocol"]["modalities"] == ["genres", "overview", "poster", "title", "year"]

    monkeypatch.setattr(zoo, "embedder", None)  # Not called again.
    command, again = run(folder, "--model", "vbpr", "--features", str(kept))
    assert command.exit_code == 0, command.output
    assert again["metrics"] == pytest.approx(first["metrics"])

    assert presets == ["efficientnet_lite0_imagenet", "image_text_flickr8k"]  # The first time.

    movies = (data / "movies.csv").read_text()
    for name, change in (
        ("posters", lambda: Image.new("RGB", (8, 12), "red").save(data / "0.jpg")),
        ("titles", lambda: (data / "movies.csv").write_text(movies.replace("Movie", "Film"))),
    ):
        change()
        command, _ = run(folder, "--model", "vbpr", "--features", str(kept))
        assert command.exit_code == 2
        assert f"contains features of other inputs: {name}: " in command.stderr
        assert "another features folder" in command.stderr
        Image.new("RGB", (8, 12)).save(data / "0.jpg")


def test_the_commands_models_are_those_that_have_a_recipe():
    from keras_mmfusion.models.recommendation.recommender_recipe import RECIPES

    assert list(RecommenderModel) == list(RECIPES)
