import dataclasses

import keras
import numpy as np
import pytest
from layer_checks import to_numpy
from models.recommendation.planted_tastes import get_tastes, make_interactions

from keras_mmfusion.losses import MultinomialLoss
from keras_mmfusion.models.recommendation import (
    BPRRecommender,
    GraphFusionRecommender,
    LightGCNRecommender,
    PopularityRecommender,
    RecommenderRecipe,
    VBPRRecommender,
    train_recommender,
)

TRAIN, TEST, ITEMS = make_interactions()
MODELS = {
    "popularity": lambda: PopularityRecommender(),
    "bpr": lambda: BPRRecommender(4),
    "vbpr": lambda: VBPRRecommender(4),
    "light_gcn": lambda: LightGCNRecommender(4, num_layers=2),
    "graph_fusion": lambda: GraphFusionRecommender(4, neighbors=3, edge_dropout=0.2, seed=0),
}
each_model = pytest.mark.parametrize("name", MODELS)
RECIPES = {
    "bpr": RecommenderRecipe(BPRRecommender, epochs=40),
    "vbpr": RecommenderRecipe(VBPRRecommender, epochs=30),
    "light_gcn": RecommenderRecipe(LightGCNRecommender, epochs=20),
    "graph_fusion": RecommenderRecipe(
        GraphFusionRecommender,
        "softmax",
        epochs=30,
        settings={"dim": 8, "neighbors": 3, "edge_dropout": 0.2},
    ),
}
RECIPES = {
    name: dataclasses.replace(recipe, batch_size=30, learning_rate=0.05, weight_decay=1.0)
    for name, recipe in RECIPES.items()
}


def adapted(name):
    keras.utils.set_random_seed(0)
    model = MODELS[name]()
    model.adapt(TRAIN, ITEMS)
    return model


def adjacency():
    """Returns the matrix (users, items), 1 for an interaction."""
    users, items = sorted(set(TRAIN.users)), ITEMS.item_ids.tolist()
    matrix = np.zeros((len(users), len(items)))
    for user, item in zip(TRAIN.users, TRAIN.items, strict=True):
        matrix[users.index(user), items.index(item)] = 1
    return matrix


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def features(name):
    x = np.float64(ITEMS.features[name])
    mask = ~np.isnan(x).all(axis=1, keepdims=True)
    return unit(np.where(mask, x - x[mask[:, 0]].mean(axis=0), 0))


def smooth(users, items, layers):
    matrix = adjacency()
    norm = matrix / np.sqrt(np.outer(matrix.sum(axis=1), np.maximum(matrix.sum(axis=0), 1)))
    all_users, all_items = [users], [items]
    for _ in range(layers):
        users, items = norm @ items, norm.T @ users
        all_users.append(users)
        all_items.append(items)
    return np.mean(all_users, axis=0), np.mean(all_items, axis=0)


def expected_scores(name, model):
    matrix = adjacency()
    if name == "popularity":
        return np.tile(matrix.sum(axis=0), (len(matrix), 1))
    seen = (matrix.sum(axis=0) > 0)[:, None]
    users = np.float64(to_numpy(model.user_table))
    items = np.float64(to_numpy(model.item_table)) * seen
    if name == "vbpr":
        f = np.concatenate([features("photo"), features("text")], axis=1)
        item_part = items @ users[:, :4].T
        feature_part = f @ np.float64(to_numpy(model.projection)) @ users[:, 4:].T
        bias = np.float64(to_numpy(model.item_bias)) * seen
        bias += f @ np.float64(to_numpy(model.feature_bias))
        return (item_part + feature_part + bias).T
    if name == "light_gcn":
        users, items = smooth(users, items, 2)
    if name == "graph_fusion":
        for each in ("photo", "text"):
            items = items + features(each) @ np.float64(to_numpy(model.projections[each]))
        f = unit(np.concatenate([features("photo"), features("text")], axis=1))
        similarity = f @ f.T
        np.fill_diagonal(similarity, -np.inf)
        nearest = np.argsort(-similarity, axis=1)[:, :3]
        users, smoothed = smooth(users, items, 2)
        cosine = unit(users) @ unit(smoothed + items[nearest].mean(axis=1)).T
        return cosine / 0.1 + 0.5 * np.log1p(matrix.sum(axis=0))
    return users @ items.T


