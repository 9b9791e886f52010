"""The losses between embeddings of two modalities, compared with NumPy float64 references."""

import keras
import numpy as np
import pytest

from keras_mmfusion.losses import (
    BarlowTwinsLoss,
    CosineLoss,
    DeepCCALoss,
    HardTripletLoss,
    InfoNCELoss,
    PairLoss,
    RankingLoss,
    SigLIPLoss,
    VICRegLoss,
)

RNG = np.random.default_rng(0)
SHARED = RNG.normal(size=(12, 4))
IMAGE = (SHARED + 0.5 * RNG.normal(size=(12, 4))).astype("float32")
TEXT = (SHARED + 0.5 * RNG.normal(size=(12, 4))).astype("float32")


def scalar(loss):
    return float(keras.ops.convert_to_numpy(loss))


def cosines(a, b):
    return (a @ b.T) / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))


def info_nce(a, b, temperature=0.07):
    exps = np.exp(cosines(a, b) / temperature)
    positives = np.diag(exps)
    rows, columns = positives / exps.sum(axis=1), positives / exps.sum(axis=0)
    return -0.5 * np.log(rows) - 0.5 * np.log(columns)


def siglip(a, b, temperature=0.1, bias=-10.0):
    logits = cosines(a, b) / temperature + bias
    signs = 2 * np.eye(len(a)) - 1
    return np.log1p(np.exp(-signs * logits)).sum(axis=1)


def hinges(a, b, margin):
    scores = cosines(a, b)
    for matrix in (scores, scores.T):
        for i in range(len(a)):
            negatives = np.delete(matrix[i], i)
            yield i, np.maximum(0, margin + negatives - matrix[i, i])


def hard_triplet(a, b, margin=0.2):
    losses = np.zeros(len(a))
    for i, hinge in hinges(a, b, margin):
        losses[i] += hinge.max()
    return losses


def ranking(a, b, margin=0.2):
    losses = np.zeros(len(a))
    for i, hinge in hinges(a, b, margin):
        losses[i] += hinge.sum()
    return losses


def cosine(a, b, margin=0.1):
    scores = cosines(a, b)
    return np.array(
        [
            1 - row[i] + np.maximum(0, np.delete(row, i) - margin).mean()
            for i, row in enumerate(scores)
        ]
    )


def vicreg(a, b, invariance=25.0, variance=25.0, covariance=1.0, epsilon=1e-4):
    losses = invariance * ((a - b) ** 2).mean(axis=1)
    for x in (a, b):
        matrix = np.cov(x, rowvar=False)
        hinge = np.maximum(0, 1 - np.sqrt(np.diag(matrix) + epsilon)).mean()
        off_diagonal = matrix - np.diag(np.diag(matrix))
        losses = losses + variance * hinge + covariance * (off_diagonal**2).sum() / x.shape[1]
    return losses


def barlow_twins(a, b, off_diagonal=0.005, epsilon=1e-5):
    a, b = ((x - x.mean(0)) / np.sqrt(x.var(0) + epsilon) for x in (a, b))
    matrix = a.T @ b / len(a)
    diagonal = np.diag(matrix)
    loss = ((1 - diagonal) ** 2).sum() + off_diagonal * ((matrix**2).sum() - (diagonal**2).sum())
    return np.full(len(a), loss)


def inverse_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(values**-0.5) @ vectors.T


def deep_cca(a, b, regularization=1e-4, components=None):
    a, b = (x - x.mean(0) for x in (a, b))
    n = len(a) - 1
    ridge = regularization * np.eye(a.shape[1])
    whitened = inverse_root(a.T @ a / n + ridge) @ (a.T @ b / n) @ inverse_root(b.T @ b / n + ridge)
    return np.full(len(a), -np.linalg.svd(whitened, compute_uv=False)[:components].sum())


