import numpy as np
import pytest
from models.retrieval.small_embedders import SENTENCES, WORDS, make_images, small_preprocessor

CAPTIONS = ["A Red squares", "à red", "", "a a a a a a a a", "dog"]
IDS = [
    [2, 5, 9, 6, 7, 3],
    [2, 5, 9, 3, 0, 0],
    [2, 3, 0, 0, 0, 0],
    [2, 5, 5, 5, 5, 3],
    [2, 1, 3, 0, 0, 0],
]


def test_token_ids_and_padding_mask():
    with pytest.warns(UserWarning, match=r"2 of 5 texts have no word .* such as \['', 'dog'\]"):
        text = small_preprocessor()({"text": CAPTIONS})["text"]
    assert WORDS[9] == "red"
    assert text["token_ids"].tolist() == IDS
    np.testing.assert_array_equal(text["padding_mask"], np.array(IDS) > 0)
    assert text["token_ids"].dtype == text["padding_mask"].dtype == "int32"


def test_tf_data_gives_the_same_result():
    tf = pytest.importorskip("tensorflow")
    preprocessor = small_preprocessor()
    raw = {"image": np.stack(make_images()[:5]), "text": CAPTIONS}
    with pytest.warns(UserWarning, match="2 of 5 texts have no word"):
        expected = preprocessor(raw)
    [found] = tf.data.Dataset.from_tensor_slices(raw).batch(5).map(preprocessor)
    assert found["text"]["token_ids"].numpy().tolist() == IDS
    np.testing.assert_array_equal(found["text"]["padding_mask"], np.array(IDS) > 0)
    np.testing.assert_allclose(found["image"], np.asarray(expected["image"]), atol=1e-5)


def test_sample_weights_are_passed_on():
    x, y, weights = small_preprocessor()({"text": SENTENCES}, sample_weight=np.ones(6))
    assert y is None and weights.shape == (6,) and set(x) == {"text"}


@pytest.mark.parametrize("x", [["a dog"], {}, {"text": ["a"], "smell": [1]}])
def test_invalid_input_is_an_error(x):
    with pytest.raises(ValueError, match="`x` must be a dict with 'image', 'text' or both"):
        small_preprocessor()(x)


def test_targets_are_an_error():
    with pytest.raises(ValueError, match="`y` must be None"):
        small_preprocessor()({"text": ["a"]}, np.ones(1))


def test_padding_can_be_part_of_the_text():
    tf = pytest.importorskip("tensorflow")
    source = small_preprocessor()
    tokenizer = source.tokenizer
    # A tokenizer without a start token, as SigLIP's.
    tokenizer.cls_token_id = tokenizer.start_token_id = None
    preprocessor = type(source)(tokenizer, source.image_converter, 6, mask_padding=False)
    expected = [[5, 9, 6, 7, 3, 0], [5, 5, 5, 5, 5, 3]]
    captions = ["A Red squares", "a a a a a a a a"]
    [graph] = tf.data.Dataset.from_tensor_slices({"text": captions}).batch(2).map(preprocessor)
    for text in (preprocessor({"text": captions})["text"], graph["text"]):
        assert np.asarray(text["token_ids"]).tolist() == expected
        assert np.asarray(text["padding_mask"]).tolist() == np.ones((2, 6)).tolist()
    assert preprocessor.get_config()["mask_padding"] is False


def test_invalid_sequence_length_is_an_error():
    with pytest.raises(ValueError, match="`sequence_length` must be an integer of at least 3"):
        small_preprocessor(sequence_length=2)
