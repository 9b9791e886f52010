"""`--rerank` of `search` and `evaluate retrieval`, with a checkpoint of BLIP."""

import json

import numpy as np
import pytest
from checkpoints.checkpoint_folders import write_folder
from PIL import Image
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.metrics import retrieval_scores
from keras_mmfusion.zoo import embedder

CAPTIONS = {"a.png": ("w7 w21", "w9"), "b.png": ("w30", "w31 w12"), "c.png": ("w8", "w40 w41")}
SENTENCES = ["w7", "w21 w9"]


@pytest.fixture(scope="module")
def matcher(tmp_path_factory):
    return str(write_folder(tmp_path_factory.mktemp("blip_matcher"), "blip_matcher"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in CAPTIONS:
        Image.fromarray(rng.integers(0, 256, (40, 36, 3), "uint8")).save(folder / name)
    return folder


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras_home")))
        yield


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_search_sorts_the_nearest_images_again(photos, matcher):
    command = run(
        "search", photos, *SENTENCES, "--preset", matcher, "--count", 1, "--rerank", 3, "--json"
    )
    assert command.exit_code == 0, command.output
    results = json.loads(command.stdout)
    model, files = embedder(matcher), [str(photos / name) for name in CAPTIONS]
    queries, candidates = {"text": SENTENCES}, {"image": files}
    indices, scores = model.rerank(queries, candidates, *model.retrieve(queries, candidates, k=3))
    cosines = model.embed("text", SENTENCES) @ model.embed("image", files).T
    for row, result in enumerate(results):
        [found] = result["photos"]
        assert found["image"] == files[indices[row, 0]]
        assert found["score"] == pytest.approx(scores[row, 0], abs=2e-4)
        assert found["cosine"] == pytest.approx(cosines[row, indices[row, 0]], abs=2e-4)


def test_evaluation_ranks_the_best_candidates_by_match_logits(photos, matcher, tmp_path):
    rows = [f"{name},{text}" for name, texts in CAPTIONS.items() for text in texts]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption", *rows]) + "\n")
    target = tmp_path / "scores.json"
    data = ("--images", photos, "--captions", tmp_path / "captions.csv", "--json", target)
    command = run("evaluate", "retrieval", *data, "--preset", matcher, "--rerank", 6)
    assert command.exit_code == 0, command.output
    results = json.loads(target.read_text())
    assert "of the best 6 candidates" in results["protocol"]["similarity"]

    model, files = embedder(matcher), [photos / name for name in CAPTIONS]
    texts = [text for texts in CAPTIONS.values() for text in texts]
    indices, cosines = model.retrieve({"image": files}, {"text": texts}, k=6)
    indices, scores = model.rerank({"image": files}, {"text": texts}, indices, cosines)
    similarities = np.take_along_axis(scores, np.argsort(indices), 1)  # All texts of each image.
    assert results["metrics"] == pytest.approx(retrieval_scores(similarities, [0, 0, 1, 1, 2, 2]))


def test_fewer_candidates_come_before_all_others(photos, matcher):
    from keras_mmfusion.models.retrieval.retrieval_evaluation import _rerank

    model, files = embedder(matcher), [photos / name for name in CAPTIONS]
    texts = [text for texts in CAPTIONS.values() for text in texts]
    cosines = model.embed("image", files) @ model.embed("text", texts).T
    by_image, by_text = _rerank(model, files, texts, cosines, 2, 2, iter)
    assert by_image.shape == by_text.T.shape == cosines.shape
    for scores, values in ((by_image, cosines), (by_text, cosines.T)):
        order, nearest = np.argsort(-scores, axis=1), np.argsort(-values, axis=1)
        assert np.all(np.sort(order[:, :2]) == np.sort(nearest[:, :2]))
        assert np.all(order[:, 2:] == nearest[:, 2:])


def test_models_without_match_logits_and_small_numbers_raise(photos, matcher, embedder_preset):
    arguments = ("search", photos, "w7", "--preset")
    command = run(*arguments, embedder_preset, "--rerank", 9)
    assert command.exit_code == 2
    assert "`--rerank` needs a `BlipMatcher`" in command.stderr
    command = run(*arguments, matcher, "--rerank", 2)
    assert command.exit_code == 2
    assert "`--rerank` must be at least --count, 5" in command.stderr
