"""The tables of captions of several data sets."""

import csv
import importlib
import json
from pathlib import Path

import pytest
from PIL import Image

ZOO = Path(__file__).resolve().parents[2] / "zoo"


@pytest.fixture
def merge_caption_sets(monkeypatch):
    monkeypatch.syspath_prepend(str(ZOO))
    return importlib.import_module("merge_caption_sets").merge_caption_sets


def write_images(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (2, 2)).save(folder / name)


@pytest.fixture
def data(tmp_path):
    """Four images of each split of Flickr8k and of COCO, and two further images."""
    splits = {split: [f"{split}_{number}.png" for number in range(4)] for split in ("train", "dev")}
    flickr8k, coco, extra = (
        tmp_path / name for name in ("flickr8k", "coco_captions", "flickr_extra")
    )
    write_images(flickr8k / "images", splits["train"] + splits["dev"])
    (flickr8k / "Flickr8k.token.txt").write_text(
        "".join(f"{name}#0\tOf {name}\n" for names in splits.values() for name in names)
    )
    (coco / "annotations").mkdir(parents=True)
    for split, names in splits.items():
        (flickr8k / f"Flickr_8k.{split}Images.txt").write_text("\n".join(names))
        write_images(coco / split, names)
        images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
        captions = [
            {"id": 2 * number + part, "image_id": number, "caption": f"{part}, {name}"}
            for number, name in enumerate(names)
            for part in range(2)
        ]
        (coco / "annotations" / f"captions_{split}.json").write_text(
            json.dumps({"images": images, "annotations": captions})
        )
    write_images(extra / "images", ["one.png", "two.png"])
    (extra / "captions.csv").write_text("image,caption\none.png,One\ntwo.png,Two\n")
    return tmp_path


def test_tables_have_all_images_and_none_in_common(merge_caption_sets, data, tmp_path):
    counts = merge_caption_sets(data, tmp_path / "tables")
    assert counts == {"train": 10, "select": 4, "dev_flickr8k": 2, "dev_coco": 2}
    images = {}
    for name, count in counts.items():
        with open(tmp_path / "tables" / f"{name}.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        images[name] = {row["image"] for row in rows}
        assert len(images[name]) == count and all(
            (data / image).is_file() for image in images[name]
        )
        for row in rows:
            assert Path(row["image"]).name in row["caption"] or "extra" in row["image"]
    assert len(set.union(*images.values())) == sum(counts.values())
    assert sum("coco_captions/dev/" in image for image in images["select"]) == 2
    assert all(image.startswith("flickr8k/") for image in images["dev_flickr8k"])
    assert "flickr_extra/images/one.png" in images["train"]
    again = merge_caption_sets(data, tmp_path / "again")
    assert again == counts
    for name in counts:
        one, other = (tmp_path / folder / f"{name}.csv" for folder in ("tables", "again"))
        assert one.read_bytes() == other.read_bytes()
