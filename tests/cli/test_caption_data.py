import pytest
from PIL import Image

from keras_mmfusion.cli.caption_data import describe_data, read_pairs, read_train_and_dev

NOTHING = dict.fromkeys(
    ["data", "train_split", "dev_split", "images", "captions"]
    + ["dev_images", "dev_captions", "dev_fraction"]
)


@pytest.fixture
def folder(tmp_path):
    """Ten images in a folder and two tables: one of all, one of the last two alone."""
    (tmp_path / "photos").mkdir()
    names = [f"my photo {i}.png" for i in range(10)]
    for name in names:
        Image.new("RGB", (4, 4)).save(tmp_path / "photos" / name)
    for table, part in (("all", names), ("train", names[:8]), ("dev", names[8:])):
        rows = [f"{name},caption {i} of {name}" for name in part for i in range(2)]
        (tmp_path / f"{table}.csv").write_text("\n".join(["image,caption", *rows]) + "\n")
    return tmp_path


def split(folder, **options):
    return read_train_and_dev(**{**NOTHING, "images": folder / "photos", **options})


def test_separate_tables_for_train_and_dev(folder):
    train, dev = split(folder, captions=folder / "train.csv", dev_captions=folder / "dev.csv")
    assert len(train) == 8 and len(dev) == 2
    assert dev.captions[0] == ["caption 0 of my photo 8.png", "caption 1 of my photo 8.png"]


def test_dev_fraction_splits_by_image(folder):
    train, dev = split(folder, captions=folder / "all.csv", dev_fraction=0.3)
    assert (len(train), len(dev)) == (7, 3)
    assert not set(train.images) & set(dev.images)
    assert all(len(captions) == 2 for captions in train.captions + dev.captions)
    assert split(folder, captions=folder / "all.csv", dev_fraction=0.3)[1] == dev


def test_images_and_captions_to_score(folder):
    options = (None, None, folder / "photos", folder / "dev.csv")
    assert len(read_pairs(*options)) == 2
    assert describe_data(*options) == {"data": "photos", "split": "dev.csv"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`--images`, a folder, and `--captions`, a table .* given together"),
        ({"images": None}, "Give the data"),
        ({"captions": "train.csv"}, "needs a dev set.*neither"),
        ({"captions": "all.csv", "dev_fraction": 1.5}, "`--dev-fraction` must be between 0 and 1"),
        ({"captions": "all.csv", "dev_fraction": 0.5, "dev_captions": "dev.csv"}, "both"),
        (
            {"captions": "all.csv", "dev_fraction": 0.5, "dev_images": "photos"},
            "`--dev-images` cannot be combined with `--dev-fraction`",
        ),
        ({"captions": "all.csv", "dev_captions": "dev.csv"}, "2 are in both tables"),
        ({"captions": "all.csv", "data": "x"}, "`--data` cannot be combined with `--images`"),
        ({"captions": "all.csv", "dev_split": "val"}, "`--dev-split` cannot be combined with"),
        (
            {"captions": "all.csv", "images": "none", "dev_fraction": 0.5},
            "must be a folder of images",
        ),
    ],
)
def test_conflicting_options_are_errors(folder, options, message):
    paths = {
        name: folder / value if isinstance(value, str) else value for name, value in options.items()
    }
    with pytest.raises(ValueError, match=message):
        split(folder, **paths)


def test_data_without_split_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="`--data` needs `--split`"):
        read_pairs(tmp_path, None, None, None)
