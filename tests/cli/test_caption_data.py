import pytest
from PIL import Image

from keras_mmfusion.cli.caption_data import data_facts, read_pairs, read_train_and_dev

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


def test_a_table_of_train_and_one_of_dev(folder):
    train, dev = split(folder, captions=folder / "train.csv", dev_captions=folder / "dev.csv")
    assert len(train) == 8 and len(dev) == 2
    assert dev.captions[0] == ["caption 0 of my photo 8.png", "caption 1 of my photo 8.png"]


def test_a_share_of_the_images_is_dev(folder):
    train, dev = split(folder, captions=folder / "all.csv", dev_fraction=0.3)
    assert (len(train), len(dev)) == (7, 3)
    assert not set(train.images) & set(dev.images)
    assert all(len(captions) == 2 for captions in train.captions + dev.captions)
    assert split(folder, captions=folder / "all.csv", dev_fraction=0.3)[1] == dev


def test_images_and_captions_to_score_on(folder):
    options = (None, None, folder / "photos", folder / "dev.csv")
    assert len(read_pairs(*options)) == 2
    assert data_facts(*options) == {"data": "photos", "split": "dev.csv"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`--images`, a folder, and `--captions`, a table .* go together"),
        ({"images": None}, "Which data?"),
        ({"captions": "train.csv"}, "needs a dev set.*neither"),
        ({"captions": "all.csv", "dev_fraction": 1.5}, "`--dev-fraction` must be between 0 and 1"),
        ({"captions": "all.csv", "dev_fraction": 0.5, "dev_captions": "dev.csv"}, "both"),
        (
            {"captions": "all.csv", "dev_fraction": 0.5, "dev_images": "photos"},
            "`--dev-images` does not go with `--dev-fraction`",
        ),
        ({"captions": "all.csv", "dev_captions": "dev.csv"}, "2 are in both tables"),
        ({"captions": "all.csv", "data": "x"}, "`--data` does not go with `--images`"),
        ({"captions": "all.csv", "dev_split": "val"}, "`--dev-split` does not go with"),
        ({"captions": "all.csv", "images": "none", "dev_fraction": 0.5}, "folder of images was"),
    ],
)
def test_options_that_do_not_fit_together(folder, options, message):
    paths = {
        name: folder / value if isinstance(value, str) else value for name, value in options.items()
    }
    with pytest.raises(ValueError, match=message):
        split(folder, **paths)


def test_a_folder_needs_its_split(tmp_path):
    with pytest.raises(ValueError, match="`--data` needs `--split`"):
        read_pairs(tmp_path, None, None, None)
