import json
import os
import shutil

import pytest

from keras_mmfusion.datasets import coco_caption_dataset, read_coco_captions
from keras_mmfusion.datasets.captions.caption_folder import read_caption_folder


def write(tmp_path, pairs, folder):
    images = tmp_path / folder
    images.mkdir(parents=True)
    for path in pairs.images[:2]:
        shutil.copy(path, images)
    content = {
        "images": [{"id": 7, "file_name": "1.jpg"}, {"id": 3, "file_name": "0.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 3, "caption": "A dog. "},
            {"id": 2, "image_id": 7, "caption": "A cat."},
            {"id": 3, "image_id": 3, "caption": "One dog."},
        ],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "captions_val2017.json").write_text(json.dumps(content))


@pytest.mark.parametrize("folder", ["val2017", "images/val2017"])
def test_reads_both_image_folder_layouts(tmp_path, pairs, folder):
    write(tmp_path, pairs, folder)
    pairs = read_coco_captions(tmp_path, "val2017")
    assert [os.path.basename(image) for image in pairs.images] == ["1.jpg", "0.jpg"]
    assert pairs.captions == [["A cat."], ["A dog.", "One dog."]]


def test_custom_split_may_be_named_train(tmp_path, pairs):
    write(tmp_path, pairs, "train")
    annotations = tmp_path / "annotations"
    (annotations / "captions_val2017.json").rename(annotations / "captions_train.json")
    for read in (read_coco_captions, read_caption_folder):
        assert read(tmp_path, "train").captions == [["A cat."], ["A dog.", "One dog."]]


def test_missing_annotations_are_named_with_their_source(tmp_path, pairs):
    write(tmp_path, pairs, "val2017")
    with pytest.raises(ValueError, match=r"annotations/captions_train2017.json.*cocodataset"):
        read_coco_captions(tmp_path, "train2017")


def test_unlisted_images_latin1_and_truncated_files(tmp_path, pairs):
    write(tmp_path, pairs, "val2017")
    path = tmp_path / "annotations" / "captions_val2017.json"
    content = json.loads(path.read_text())
    content["images"].append(dict(content["images"][0]))
    content["annotations"] += [
        {"id": 4, "image_id": 7, "caption": "A caf\xe9\nat night"},
        {"id": 5, "image_id": 99, "caption": "Nothing."},
    ]
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="latin1")
    with pytest.warns(UserWarning, match="Skipped 1 captions of unlisted images.*: 99"):
        result = read_coco_captions(tmp_path, "val2017")
    assert result.captions == [["A cat.", "A café at night"], ["A dog.", "One dog."]]
    path.write_text(path.read_text(encoding="latin1")[:-20], encoding="latin1")
    with pytest.raises(ValueError, match="is not valid JSON.* truncated"):
        read_coco_captions(tmp_path, "val2017")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": ...}, "but it has no 'images'. .* appears to be COCO caption annotations"),
        ({"annotations": ...}, "no 'annotations'. .* COCO's list of images without annotations"),
        ({"images": None}, "'images' is not a list"),
        ({"annotations": {}}, "'annotations' is not a list"),
        ({"images": [{"id": 7}]}, "entry 0 of 'images' has no 'file_name'"),
        ({"images": [{"file_name": "1.jpg"}]}, "entry 0 of 'images' has no 'id'"),
        (
            {"annotations": [{"id": 1, "image_id": 3, "caption": None}]},
            "entry 0 of 'annotations' must have a string as its 'caption', not None",
        ),
        ({"annotations": [{"image_id": 3, "caption": ["a"]}]}, "a string as its 'caption'"),
        ({"annotations": [{"caption": "a"}]}, "entry 0 of 'annotations' has no 'image_id'"),
        ({"annotations": ["a"]}, "entry 0 of 'annotations' is not an object: 'a'"),
        (
            {"annotations": [{"image_id": 3, "category_id": 1, "bbox": [0, 0, 1, 1]}]},
            "has no 'caption'.* appears to be COCO instance annotations",
        ),
        (
            {"annotations": [{"image_id": "3", "caption": "a"}]},
            "no `image_id` of an annotation, such as '3', matches an `id` in `images`, such as 7",
        ),
        (
            {"images": [{"id": 7, "file_name": "1.jpg"}, {"id": 7, "file_name": "0.jpg"}]},
            "two records with 'id' 7 differ",
        ),
    ],
)
def test_invalid_annotations_are_rejected(tmp_path, pairs, change, message):
    write(tmp_path, pairs, "val2017")
    path = tmp_path / "annotations" / "captions_val2017.json"
    content = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: x for key, x in content.items() if x is not ...}))
    for read in (read_coco_captions, read_caption_folder):
        with pytest.raises(ValueError, match=f"captions_val2017.json'.*{message}"):
            read(tmp_path, "val2017")


