"""Writes small files in the format of Visual Genome, versions 1.2 (questions, regions) and 1.4."""

import json

from photos import photo
from PIL import Image

# Image id -> folder and file name in the URL. The file name of the third differs from its id.
FILES = {1: "VG_100K_2/1.jpg", 2: "VG_100K/2.jpg", 2412112: "VG_100K/2370463.jpg"}


def image_data(image_id, width=80, height=40):
    """Returns a record of `image_data.json`."""
    return {
        "width": width,
        "url": f"https://cs.stanford.edu/people/rak248/{FILES[image_id]}",
        "height": height,
        "image_id": image_id,
        "coco_id": None,
        "flickr_id": None,
    }


def qa(qa_id, image_id, question, answer):
    """Returns a question of `question_answers.json`."""
    return {
        "a_objects": [],
        "question": question,
        "image_id": image_id,
        "qa_id": qa_id,
        "answer": answer,
        "q_objects": [],
    }


def region(region_id, image_id, box, phrase):
    """Returns a region of `region_descriptions.json`; `box` is left, top, width, height."""
    x, y, width, height = box
    return {
        "region_id": region_id,
        "width": width,
        "height": height,
        "image_id": image_id,
        "phrase": phrase,
        "y": y,
        "x": x,
    }


def thing(object_id, names, box=(0, 0, 40, 40), merged=()):
    """Returns an object of `objects.json`, which is also the end of a relationship."""
    x, y, w, h = box
    return {
        "synsets": [f"{name}.n.01" for name in names],
        "h": h,
        "object_id": object_id,
        "merged_object_ids": list(merged),
        "names": list(names),
        "w": w,
        "y": y,
        "x": x,
    }


def relationship(relationship_id, subject, predicate, target):
    """Returns a relationship of `relationships.json`, whose subject has one `name`."""
    subject = {**subject, "name": (subject["names"] or [""])[0]}
    del subject["names"]
    return {
        "predicate": predicate,
        "object": target,
        "relationship_id": relationship_id,
        "synsets": ["along.r.01"],
        "subject": subject,
    }


def write(folder, **files):
    """Writes `<name>.json` for each keyword."""
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def write_photos(folder, image_ids=tuple(FILES)):
    """Writes images into the two folders of the archives."""
    for name in ("VG_100K", "VG_100K_2"):
        (folder / name).mkdir(parents=True)
    for image_id in image_ids:
        Image.fromarray(photo(40, 80, phase=image_id)).save(folder / FILES[image_id])