@each_model
def test_scores_match_the_formula_in_numpy(name):
    model = adapted(name)
    for weight in model.trainable_variables:  # Biases too.
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    scores = model.compute_scores(model.user_ids, exclude_seen=False)
    np.testing.assert_allclose(scores, expected_scores(name, model), rtol=1e-4, atol=1e-4)


@each_model
def test_candidate_scores_equal_the_scores_among_all_items(name):
    model = adapted(name)
    users, items = np.array([3, 7], "int32"), np.array([[0, 35, 2], [4, 4, 9]], "int32")
    every = to_numpy(model({"users": users}))
    some = to_numpy(model({"users": users, "items": items}))
    np.testing.assert_allclose(some, np.take_along_axis(every, items, axis=1), rtol=1e-5, atol=1e-6)


@each_model
def test_recommend_excludes_the_items_seen_in_training(name):
    model = adapted(name)
    items, scores = model.recommend(["u3", "u3", "u1"], k=40)
    seen = set(TRAIN.items[TRAIN.users == "u3"])
    unseen = [item for item in items[0] if item]
    assert set(unseen) == set(ITEMS.item_ids) - seen and len(unseen) == len(set(unseen))
    assert np.all(np.diff(scores[0][: len(unseen)]) <= 0)
    assert np.all(items[0][len(unseen) :] == "") and np.all(scores[0][len(unseen) :] == -np.inf)
    np.testing.assert_array_equal(items[0], items[1])
    assert set(model.recommend(["u3"], k=40, exclude_seen=False)[0][0]) >= seen
    assert model.recommend(["u3"], k=2, candidates=["i35", "i0"])[0].shape == (1, 2)
    for one in (
        "u3",
        np.str_("u3"),
        np.array("u3"),
        b"u3",
    ):  # One id, not a sequence of characters.
        np.testing.assert_array_equal(model.recommend(one, k=40)[0], items[:1])
    assert model.recommend("u3", k=1, candidates="i35")[0].tolist() == [["i35"]]
    np.testing.assert_array_equal(model.compute_scores("u3"), model.compute_scores(["u3"]))


@pytest.mark.parametrize("name", RECIPES)
def test_training_learns_the_tastes_of_users(name):
    model = train_recommender(RECIPES[name], TRAIN, ITEMS)
    seen = [item for item in ITEMS.item_ids if item in set(TRAIN.items)]
    best, _ = model.recommend(model.user_ids, k=3, candidates=seen)
    accuracy = np.mean(get_tastes(best.ravel()) == np.repeat(get_tastes(model.user_ids), 3))
    assert accuracy > 0.9
    new = ITEMS.item_ids[-6:]
    best, _ = model.recommend(model.user_ids, k=2, candidates=new)
    accuracy = np.mean(get_tastes(best.ravel()) == np.repeat(get_tastes(model.user_ids), 2))
    if name in ("vbpr", "graph_fusion"):
        assert accuracy > 0.85
    else:  # Without features all new items have equal scores.
        assert accuracy == pytest.approx(1 / 3)


def test_popularity_weight_adds_the_log_of_interactions():
    scores = {}
    for weight in (0.0, 2.0):
        keras.utils.set_random_seed(0)
        model = GraphFusionRecommender(4, neighbors=3, popularity_weight=weight)
        model.adapt(TRAIN, ITEMS)
        scores[weight] = model.compute_scores(model.user_ids, exclude_seen=False)
    assert np.abs(scores[0.0]).max() <= 10 + 1e-4  # The cosine over a temperature of 0.1.
    added = np.tile(2 * np.log1p(adjacency().sum(axis=0)), (len(scores[0.0]), 1))
    np.testing.assert_allclose(scores[2.0] - scores[0.0], added, atol=1e-4)


def test_new_items_without_features_keep_scores_finite():
    features = {name: x.copy() for name, x in ITEMS.features.items()}
    for values in features.values():
        values[-2:] = np.nan  # New items without any modality.
    items = type(ITEMS)(ITEMS.item_ids, features)
    recipe = dataclasses.replace(RECIPES["graph_fusion"], epochs=2)
    scores = train_recommender(recipe, TRAIN, items).compute_scores(["u0"], exclude_seen=False)
    assert np.isfinite(scores).all() and np.all(scores[0, -2:] == 0)


