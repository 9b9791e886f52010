import numpy as np
import pytest

from keras_mmfusion.datasets import ItemFeatures, read_item_features, write_item_features

IDS = np.array(["a", "b", "ü"])
PHOTO = np.array([[1, 2], [np.nan, np.nan], [3, 4]], "float32")
ITEMS = ItemFeatures(IDS, {"photo": PHOTO, "text": np.ones((3, 1), "float32")})


def test_a_folder_gives_the_same_items(tmp_path):
    write_item_features(ITEMS, tmp_path / "new" / "folder")
    items = read_item_features(tmp_path / "new" / "folder")
    assert items.item_ids.tolist() == IDS.tolist()
    assert sorted(items.features) == ["photo", "text"]
    np.testing.assert_array_equal(items.features["photo"], PHOTO)


def test_what_is_there():
    assert ITEMS.present("photo").tolist() == [True, False, True]
    assert list(ITEMS.without("photo").features) == ["text"]
    with pytest.raises(ValueError, match="`modality` must be one of photo, text"):
        ITEMS.without("smell")


@pytest.mark.parametrize(
    ("ids", "photo", "message"),
    [
        (["a", "b", "a"], PHOTO, "`item_ids` has ids twice: a"),
        (IDS, PHOTO[:2], r"must have the shape \(items, dim\), of 3 items"),
        (IDS, PHOTO[:, 0], r"must have the shape \(items, dim\)"),
        (IDS, np.where(PHOTO == 4, np.nan, PHOTO), "NaN in the whole row.*Items: ü"),
        (IDS, np.where(PHOTO == 4, np.inf, PHOTO), "must be finite"),
    ],
)
def test_features_that_do_not_fit(ids, photo, message):
    with pytest.raises(ValueError, match=message):
        ItemFeatures(np.array(ids), {"photo": photo})


def test_a_folder_without_them(tmp_path):
    with pytest.raises(ValueError, match="must have items.txt"):
        read_item_features(tmp_path)


def test_pickled_arrays_are_never_loaded(tmp_path):
    (tmp_path / "items.txt").write_text("a\n")
    np.save(tmp_path / "photo.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_item_features(tmp_path)
