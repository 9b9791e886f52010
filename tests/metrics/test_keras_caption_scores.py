import keras
import numpy as np
import pytest

from keras_mmfusion.metrics import CaptionScores, CaptionScoresCallback, coco_caption_scores
from keras_mmfusion.metrics.captions.caption_scores import score_tokens

REFERENCES = [["A dog runs.", "The dog runs on grass."], ["Two cats"], ["A man's hat", "hat"]]
CANDIDATES = ["A dog runs on grass", "Two cats sleep", "a man 's hat"]
EXPECTED = coco_caption_scores(
    dict(enumerate(REFERENCES)), dict(enumerate(CANDIDATES)), ("bleu", "rouge_l", "cider")
)


@keras.saving.register_keras_serializable(package="test")
class Words:
    """A tokenizer of six words."""

    words = ["", "a", "dog", "runs", "two", "cats"]

    def detokenize(self, ids):
        return [" ".join(self.words[i] for i in row if i) for row in ids]

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="test")
class Generate(keras.layers.Layer):
    """Returns its inputs, like a model whose predictions are ids."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = self.add_weight(shape=(), initializer="zeros")

    def call(self, inputs):
        return inputs + keras.ops.cast(self.scale, inputs.dtype)


IDS = np.array([[1, 2, 3, 0], [4, 5, 0, 0], [1, 5, 3, 2]])
REFERENCE_IDS = np.array(
    [[[1, 2, 3, 0], [1, 2, 0, 0]], [[4, 5, 5, 0], [0, 0, 0, 0]], [[1, 5, 0, 0], [0, 0, 0, 0]]]
)
WITHOUT_PADDING = {0: [[1, 2, 3], [1, 2]], 1: [[4, 5, 5]], 2: [[1, 5]]}
ID_SCORES = score_tokens(
    WITHOUT_PADDING, {0: [1, 2, 3], 1: [4, 5], 2: [1, 5, 3, 2]}, ("bleu", "rouge_l", "cider")
)


def test_scores_do_not_depend_on_the_batches():
    metric = CaptionScores()
    metric.update_state(REFERENCES[:1], CANDIDATES[:1])
    metric.update_state(REFERENCES[1:], CANDIDATES[1:])
    assert metric.result() == pytest.approx(EXPECTED)
    metric.reset_state()
    assert metric.result() == {}
    metric.update_state(REFERENCES, CANDIDATES)
    assert metric.result() == pytest.approx(EXPECTED)


def test_arrays_and_bytes_are_accepted():
    metric = CaptionScores()
    padded = np.array([each + [""] * (2 - len(each)) for each in REFERENCES])
    metric.update_state(padded, np.array([caption.encode() for caption in CANDIDATES]))
    assert metric.result() == pytest.approx(EXPECTED)
    metric.reset_state()
    metric.update_state(["A dog", "Two cats"], ["A dog", "Two cats"])
    assert metric.result()["rouge_l"] == pytest.approx(1)


def test_ids_are_scored_without_padding():
    metric = CaptionScores()
    metric.update_state(keras.ops.convert_to_tensor(REFERENCE_IDS), IDS)
    assert metric.result() == pytest.approx(ID_SCORES)


def test_ids_are_detokenized_with_a_tokenizer():
    metric = CaptionScores(tokenizer=Words())
    metric.update_state([["A dog runs!"], ["Two cats"], ["a cats"]], IDS)
    strings = coco_caption_scores(
        {0: ["A dog runs!"], 1: ["Two cats"], 2: ["a cats"]},
        {0: "a dog runs", 1: "two cats", 2: "a cats runs dog"},
        ("bleu", "rouge_l", "cider"),
    )
    assert metric.result() == pytest.approx(strings)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Keras traces the metric on JAX even when eager"
)
def test_evaluate_returns_each_score():
    inputs = keras.Input((4,), dtype="int32")
    model = keras.Model(inputs, Generate()(inputs))

    def no_loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.cast(y_pred, "float32"), axis=-1) * 0

    model.compile(loss=no_loss, metrics=[CaptionScores()], run_eagerly=True)
    batches_of_2 = model.evaluate(IDS, REFERENCE_IDS, batch_size=2, verbose=0, return_dict=True)
    batches_of_1 = model.evaluate(IDS, REFERENCE_IDS, batch_size=1, verbose=0, return_dict=True)
    for name, score in ID_SCORES.items():
        assert batches_of_2[name] == pytest.approx(score)
        assert batches_of_1[name] == pytest.approx(score)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch is always eager")
def test_compiled_graphs_raise_an_error_about_run_eagerly():
    inputs = keras.Input((4,), dtype="int32")
    model = keras.Model(inputs, Generate()(inputs))
    model.compile(loss=lambda y, p: keras.ops.zeros((2,)), metrics=[CaptionScores()])
    with pytest.raises(TypeError, match="`y_true` must have values.*run_eagerly=True"):
        model.evaluate(IDS, REFERENCE_IDS, batch_size=2, verbose=0)


def test_config_round_trip():
    metric = CaptionScores(metrics=("bleu",), tokenizer=Words(), padding_id=3, name="scores")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert copy.get_config() == metric.get_config()
    assert isinstance(copy.tokenizer, Words)


def test_invalid_inputs_raise_an_error():
    metric = CaptionScores()
    with pytest.raises(ValueError, match="not 1 and 2"):
        metric.update_state([["a"]], ["a", "b"])
    with pytest.raises(ValueError, match="a reference for each image"):
        metric.update_state([["", ""]], ["a"])
    with pytest.raises(ValueError, match="`sample_weight` must be None"):
        metric.update_state([["a"]], ["a"], sample_weight=[1.0])
    with pytest.raises(ValueError, match="unknown names: 'spice'"):
        CaptionScores(metrics=("spice",))
    assert metric.result() == {}


def test_callback_adds_scores_to_the_logs():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile(loss="mse")
    callback = CaptionScoresCallback([7, 8, 9], REFERENCES, generate=lambda x: CANDIDATES)
    history = model.fit(
        np.zeros((2, 1)), np.zeros((2, 1)), epochs=2, verbose=0, callbacks=[callback]
    )
    assert history.history["val_cider"] == pytest.approx([EXPECTED["cider"]] * 2)
    with pytest.raises(ValueError, match="each of the 3 references, not 1"):
        CaptionScoresCallback([7], REFERENCES, generate=lambda x: ["a"]).on_epoch_end(0, {})


def test_string_is_a_single_caption():
    from_string, from_list = CaptionScores(), CaptionScores()
    from_string.update_state("a dog runs on grass", "a dog runs")
    from_list.update_state([["a dog runs on grass"]], ["a dog runs"])
    assert from_string.result() == from_list.result()
    assert from_string.result()["rouge_l"] > 0
    with pytest.raises(TypeError, match="have a string: 0"):
        CaptionScoresCallback([0], ["a dog"])
    callback = CaptionScoresCallback("photo.jpg", [["a dog runs"]], generate=lambda x: "a dog runs")
    logs = {}
    callback.on_epoch_end(0, logs)
    assert logs["val_rouge_l"] == 1
