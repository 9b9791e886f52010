import keras
import numpy as np
import pytest

from keras_mmfusion.metrics import (
    NDCGAtK,
    RecallAtK,
    best_ranks,
    bleu_scores,
    bootstrap_interval,
    cider_d_score,
    classification_scores,
    coco_caption_scores,
    ndcg_at_k,
    paired_bootstrap_test,
    plain_cider_score,
    recall_at_k,
    retrieval_scores,
    rouge_l_score,
    sentiment_scores,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1], ["0", "1"], "`labels` has numbers, such as 0, and `predictions` has strings"),
        (["0", "1"], [0, 1], "`labels` has strings, such as '0', and `predictions` has numbers"),
        (np.array([b"a", b"b"]), np.array(["a", "b"]), "has values of type bytes, such as b'a'"),
        (["a", 1], ["a", "1"], "`labels` has .*, and `labels` has "),
        ([0, 1], [0, None], "`predictions` has 1 missing values .*positions: \\[1\\]"),
        ([0.0, 1.0], [NAN, NAN], "`predictions` has 2 missing values .*positions: \\[0, 1\\]"),
        ([NAN, 1.0], [0.0, 1.0], "`labels` has 1 missing values"),
    ],
)
def test_incomparable_or_missing_classes_raise_an_error(labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        classification_scores(labels, predictions)


@pytest.mark.parametrize(
    ("labels", "predictions"),
    [
        ([0, 1], [0.0, 1.0]),
        ([True, False], [1, 0]),
        (np.array([0, 1], "uint8"), np.array([0, 1], "int64")),
        (["a", "b"], np.array(["a", "b"])),
        ([np.str_("a"), "b"], ["a", "b"]),
    ],
)
def test_classes_of_comparable_types_are_accepted(labels, predictions):
    assert classification_scores(labels, predictions)["accuracy"] == 1.0


def test_nan_scores_raise_an_error():
    with pytest.raises(ValueError, match="`predictions` has 1 values that are NaN.*\\[1\\]"):
        sentiment_scores([1.0, -1.0], [0.5, NAN])
    with pytest.raises(ValueError, match="`labels` has 1 values that are NaN"):
        sentiment_scores([NAN, -1.0], [0.5, 0.1])
    with pytest.raises(ValueError, match="`scores` has 1 values that are NaN"):
        bootstrap_interval([0.1, NAN, 0.3])
    with pytest.raises(ValueError, match="`second` has 1 values that are NaN"):
        paired_bootstrap_test([0.1, 0.2], [0.1, NAN])
    with pytest.raises(ValueError, match="`statistic` returns NaN"):
        bootstrap_interval([0.0, 1.0], lambda drawn: 0.0 / sum(drawn) if sum(drawn) else NAN)
    with pytest.raises(ValueError, match="`similarities` has 1 values that are NaN.*\\(0, 1\\)"):
        best_ranks([[0.1, NAN]], [[True, False]])
    with pytest.raises(ValueError, match="`similarities` has"):
        retrieval_scores([[0.1, NAN]], [0, 0])


def test_probabilities_instead_of_classes_raise_an_error():
    with pytest.raises(ValueError, match="`predictions` must be classes.* Received: 0.3"):
        classification_scores([0, 1], [0.3, 1.0])
    with pytest.raises(ValueError, match="`predictions` must be classes.* Received: inf"):
        classification_scores([True, False], [0.0, INF])
    assert classification_scores([0.5, 1.0], [0.5, 1.0])["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sentiment_scores([1, 2], [0.5, INF]), "`predictions` has 1 values that are inf"),
        (lambda: sentiment_scores(["1", "2"], [1, 2]), "`labels` must be real numbers"),
        (lambda: sentiment_scores([1, 2], [1, 1j]), "`predictions` must be real numbers"),
        (lambda: bootstrap_interval([1, INF]), "`scores` has 1 values that are infinite"),
        (lambda: bootstrap_interval(["1", "2"]), "`scores` must be numbers"),
        (lambda: bootstrap_interval([[1, 2], [3, 4]]), "`scores` must be numbers"),
        (lambda: bootstrap_interval([1], resamples=0), "`resamples` must be a positive integer"),
        (lambda: bootstrap_interval([1, 2], lambda drawn: INF), "`statistic` returns NaN or inf"),
        (lambda: paired_bootstrap_test(["a"], ["b"]), "`first` must be numbers"),
        (lambda: paired_bootstrap_test({5: 1.0}, [5.0]), "must have the same ids"),
        (lambda: best_ranks([[0.1, 0.2]], [[NAN, 1]]), "`relevant` has 1 values that are NaN"),
        (lambda: best_ranks([[0.1, 0.2]], [["False", "True"]]), "`relevant` must be real numbers"),
        (lambda: best_ranks([[0.1, 0.2]], [[0, 2]]), "`relevant` must be bool, or only 0 and 1"),
        (
            lambda: retrieval_scores(np.zeros((0, 0)), []),
            "must have at least one query and one candidate",
        ),
        (lambda: retrieval_scores([[0.1, 0.2]], ["0", "0"]), "`owners` must be the row"),
    ],
)
def test_invalid_scores_raise_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("score", [bleu_scores, cider_d_score, plain_cider_score, rouge_l_score])
def test_mixing_words_and_ids_raises_an_error(score):
    with pytest.raises(ValueError, match="`references` has numbers, such as 6, and `candidates`"):
        score({1: [[4, 5, 6]]}, {1: "4 5 6"})
    with pytest.raises(ValueError, match="`references` has strings, such as '6', and `candidates`"):
        score({1: ["4 5 6"]}, {1: [4, 5, 6]})
    assert score({1: [[4, 5, 6]], 2: [[7]]}, {1: np.array([4, 5]), 2: []})


