import json
import os

import pytest
from PIL import Image

from keras_mmfusion.datasets import flickr8k_dataset, read_caption_folder, read_flickr8k


@pytest.fixture(params=["flat", "archives"])
def data_dir(request, tmp_path):
    flat = request.param == "flat"
    texts = tmp_path if flat else tmp_path / "Flickr8k_text"
    images = tmp_path / ("images" if flat else "Flicker8k_Dataset")
    texts.mkdir(exist_ok=True)
    images.mkdir()
    tokens = []
    for name, color in (("b_1.jpg", "red"), ("a_2.jpg", "blue"), ("c_3.jpg", "lime")):
        Image.new("RGB", (12, 10), color).save(images / name)
        tokens += [f"{name}#{number}\tA {color} photo {number} .\n" for number in range(5)]
    (texts / "Flickr8k.token.txt").write_text("".join(tokens))
    (texts / "Flickr_8k.trainImages.txt").write_text("b_1.jpg\na_2.jpg\n")
    (texts / "Flickr_8k.devImages.txt").write_text("c_3.jpg\n")
    return tmp_path


def test_reads_official_splits(data_dir):
    train = read_flickr8k(data_dir, "train")
    assert [os.path.basename(image) for image in train.images] == ["b_1.jpg", "a_2.jpg"]
    assert train.captions[1] == [f"A blue photo {number} ." for number in range(5)]
    assert len(read_flickr8k(str(data_dir), "dev")) == 1


def test_split_may_be_a_list_file(data_dir, tmp_path):
    chosen = tmp_path / "mine.txt"
    chosen.write_text("c_3.jpg\nb_1.jpg\n")
    images = read_flickr8k(data_dir, str(chosen)).images
    assert [os.path.basename(image) for image in images] == ["c_3.jpg", "b_1.jpg"]


def test_unknown_split_is_rejected(data_dir):
    with pytest.raises(ValueError, match="'validation'"):
        read_flickr8k(data_dir, "validation")


def test_missing_folder_error_names_the_source(tmp_path):
    with pytest.raises(ValueError, match=r"Flickr8k_Dataset.zip.*Flickr_8k.trainImages.txt"):
        read_flickr8k(tmp_path / "nowhere")


def test_missing_list_file_is_named(data_dir):
    with pytest.raises(ValueError, match="must contain Flickr_8k.testImages.txt"):
        read_flickr8k(data_dir, "test")


def test_missing_image_is_named(data_dir, tmp_path):
    chosen = tmp_path / "mine.txt"
    chosen.write_text("c_3.jpg\nz_9.jpg\n")
    with pytest.raises(ValueError, match="z_9.jpg"):
        read_flickr8k(data_dir, str(chosen))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_marks_line_ends_and_blank_lines_are_ignored(data_dir, encoding, end):
    folder = data_dir / "Flickr8k_text" if (data_dir / "Flickr8k_text").is_dir() else data_dir
    for path in folder.glob("*.txt"):
        text = path.read_text() + "\n"
        path.write_bytes(text.replace("\n", end).encode(encoding))
    train = read_flickr8k(data_dir, " train")
    assert [os.path.basename(image) for image in train.images] == ["b_1.jpg", "a_2.jpg"]
    assert train.captions[0] == [f"A red photo {number} ." for number in range(5)]


