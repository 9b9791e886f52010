import numpy as np
import pytest

from keras_mmfusion.datasets import ItemFeatures, Movies
from keras_mmfusion.zoo import load_item_features, movie_encoders
from keras_mmfusion.zoo.movie_encoders import check_movie_encoders

MOVIES = Movies(*[[]] * 6)
ITEMS = ItemFeatures(np.array(["a"]), {"photo": np.ones((1, 2))})


def test_missing_encoder_is_an_error_before_movies_are_encoded(tmp_path, monkeypatch):
    def resolve(preset):
        if preset == "image_text_flickr8k":
            raise ValueError("not available")

    monkeypatch.setattr(movie_encoders, "resolve_preset", resolve)
    with pytest.raises(ValueError, match="not available"):
        check_movie_encoders(MOVIES, tmp_path / "features")


def test_item_features_need_no_encoder(monkeypatch):
    monkeypatch.setattr(movie_encoders, "resolve_preset", None)
    check_movie_encoders(ITEMS)
    assert load_item_features(ITEMS) is ITEMS
