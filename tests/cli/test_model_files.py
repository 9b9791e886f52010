import keras
import numpy as np
import pytest

from keras_mmfusion.cli.model_files import (
    check_model,
    check_model_out,
    describe_model,
    load_model,
    save_model,
)
from keras_mmfusion.models import Captioner, ConversationModel
from keras_mmfusion.zoo.manifest import compute_sha256


@pytest.mark.parametrize("name", ["model.keras", "preset"])
def test_models_are_saved_and_loaded_as_file_or_preset(sentiment_preset, tmp_path, name):
    model = load_model(sentiment_preset, ConversationModel)
    path = tmp_path / name
    check_model_out(path)
    save_model(model, path)
    check_model(str(path))
    loaded = load_model(str(path), ConversationModel)
    for weight, expected in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    with pytest.raises(ValueError, match="contains a ConversationModel, not a Captioner"):
        load_model(str(path), Captioner)
    description = describe_model(str(path))
    assert description["preset"] == name
    if name == "model.keras":
        assert description["preset_hash"] == compute_sha256(path)


def test_missing_models_are_errors(tmp_path):
    with pytest.raises(ValueError, match="`--preset` must be an existing .keras file"):
        check_model(str(tmp_path / "none.keras"))
    with pytest.raises(ValueError, match="must be a folder written by `save_to_preset`"):
        check_model(str(tmp_path / "none"))


def test_targets_that_cannot_be_written_are_errors(tmp_path):
    (tmp_path / "folder.keras").mkdir()
    for path in (tmp_path / "folder.keras", tmp_path / "none" / "model.keras"):
        with pytest.raises(ValueError, match="`--out` must be a file in an existing folder"):
            check_model_out(path)
    (tmp_path / "photo.jpg").write_text("")
    with pytest.raises(ValueError, match="preset"):
        check_model_out(tmp_path)
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "old.keras")
    check_model_out(tmp_path / "old.keras")  # An older file is replaced.
