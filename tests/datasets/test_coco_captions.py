import json
import os
import shutil

import pytest

from keras_mmfusion.datasets import read_coco_captions


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
def test_layouts(tmp_path, pairs, folder):
    write(tmp_path, pairs, folder)
    found = read_coco_captions(tmp_path, "val2017")
    assert [os.path.basename(image) for image in found.images] == ["1.jpg", "0.jpg"]
    assert found.captions == [["A cat."], ["A dog.", "One dog."]]


def test_missing_files(tmp_path, pairs):
    write(tmp_path, pairs, "val2017")
    with pytest.raises(ValueError, match=r"annotations/captions_train2017.json.*cocodataset"):
        read_coco_captions(tmp_path, "train2017")
