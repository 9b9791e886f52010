"""The words of captions as training data of question answerers."""

import importlib
import json
from pathlib import Path

import pytest
from PIL import Image

from keras_mmfusion.datasets import QuestionAnswers

ZOO = Path(__file__).resolve().parents[2] / "zoo"


@pytest.fixture
def caption_words(monkeypatch):
    monkeypatch.syspath_prepend(str(ZOO))
    return importlib.import_module("caption_words")


def test_answers_are_found_in_captions_also_for_plurals(caption_words):
    answers = {"dog", "brown", "bus", "fire hydrant", "hot dog", "wine glass"}
    find = caption_words.find_answers
    assert find("Two brown dogs and a fire hydrant.", answers) == ["brown", "dog", "fire hydrant"]
    assert find("wine glass, bus", answers) == ["bus", "wine glass"]
    assert find("A brownish hotdog", answers) == []


def test_captions_are_answers_to_one_question_about_each_image(caption_words, tmp_path):
    coco, flickr = tmp_path / "coco_captions", tmp_path / "flickr8k"
    for folder in (coco / "annotations", coco / "train", flickr / "images"):
        folder.mkdir(parents=True)
    for path in (coco / "train/1.jpg", coco / "train/2.jpg", *_flickr_paths(flickr)):
        Image.new("RGB", (2, 2)).save(path)
    captions = [(1, "two red cats on a mat"), (1, "a cat"), (2, "nothing that is known")]
    annotations = {
        "images": [{"id": number, "file_name": f"{number}.jpg"} for number in (1, 2)],
        "annotations": [
            {"id": index, "image_id": image, "caption": caption}
            for index, (image, caption) in enumerate(captions)
        ],
    }
    (coco / "annotations/captions_train.json").write_text(json.dumps(annotations))
    names = [path.name for path in _flickr_paths(flickr)]
    lines = [f"{name}#{index}\ta dog" for name in names for index in range(5)]
    (flickr / "Flickr8k.token.txt").write_text("\n".join(lines))
    (flickr / "Flickr_8k.trainImages.txt").write_text("\n".join(names))
    answers = ["cat", "red", "dog", "2", "on"]
    data = caption_words.read_caption_words(tmp_path, answers)
    assert [Path(path).name for path in data.images] == ["1.jpg", "a.jpg", "g.jpg"]
    assert data.answers == [["cat"], ["dog"], ["dog"]]
    assert set(data.questions) == {caption_words.QUESTION}


def _flickr_paths(folder):
    return [folder / "images" / f"{name}.jpg" for name in "abcdefg"]


def test_joined_questions_have_new_ids(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ZOO))
    join_questions = importlib.import_module("vqa_preset").join_questions
    path = tmp_path / "0.png"
    Image.new("RGB", (2, 2)).save(path)
    first = QuestionAnswers([path], ["is it?"], [["no"]], [7], types=[{"kind": "a"}])
    second = QuestionAnswers([path, path], ["what?", "who?"], [["b", "c"], []], [7, 8])
    joined = join_questions(first, second)
    assert joined.questions == ["is it?", "what?", "who?"]
    assert joined.answers == [["no"], ["b", "c"], []]
    assert joined.types == [{"kind": "a"}, {}, {}]
    assert list(joined.question_ids) == [0, 1, 2]


def test_dev_questions_about_training_images_are_marked(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ZOO))
    read_splits = importlib.import_module("train_vqa").read_splits
    (tmp_path / "images").mkdir()
    for name in "abc":
        Image.new("RGB", (2, 2)).save(tmp_path / "images" / f"{name}.png")
    header = "image,question,answer\n"
    (tmp_path / "train.csv").write_text(header + "a.png,is it?,no\nb.png,is it?,yes\n")
    (tmp_path / "dev.csv").write_text(header + "c.png,is it?,no\n")
    assert read_splits(tmp_path)[1].types == [{}]
    (tmp_path / "dev.csv").write_text(header + "c.png,is it?,no\na.png,what is it?,b\n")
    assert read_splits(tmp_path)[1].types == [{"image": "new"}, {"image": "seen"}]