@pytest.mark.parametrize("metric", [recall_at_k, ndcg_at_k])
def test_invalid_rankings_raise_an_error(metric):
    for k in (0, 1.5, "1", None, True):
        with pytest.raises(ValueError, match="`k` must be a positive integer"):
            metric([{1}], [[1]], k=k)
    with pytest.raises(ValueError, match="`relevant` must have a set or list of items"):
        metric([1], [[1]], k=1)
    assert metric([{1}], [[np.int64(1), 2]], k=1) == 1.0
    with pytest.raises(ValueError, match="`relevant` has numbers, such as 1, and `ranked` has str"):
        metric([{1}], [["1", "2"]], k=1)
    with pytest.raises(ValueError, match="`ranked` has 1 missing values"):
        metric([{1.0}], [[NAN, 2.0]], k=1)
    with pytest.raises(ValueError, match="`relevant` has 1 missing values"):
        metric([{None}], [["a"]], k=1)


@pytest.mark.parametrize("metric", [RecallAtK(1), NDCGAtK(2)])
def test_nan_in_keras_metrics_raises_an_error_or_gives_nan(metric):
    with pytest.raises(ValueError, match="`y_pred` has 1 values that are NaN"):
        metric.update_state([[1.0, 0.0]], [[NAN, 0.3]])
    with pytest.raises(ValueError, match="`y_true` has 1 values that are NaN"):
        metric.update_state([[1.0, NAN]], [[0.1, 0.3]])
    with pytest.raises(ValueError, match="must have the same shape .*: \\(1, 2\\) and \\(1, 3\\)"):
        metric.update_state([[1.0, 0.0]], [[0.1, 0.3, 0.2]])
    metric.reset_state()

    class Scores(keras.Model):
        def call(self, x):
            return x

    model = Scores()
    model.compile(loss="mse", metrics=[type(metric)(metric.k)], jit_compile=False)
    truth = np.eye(2, dtype="float32")
    scores = np.array([[1.0, NAN], [0.0, 1.0]], "float32")
    if keras.config.backend() == "torch":  # PyTorch runs eagerly.
        with pytest.raises(ValueError, match="`y_pred` has 1 values that are NaN"):
            model.evaluate(scores, truth, verbose=0)
        return
    results = model.evaluate(scores, truth, verbose=0)
    assert np.isnan(results[-1] if isinstance(results, list) else results)


def test_references_without_words_raise_an_error():
    references = {1: ["A dog."], 2: ["...", ""]}
    with pytest.raises(ValueError, match="no caption with a word for these image ids: 2"):
        coco_caption_scores(references, {1: "a dog", 2: "a cat"}, ("bleu",))