def test_file_names_may_contain_spaces(data_dir, tmp_path):
    (photo,) = data_dir.rglob("b_1.jpg")
    photo.rename(photo.with_name("my photo.jpg"))
    for path in data_dir.rglob("*.txt"):
        path.write_text(path.read_text().replace("b_1.jpg", "my photo.jpg"))
    assert os.path.basename(read_flickr8k(data_dir).images[0]) == "my photo.jpg"
    chosen = tmp_path / "mine.txt"
    chosen.write_text("my photo.jpg \n")
    assert read_flickr8k(data_dir, chosen).captions[0][0] == "A red photo 0 ."


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b_1.jpg#0 A photo\n", r"token.txt', line 16: must be an image name, a tab"),
        ("b_1.jpg#0\tA caf\xe9\n", r"token.txt' is not UTF-8: line 16 has the byte 0xe9.*Latin-1"),
    ],
)
def test_damaged_captions_are_rejected(data_dir, line, message):
    (path,) = data_dir.rglob("Flickr8k.token.txt")
    path.write_bytes(path.read_bytes() + line.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        read_flickr8k(data_dir, "dev")


def convert_to_kaggle(data_dir):
    """Kaggle's copy: `captions.txt`, CSV with a header, and no list files."""
    (path,) = data_dir.rglob("Flickr8k.token.txt")
    rows = ["image,caption", "b_1.jpg,A dog, a cat", 'b_1.jpg,"A cat, ""a"" dog"', "c_3.jpg,Sea ."]
    (data_dir / "captions.txt").write_text("\n".join(rows))
    path.unlink()
    chosen = data_dir / "mine.txt"
    chosen.write_text("c_3.jpg\nb_1.jpg\n")
    return str(chosen)


@pytest.mark.parametrize("read", [read_flickr8k, read_caption_folder])
def test_reads_kaggles_captions(data_dir, read):
    chosen = convert_to_kaggle(data_dir)
    assert read(data_dir, chosen).captions == [["Sea ."], ["A dog, a cat", 'A cat, "a" dog']]
    for path in data_dir.rglob("Flickr_8k.*.txt"):
        path.unlink()
    with pytest.raises(ValueError, match="must contain .*trainImages.txt.* list file as `split`"):
        read(data_dir, "train")


def write_karpathy(data_dir, name):
    for path in data_dir.rglob("Flickr*.txt"):
        path.unlink()
    rows = [("a_2.jpg", "train"), ("b_1.jpg", "val"), ("c_3.jpg", "test")]
    images = [
        {"filename": photo, "split": split, "sentences": [{"raw": f"A {split} photo. "}]}
        for photo, split in rows
    ]
    (data_dir / name).write_text(json.dumps({"images": images}))


@pytest.mark.parametrize("read", [read_flickr8k, read_caption_folder])
@pytest.mark.parametrize("name", ["dataset_flickr8k.json", "dataset_flickr30k.json"])
def test_reads_karpathys_splits(data_dir, read, name):
    write_karpathy(data_dir, name)
    splits = {split: read(data_dir, split) for split in ("train", "dev", "test")}
    names = [os.path.basename(image) for pairs in splits.values() for image in pairs.images]
    assert names == ["a_2.jpg", "b_1.jpg", "c_3.jpg"]
    assert splits["dev"].captions == [["A val photo."]]
    chosen = data_dir / "mine.txt"
    chosen.write_text("c_3.jpg\nb_1.jpg\n")
    assert read(data_dir, chosen).captions == [["A test photo."], ["A val photo."]]


def test_karpathys_captions_override_kaggles(data_dir):
    write_karpathy(data_dir, "dataset_flickr8k.json")
    (data_dir / "captions.txt").write_text("image,caption\na_2.jpg,A blue photo\n")
    assert read_caption_folder(data_dir, "train").captions == [["A train photo."]]
    (data_dir / "dataset_flickr8k.json").write_text('{"images": [{"filename": "a_2.jpg"}]}')
    with pytest.raises(ValueError, match="flickr8k.json' must be Karpathy's .* has no 'split'"):
        read_flickr8k(data_dir, "train")


def test_dataset_batches_images_and_captions(data_dir):
    pytest.importorskip("tensorflow")
    batch = next(
        iter(flickr8k_dataset(data_dir, "train", batch_size=2, image_size=(8, 8), shuffle=False))
    )
    assert batch["images"].shape == (2, 8, 8, 3)
    assert batch["captions"].shape == (2, 5)
    assert batch["captions"].numpy()[0, 1] == b"A red photo 1 ."


@pytest.mark.shared_data
def test_reads_the_original_data_set():
    folder = os.environ.get("KERAS_MMFUSION_TEST_DATA")
    if not folder:
        pytest.skip("KERAS_MMFUSION_TEST_DATA is not set")
    train = read_flickr8k(os.path.join(folder, "flickr8k"), "train")
    dev = read_flickr8k(os.path.join(folder, "flickr8k"), "dev")
    assert (len(train), len(dev)) == (6000, 1000)
    assert {len(captions) for captions in train.captions} == {5}
    assert not set(train.images) & set(dev.images)
