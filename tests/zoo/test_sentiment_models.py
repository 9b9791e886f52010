import numpy as np
import pytest
from layer_checks import to_numpy

from keras_mmfusion.models import ConversationModel
from keras_mmfusion.zoo import sentiment

RNG = np.random.default_rng(0)
DATA = {
    "text": RNG.normal(size=(2, 3, 100)).astype("float32"),
    "audio": RNG.normal(size=(2, 3, 73)).astype("float32"),
    "video": RNG.normal(size=(2, 3, 100)).astype("float32"),
}


@pytest.fixture(scope="module")
def model():
    return sentiment()


def test_embedded_preset_handles_missing_modalities(model):
    assert isinstance(model, ConversationModel)
    assert model.modalities == ("text", "audio", "video")
    for name in DATA:
        others = {other: values for other, values in DATA.items() if other != name}
        logits = to_numpy(model(others))
        assert logits.shape == (2, 3, 1) and np.isfinite(logits).all()
    has_text = np.array([[True, False, True]] * 2)
    with_nan = np.where(has_text[..., None], DATA["text"], np.nan)
    masked = to_numpy(model({**DATA, "text": with_nan, "text_mask": has_text}))
    assert np.isfinite(masked).all()
    assert np.abs(masked - to_numpy(model(DATA))).max() > 1e-3


def test_preset_folder_loads_with_its_weights(sentiment_preset):
    first, second = sentiment(sentiment_preset), sentiment(sentiment_preset)
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


def test_preset_of_another_task_is_an_error(captioner_preset):
    with pytest.raises(ValueError, match="not a ConversationModel"):
        sentiment(captioner_preset)


def test_unknown_preset_is_an_error():
    with pytest.raises(ValueError, match="Unknown preset 'sentiment_mosei'"):
        sentiment("sentiment_mosei")
