import numpy as np
import pytest

from keras_mmfusion.datasets import ItemFeatures, read_item_features, write_item_features

IDS = np.array(["a", "b", "ü"])
PHOTO = np.array([[1, 2], [np.nan, np.nan], [3, 4]], "float32")
ITEMS = ItemFeatures(IDS, {"photo": PHOTO, "text": np.ones((3, 1), "float32")})


def test_items_are_written_and_read(tmp_path):
    write_item_features(ITEMS, tmp_path / "new" / "folder")
    items = read_item_features(tmp_path / "new" / "folder")
    assert items.item_ids.tolist() == IDS.tolist()
    assert sorted(items.features) == ["photo", "text"]
    np.testing.assert_array_equal(items.features["photo"], PHOTO)


def test_masks_and_removed_modalities():
    assert ITEMS.get_mask("photo").tolist() == [True, False, True]
    assert list(ITEMS.drop("photo").features) == ["text"]
    with pytest.raises(ValueError, match="`modality` must be one of 'photo', 'text'"):
        ITEMS.drop("smell")


@pytest.mark.parametrize(
    ("ids", "photo", "message"),
    [
        (["a", "b", "a"], PHOTO, "`item_ids` has repeated ids: a"),
        (IDS, PHOTO[:2], r"must have the shape \(items, dim\) with 3 items"),
        (IDS, PHOTO[:, 0], r"must have the shape \(items, dim\)"),
        (IDS, np.where(PHOTO == 4, np.nan, PHOTO), "NaN in the whole row.*Items: ü"),
        (IDS, np.where(PHOTO == 4, np.inf, PHOTO), "must be finite"),
    ],
)
def test_invalid_features_are_rejected(ids, photo, message):
    with pytest.raises(ValueError, match=message):
        ItemFeatures(np.array(ids), {"photo": photo})


def test_folder_without_items_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="must contain items.txt"):
        read_item_features(tmp_path)


def test_pickled_arrays_are_never_loaded(tmp_path):
    (tmp_path / "items.txt").write_text("a\n")
    np.save(tmp_path / "photo.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_item_features(tmp_path)


def test_encodings_of_the_file_of_ids(tmp_path):
    write_item_features(ITEMS, tmp_path)
    for encoding, end in (("utf-8-sig", "\r\n"), ("utf-16", "\r")):
        (tmp_path / "items.txt").write_bytes(f"a{end}b{end}ü{end}".encode(encoding))
        assert read_item_features(tmp_path).item_ids.tolist() == IDS.tolist()
    for content, message in (
        (b"a\nb\n\xfc\n", "items.txt' is not UTF-8: line 3 has the byte 0xfc"),
        (b"", "items.txt' is empty"),
        (b"a\nb\n", "must be numeric and match items.txt.* with 2 items"),
        (b"a\nb\nnan\n", "`item_ids` must not be missing.* index 2: 'nan'"),
    ):
        (tmp_path / "items.txt").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_item_features(tmp_path)


def test_missing_ids_are_rejected():
    for ids in (["a", None, "b"], ["a", "", "b"], [1.0, np.nan, 2.0]):
        with pytest.raises(ValueError, match="`item_ids` must not be missing.* at index 1"):
            ItemFeatures(ids, {})
    with pytest.raises(ValueError, match="`item_ids` must be a list or array"):
        ItemFeatures("abc", {})
    assert ItemFeatures([1, 2], {}).item_ids.tolist() == ["1", "2"]


def test_repr_shows_the_sizes():
    assert repr(ITEMS) == "ItemFeatures(items=3, dims={'photo': 2, 'text': 1})"


def test_numeric_ids_are_normalized():
    items = ItemFeatures(np.array([1.0, 2.0]), {"photo": np.ones((2, 3))})
    assert items.item_ids.tolist() == ["1", "2"]
    with pytest.raises(ValueError, match="`item_ids` has repeated ids: 1"):
        ItemFeatures([1, 1.0], {"photo": np.ones((2, 3))})


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([[1, 2]], "`features` must be a dict"),
        ({"photo": [["1", "2"]]}, "'photo'.* must be numbers: the dtype is"),
        ({"photo": [[1j, 2]]}, "'photo'.* must be numbers: the dtype is"),
        ({"photo": [[{}, 2]]}, "'photo'.* must be numbers: float"),
    ],
)
def test_features_must_be_numeric(features, message):
    with pytest.raises(ValueError, match=message):
        ItemFeatures(["a"], features)


def test_none_is_converted_to_nan():
    items = ItemFeatures(["a", "b"], {"photo": [[None, None], [1, 2]]})
    assert items.get_mask("photo").tolist() == [False, True]
