import importlib
import json

import pytest
from models.recommendation.planted_tastes import make_interactions
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.cli.tasks.recommender import RecommenderModel
from keras_mmfusion.datasets import write_item_features
from keras_mmfusion.models.recommendation.recommender_recipe import RECIPES

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


def train(folder, *arguments):
    command = ["train", "recommender", "--data", folder / "data", "--out", folder / "model"]
    return CliRunner().invoke(app, [*map(str, command), *arguments])


def evaluate(folder, *arguments):
    """Runs the command and returns it with the results that it wrote, or `None`."""
    target = folder / "results.json"
    command = ["evaluate", "recommender", "--preset", folder / "model", "--json", target]
    done = CliRunner().invoke(
        app, [*map(str, command), "--data", str(folder / "later.csv"), *arguments]
    )
    return done, json.loads(target.read_text()) if target.exists() else None


def test_training_writes_a_model_that_evaluation_scores(folder):
    trained = train(folder, "--model", "graph_fusion", "--seed", "3")
    assert trained.exit_code == 0, trained.output
    assert trained.stdout == f"{folder / 'model'}\n"
    scored, results = evaluate(folder)
    assert scored.exit_code == 0, scored.output
    metrics, protocol = results["metrics"], results["protocol"]
    # 5 of 15 seen items, and 2 of the 6 new ones, are of the user's taste and unseen by the user.
    assert metrics["recall@10"] > 0.7 and metrics["cold_recall@10"] == 1
    assert f"recall@10       {metrics['recall@10']:.4f}\n" in scored.stdout
    assert (protocol["users"], protocol["items"], protocol["cold_items"]) == (30, 36, 6)
    assert (protocol["data"], protocol["preset"]) == ("later.csv", "model")
    assert protocol["modalities"] == ["photo", "text"]
    assert protocol["model"] == "GraphFusionRecommender"
    assert {"preset_hash", "data_sha256", "versions", "machine"} <= set(protocol)
    assert len(results["samples"]) == 30
    assert str(folder) not in json.dumps(results)


def test_options_replace_settings_of_the_recipe(folder, monkeypatch):
    recipes = []
    recommendation = importlib.import_module("keras_mmfusion.models.recommendation")
    train_recommender = recommendation.train_recommender
    monkeypatch.setattr(
        recommendation,
        "train_recommender",
        lambda recipe, *arguments, **options: (
            recipes.append(recipe) or train_recommender(recipe, *arguments, **options)
        ),
    )
    settings = ("--epochs", "1", "--batch-size", "16", "--learning-rate", "0.1", "--seed", "2")
    assert train(folder, "--model", "bpr", *settings).exit_code == 0
    (recipe,) = recipes
    chosen = (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.seed)
    assert chosen == (1, 16, 0.1, 2)
    assert recipe.weight_decay == RECIPES["bpr"].weight_decay


def test_popularity_is_saved_without_training(folder):
    assert train(folder, "--model", "popularity").exit_code == 0
    scored, results = evaluate(folder)
    assert scored.exit_code == 0, scored.output
    assert results["protocol"]["model"] == "PopularityRecommender"


def test_bad_arguments_exit_with_2(folder):
    failed = train(folder, "--model", "magic")
    assert failed.exit_code == 2
    assert "'magic' is not one of 'popularity', 'bpr', 'vbpr', 'light_gcn', " in failed.stderr
    (folder / "data" / "interactions.csv").unlink()
    failed = train(folder)
    assert failed.exit_code == 2
    assert "`data_dir` must have MovieLens' ratings.csv" in failed.stderr
    for arguments, message in (
        (("--data", "no_such.csv"), "no_such.csv"),
        (("--preset", "no_such"), "Unknown preset 'no_such'"),
        ((), "must be a folder written by `save_to_preset`"),
    ):
        failed, results = evaluate(folder, *arguments)
        assert failed.exit_code == 2 and results is None
        assert message in failed.stderr


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
    features = ("--model", "vbpr", "--features", str(folder / "features"))
    trained = train(folder, *features)
    assert trained.exit_code == 0, trained.output
    _, first = evaluate(folder)
    assert first["protocol"]["modalities"] == ["genres", "overview", "poster", "title", "year"]

    monkeypatch.setattr(zoo, "embedder", None)  # Not called again.
    trained = train(folder, *features)
    assert trained.exit_code == 0, trained.output
    _, again = evaluate(folder)
    assert again["metrics"] == pytest.approx(first["metrics"])

    assert presets == ["efficientnet_lite0_imagenet", "image_text_flickr8k"]  # The first time.

    # A model without features encodes no movies.
    trained = train(folder, "--model", "bpr", "--epochs", "1")
    assert trained.exit_code == 0, trained.output
    assert len(presets) == 2

    movies = (data / "movies.csv").read_text()
    for name, change in (
        ("posters", lambda: Image.new("RGB", (8, 12), "red").save(data / "0.jpg")),
        ("titles", lambda: (data / "movies.csv").write_text(movies.replace("Movie", "Film"))),
    ):
        change()
        failed = train(folder, *features)
        assert failed.exit_code == 2
        assert f"contains features of other inputs: {name}: " in failed.stderr
        assert "another features folder" in failed.stderr
        Image.new("RGB", (8, 12)).save(data / "0.jpg")


def test_command_offers_all_recipes():
    assert list(RecommenderModel) == list(RECIPES)