# name -> class, NumPy reference, and settings other than the defaults
LOSSES = {
    "info_nce": (InfoNCELoss, info_nce, {"temperature": 0.2}),
    "siglip": (SigLIPLoss, siglip, {"temperature": 0.5, "bias": -1.5}),
    "hard_triplet": (HardTripletLoss, hard_triplet, {"margin": 0.7}),
    "ranking": (RankingLoss, ranking, {"margin": 0.7}),
    "cosine": (CosineLoss, cosine, {"margin": 0.3}),
    "vicreg": (
        VICRegLoss,
        vicreg,
        {"invariance": 3.0, "variance": 5.0, "covariance": 2.0, "epsilon": 0.01},
    ),
    "barlow_twins": (BarlowTwinsLoss, barlow_twins, {"off_diagonal": 0.2, "epsilon": 0.01}),
    "deep_cca": (DeepCCALoss, deep_cca, {"regularization": 0.1, "components": 2}),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


@each_loss
@pytest.mark.parametrize("with_settings", [False, True])
def test_loss_matches_numpy_reference(name, with_settings):
    cls, reference, settings = LOSSES[name]
    settings = settings if with_settings else {}
    # Halved, so that some variances are below VICReg's threshold.
    a, b = IMAGE / 2, TEXT / 2
    expected = reference(np.float64(a), np.float64(b), **settings)
    losses = keras.ops.convert_to_numpy(cls(reduction=None, **settings)(a, b))
    np.testing.assert_allclose(losses, expected, rtol=2e-4, atol=1e-5)
    assert scalar(cls(**settings)(a, b)) == pytest.approx(expected.mean(), rel=2e-4)


@each_loss
def test_loss_is_invariant_to_pair_order(name):
    loss = LOSSES[name][0]()
    order = RNG.permutation(len(IMAGE))
    assert scalar(loss(IMAGE[order], TEXT[order])) == pytest.approx(
        scalar(loss(IMAGE, TEXT)), rel=1e-4
    )


@each_loss
def test_matching_pairs_have_a_lower_loss(name):
    loss = LOSSES[name][0]()
    assert scalar(loss(IMAGE, TEXT)) < scalar(loss(IMAGE, np.roll(TEXT, 1, axis=0)))


@each_loss
def test_gradients_match_finite_differences(name):
    cls, reference, _ = LOSSES[name]
    settings = {"margin": 0.77} if "margin" in cls().get_config() else {}
    loss, rng = cls(**settings), np.random.default_rng(1)
    step = rng.normal(size=IMAGE.shape)
    gradient = loss_gradient(loss, IMAGE, TEXT)
    assert np.isfinite(gradient).all()
    above, below = (
        reference(np.float64(IMAGE) + sign * 1e-6 * step, np.float64(TEXT), **settings).mean()
        for sign in (1, -1)
    )
    assert (gradient * step).sum() == pytest.approx((above - below) / 2e-6, rel=5e-3, abs=1e-4)


@each_loss
def test_equal_embeddings_have_finite_gradients(name):
    same = np.ones((4, 3), "float32")
    assert np.isfinite(loss_gradient(LOSSES[name][0](), same, same)).all()


def loss_gradient(loss, image, text):
    """Gradient with respect to the image embeddings, held as the weights of an `Embedding`."""
    table = keras.layers.Embedding(*image.shape)
    table.build()
    table.set_weights([image])

    class Model(keras.Model):
        def call(self, x):
            return table(x)

    model = Model()
    model.table = table
    model.compile(keras.optimizers.SGD(1.0), lambda y_true, y_pred: loss(y_true, y_pred))
    rows = np.arange(len(image))
    model.fit(rows, text, batch_size=len(rows), shuffle=False, verbose=0)
    return image - keras.ops.convert_to_numpy(table.embeddings)


@each_loss
def test_float16_embeddings_are_computed_in_float32(name):
    loss = LOSSES[name][0]()
    half = scalar(loss(IMAGE.astype("float16"), TEXT.astype("float16")))
    assert half == pytest.approx(scalar(loss(IMAGE, TEXT)), rel=0.02)


@each_loss
def test_config_round_trip(name):
    cls, _, settings = LOSSES[name]
    loss = cls(reduction="sum", name="my_loss", **settings)
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert copy.get_config() == loss.get_config()
    assert settings.items() <= copy.get_config().items()
    assert scalar(copy(IMAGE, TEXT)) == scalar(loss(IMAGE, TEXT))


def test_sample_weight_weights_pairs():
    weights = np.array([2.0] + [0.0] * 11, "float32")
    loss = scalar(InfoNCELoss()(IMAGE, TEXT, weights))
    expected = 2 * info_nce(np.float64(IMAGE), np.float64(TEXT))[0] / 12
    assert loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("cls", [InfoNCELoss, SigLIPLoss])
def test_temperature_is_learned(cls):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.pair_loss = cls()
            self.logit_scale = self.pair_loss.logit_scale

        def call(self, x):
            return x

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return self.pair_loss(y, y_pred)

    model = Model()
    before = [float(w) for w in model.logit_scale.get_weights()]
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(IMAGE, TEXT, batch_size=12, epochs=1, verbose=0)
    after = [float(w) for w in model.logit_scale.get_weights()]
    assert len(after) == (1 if cls is InfoNCELoss else 2)
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_deep_cca_is_invariant_to_linear_maps():
    mixed = IMAGE @ RNG.normal(size=(4, 6)).astype("float32")[:, :4] + 3
    loss = DeepCCALoss(regularization=1e-6)
    assert scalar(loss(mixed, TEXT)) == pytest.approx(scalar(loss(IMAGE, TEXT)), rel=1e-3)
    assert np.isfinite(scalar(DeepCCALoss()(IMAGE, TEXT[:, :3])))


@pytest.mark.parametrize(
    ("make_loss", "message"),
    [
        (lambda: HardTripletLoss(margin=0), "HardTripletLoss: `margin` must be a positive number"),
        (lambda: RankingLoss(margin="big"), "RankingLoss: `margin` must be a positive number"),
        (lambda: CosineLoss(margin=1), r"CosineLoss: `margin` must be in \[0, 1\)"),
        (lambda: CosineLoss(margin=-0.1), r"CosineLoss: `margin` must be in \[0, 1\)"),
        (lambda: InfoNCELoss(temperature=0), "LogitScale: `temperature` must be a positive number"),
        (lambda: VICRegLoss(epsilon=0), "VICRegLoss: `epsilon` must be a positive number"),
        (lambda: VICRegLoss(variance=-1), "`variance` must be a number of at least 0"),
        (lambda: BarlowTwinsLoss(off_diagonal=-1), "`off_diagonal` must be a number of at least 0"),
        (lambda: DeepCCALoss(components=0), "DeepCCALoss: `components` must be a positive integer"),
        (lambda: DeepCCALoss(regularization=0), "`regularization` must be a positive number"),
    ],
)
def test_invalid_arguments_raise(make_loss, message):
    with pytest.raises(ValueError, match=message):
        make_loss()


@pytest.mark.parametrize("shape", [(12, 3), (11, 4), (12, 2, 4)])
def test_mismatched_shapes_raise(shape):
    with pytest.raises(ValueError, match="InfoNCELoss: `y_true` and `y_pred` must be embeddings"):
        InfoNCELoss()(IMAGE, np.ones(shape, "float32"))


def test_custom_pair_loss():
    class Distance(PairLoss):
        def pair_loss(self, a, b):
            return keras.ops.sum(keras.ops.square(a - b), axis=1)

    expected = ((IMAGE - TEXT) ** 2).sum(axis=1).mean()
    assert scalar(Distance()(IMAGE, TEXT)) == pytest.approx(expected, rel=1e-5)