def test_results_files_are_rejected_and_utf_16_is_read(tmp_path, pairs):
    write(tmp_path, pairs, "val2017")
    path = tmp_path / "annotations" / "captions_val2017.json"
    text = path.read_text()
    path.write_text(json.dumps([{"image_id": 3, "caption": "A dog."}]))
    with pytest.raises(ValueError, match="must be COCO caption annotations .* a COCO results file"):
        read_coco_captions(tmp_path, "val2017")
    path.write_bytes(text.encode("utf-16"))
    assert read_coco_captions(tmp_path, " val2017 ").captions[0] == ["A cat."]


def write_karpathy(tmp_path, pairs):
    """Writes `dataset_coco.json`, which has sentences as tokens and as raw text."""
    splits = {"test": 0, "train": 1, "restval": 2, "val": 3}
    images = []
    for split, index in splits.items():
        folder = "train2014" if split == "train" else "val2014"
        (tmp_path / folder).mkdir(exist_ok=True)
        name = f"COCO_{folder}_{index:012}.jpg"
        shutil.copy(pairs.images[index], tmp_path / folder / name)
        sentences = [
            {"tokens": ["a", split], "raw": f"A {split}. ", "imgid": index, "sentid": 9},
            {"tokens": ["one", split], "raw": f"One {split}", "imgid": index, "sentid": 8},
        ]
        images.append(
            {
                "filepath": folder,
                "sentids": [9, 8],
                "filename": name,
                "imgid": index,
                "split": split,
                "sentences": sentences,
                "cocoid": index,
            }
        )
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images, "dataset": "coco"}))


def test_reads_karpathys_splits(tmp_path, pairs):
    write_karpathy(tmp_path, pairs)
    test = read_coco_captions(tmp_path, "test")
    assert test.captions == [["A test.", "One test"]]
    assert test.images == [str(tmp_path / "val2014" / "COCO_val2014_000000000000.jpg")]
    both = read_coco_captions(tmp_path, "train+restval")
    assert [os.path.basename(image)[5:10] for image in both.images] == ["train", "val20"]
    assert read_caption_folder(tmp_path, "train+restval") == both
    (tmp_path / "list.txt").write_text("COCO_val2014_000000000003.jpg")
    assert read_caption_folder(tmp_path, str(tmp_path / "list.txt")).captions[0][0] == "A val."
    with pytest.raises(ValueError, match="one of 'train', 'restval', 'val', 'test' or"):
        read_caption_folder(tmp_path, "dev")


def test_damaged_karpathy_files_are_rejected(tmp_path, pairs):
    write_karpathy(tmp_path, pairs)
    path = tmp_path / "dataset_coco.json"
    content = json.loads(path.read_text())
    first = content["images"][0]
    for changed, message in (
        ({"filepath": None}, "entry 0 of 'images' must have a string as its 'filepath', not None"),
        ({"sentences": "A dog."}, "entry 0 of 'images' must have a list as its 'sentences'"),
        ({"sentences": [{"raw": None}]}, "the sentences of 'COCO_.*.jpg' must have a string"),
        ({"sentences": ["A dog."]}, "entry 0 of the sentences of .* is not an object"),
    ):
        path.write_text(json.dumps({"images": [first | changed]}))
        with pytest.raises(ValueError, match=f"dataset_coco.json' must be Karpathy's .*{message}"):
            read_coco_captions(tmp_path, first["split"])
    path.write_text(json.dumps({"annotations": []}))
    with pytest.raises(ValueError, match="it has no 'images'"):
        read_coco_captions(tmp_path, "test")


def test_whitespace_around_split_names_is_ignored(tmp_path, pairs):
    write_karpathy(tmp_path, pairs)
    content = json.loads((tmp_path / "dataset_coco.json").read_text())
    photo = content["images"][0]
    photo["split"] += " "
    for folder in ("train2014", "val2014"):
        if (tmp_path / folder / photo["filename"]).is_file():
            shutil.copy(tmp_path / folder / photo["filename"], tmp_path / folder / "my photo.jpg")
    photo["filename"] = "my photo.jpg"
    (tmp_path / "dataset_coco.json").write_text(json.dumps(content))
    (tmp_path / "list.txt").write_text("\ufeffmy photo.jpg\r\n\r\n", encoding="utf-8")
    for split in ("test", " test ", tmp_path / "list.txt"):
        (image,) = read_caption_folder(tmp_path, split).images
        assert os.path.basename(image) == "my photo.jpg"
    assert len(read_caption_folder(tmp_path, "train + restval")) == 2


def test_missing_karpathy_files_are_named(tmp_path, pairs):
    with pytest.raises(ValueError, match=r"dataset_coco.json .*caption_datasets.zip"):
        read_coco_captions(tmp_path, "restval")
    write_karpathy(tmp_path, pairs)
    shutil.rmtree(tmp_path / "val2014")
    with pytest.raises(ValueError, match="the images in val2014/"):
        read_coco_captions(tmp_path, "test")


def test_dataset_batches_images_and_captions(tmp_path, pairs):
    pytest.importorskip("tensorflow")
    write_karpathy(tmp_path, pairs)
    (batch,) = coco_caption_dataset(tmp_path, "val", image_size=(8, 8), captions_per_image=3)
    assert batch["images"].shape == (1, 8, 8, 3)
    assert batch["captions"].numpy().tolist() == [[b"A val.", b"One val", b""]]
