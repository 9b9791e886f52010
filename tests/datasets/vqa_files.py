"""Writes small files in the formats of VQA v2 and easy-VQA."""

import json

from photos import photo
from PIL import Image

INFO = {
    "info": {
        "description": "This is v2.0 of the VQA dataset.",
        "url": "http://visualqa.org",
        "version": "2.0",
        "year": 2017,
        "contributor": "VQA Team",
        "date_created": "2017-04-26 17:07:13",
    },
    "license": {
        "url": "http://creativecommons.org/licenses/by/4.0/",
        "name": "Creative Commons Attribution 4.0 International License",
    },
    "data_type": "mscoco",
}


def annotation(question_id, image_id, answers):
    """Returns a record of an annotations file."""
    return {
        "question_type": "what is",
        "multiple_choice_answer": max(set(answers), key=answers.count),
        "answers": [
            {"answer": answer, "answer_confidence": "maybe", "answer_id": number}
            for number, answer in enumerate(answers, start=1)
        ],
        "image_id": image_id,
        "answer_type": "other",
        "question_id": question_id,
    }


def question(question_id, image_id, text):
    """Returns a record of a questions file."""
    return {"image_id": image_id, "question": text, "question_id": question_id}


def write_vqa_v2(folder, part, questions, annotations=None):
    """Writes a questions file and optionally an annotations file."""
    folder.mkdir(exist_ok=True)
    content = {**INFO, "task_type": "Open-Ended", "data_subtype": part, "questions": questions}
    (folder / f"v2_OpenEnded_mscoco_{part}_questions.json").write_text(json.dumps(content))
    if annotations is not None:
        content = {**INFO, "data_subtype": part, "annotations": annotations}
        (folder / f"v2_mscoco_{part}_annotations.json").write_text(json.dumps(content))


def write_coco_photos(folder, part, image_ids):
    """Writes images with the file names of MS COCO 2014 and 2015."""
    (folder / part).mkdir(parents=True)
    for image_id in image_ids:
        path = folder / part / f"COCO_{part}_{image_id:012d}.jpg"
        Image.fromarray(photo(30, 40, phase=image_id)).save(path)


def write_easy_vqa(folder, questions):
    """Writes easy-VQA; `questions` is a dict, split -> list of `[question, answer, image id]`."""
    for split, rows in questions.items():
        (folder / split / "images").mkdir(parents=True)
        (folder / split / "questions.json").write_text(json.dumps(rows))
        for _, _, image_id in rows:
            path = folder / split / "images" / f"{image_id}.png"
            Image.fromarray(photo(16, 16, phase=image_id)).save(path)
    answers = sorted({answer for rows in questions.values() for _, answer, _ in rows})
    (folder / "answers.txt").write_text("\n".join(answers))