def test_training_is_determined_by_the_seed():
    first, again, other = (
        train_recommender(
            dataclasses.replace(RECIPES["light_gcn"], seed=seed), TRAIN, ITEMS
        ).compute_scores(["u0"], exclude_seen=False)
        for seed in (0, 0, 1)
    )
    np.testing.assert_allclose(first, again, rtol=1e-4)
    assert not np.allclose(first, other, rtol=1e-2)


@each_model
def test_preset_keeps_scores(name, tmp_path):
    from keras_mmfusion.zoo import recommender

    model = adapted(name)
    model.save_to_preset(tmp_path / "preset")
    loaded = recommender(tmp_path / "preset")
    assert type(loaded) is type(model)
    np.testing.assert_allclose(
        loaded.compute_scores(["u0", "u9"]), model.compute_scores(["u0", "u9"]), rtol=1e-6
    )


@each_model
def test_keras_file_keeps_scores(name, tmp_path):
    model = adapted(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.compute_scores(["u0", "u9"]), model.compute_scores(["u0", "u9"]), rtol=1e-6
    )


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="SavedModels need TensorFlow.")
@each_model
def test_exported_model_recommends_the_same_items(name, tmp_path):
    import tensorflow as tf

    model = adapted(name)
    folder = model.export(tmp_path / "served", k=4)
    users = np.array([9, 0, 9], "int32")
    found = tf.saved_model.load(folder).signatures["serving_default"](users=tf.constant(users))
    _, scores = model.recommend(model.user_ids[users], k=4)
    np.testing.assert_allclose(found["scores"], scores, rtol=1e-5, atol=1e-6)
    all_scores = model.compute_scores(model.user_ids[users])
    of_items = np.take_along_axis(all_scores, np.asarray(found["items"]), axis=1)
    np.testing.assert_allclose(of_items, scores, rtol=1e-5, atol=1e-6)


def test_evaluate_reports_ranking_metrics():
    from keras_mmfusion.metrics import NDCGAtK, RecallAtK
    from keras_mmfusion.models.recommendation import UserSequence

    model = adapted("popularity")
    model.compile(loss=MultinomialLoss(), metrics=[RecallAtK(36), NDCGAtK(5)])
    found = model.evaluate(UserSequence(model, batch_size=7), verbose=0, return_dict=True)
    assert found["recall_at_36"] == pytest.approx(1)
    assert 0 < found["ndcg_at_5"] < 1


def test_only_models_with_features_store_them():
    assert adapted("light_gcn").feature_dims == {}
    assert adapted("vbpr").feature_dims == {"photo": 8, "text": 5}


def test_adapt_rejects_invalid_data():
    model = adapted("bpr")
    with pytest.raises(ValueError, match="call `adapt` exactly once"):
        model.adapt(TRAIN, ITEMS)
    with pytest.raises(ValueError, match="`items` lacks 1 items of the interactions: i1"):
        keep = ITEMS.item_ids != "i1"
        features = {name: x[keep] for name, x in ITEMS.features.items()}
        BPRRecommender(4).adapt(TRAIN, type(ITEMS)(ITEMS.item_ids[keep], features))
    for model in (VBPRRecommender(4), GraphFusionRecommender(4)):
        with pytest.raises(ValueError, match="uses the items' features: pass `items`"):
            model.adapt(TRAIN)


def test_recommend_rejects_invalid_arguments():
    model = adapted("bpr")
    with pytest.raises(ValueError, match=r"Received: \['u99'\]"):
        model.recommend(["u1", "u99"])
    with pytest.raises(ValueError, match="unknown items: \\['i99'\\]"):
        model.recommend(["u1"], candidates=["i1", "i99"])
    with pytest.raises(ValueError, match="`k` must be a positive integer"):
        model.recommend(["u1"], k=0)
    with pytest.raises(ValueError, match="call `adapt` first"):
        BPRRecommender(4)({"users": np.array([0])})
