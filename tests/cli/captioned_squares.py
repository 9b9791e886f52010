"""Images of colored squares with captions, in the layouts of Flickr8k and MS COCO."""

import json

from PIL import Image

COLORS = {"r_1.png": "red", "g_2.png": "lime", "b_3.png": "blue", "x_4.png": "gray"}
CAPTIONS = {
    name: [f"A {color} square on the wall .", f"The wall is {color} ."]
    for name, color in COLORS.items()
}


def write_images(folder):
    folder.mkdir()
    for name, color in COLORS.items():
        Image.new("RGB", (40, 36), color).save(folder / name)


def write_flickr8k(folder):
    write_images(folder / "images")
    lines = [f"{n}#{i}\t{text}\n" for n, texts in CAPTIONS.items() for i, text in enumerate(texts)]
    (folder / "Flickr8k.token.txt").write_text("".join(lines))
    (folder / "Flickr_8k.devImages.txt").write_text("".join(f"{name}\n" for name in CAPTIONS))


def write_coco(folder):
    write_images(folder / "dev")
    (folder / "annotations").mkdir()
    content = {
        "images": [{"id": 10 + i, "file_name": name} for i, name in enumerate(CAPTIONS)],
        "annotations": [
            {"image_id": 10 + i, "id": 100 * i + j, "caption": text}
            for i, texts in enumerate(CAPTIONS.values())
            for j, text in enumerate(texts)
        ],
    }
    (folder / "annotations" / "captions_dev.json").write_text(json.dumps(content))
