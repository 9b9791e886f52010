import json

import pytest
from PIL import Image

from keras_mmfusion.datasets import read_msrvtt_qa, read_msvd_qa, read_tgif_qa

# The headers and first rows of the official files.
TGIF = {
    "action": [
        ["gif_name", "question", "a1", "a2", "a3", "a4", "a5", "answer", "vid_id", "key"],
        ["tumblr_a", "What does the butterfly do 10 or more than 10 times ?"]
        + ["stuff marshmallow", "holds a phone towards face", "fall over", "talk", "flap wings"]
        + ["4", "ACTION4", "26"],
    ],
    "count": [
        ["gif_name", "question", "answer", "vid_id", "key"],
        ["tumblr_b", "How many times does the man adjust waistband ?", "3", "COUNT12", "52"],
    ],
    "frameqa": [
        ["gif_name", "question", "answer", "type", "vid_id", "key", "description"],
        ["tumblr_a", "what is the color of the shirt ?", "black", "2", "FRAMEQA4460", "87751"]
        + ["a man in a black shirt was singing and dancing ."],
    ],
    "transition": [
        ["gif_name", "question", "a1", "a2", "a3", "a4", "a5", "answer", "vid_id", "key"],
        ["tumblr_b", "What does the woman do after leaning down ?"]
        + ["stick tonque outlaying", "pushes top", "raise a trumpet", "throw a baseball", "smile"]
        + ["2", "TRANS4", "5"],
    ],
}
MSVD = [
    {"answer": "someone", "id": 0, "question": "who is cutting a potato?", "video_id": 1},
    {"answer": "dog", "id": 1, "question": "what runs?", "video_id": 2},
]
MSRVTT = [
    {
        "answer": "couch",
        "category_id": 14,
        "id": 158581,
        "question": "what are three people sitting on?",
        "video_id": 6513,
    }
]


@pytest.fixture
def tgif(tmp_path):
    (tmp_path / "gifs").mkdir()
    for name in ("tumblr_a", "tumblr_b"):
        Image.new("RGB", (4, 4)).save(tmp_path / "gifs" / f"{name}.gif")
    for task, rows in TGIF.items():
        text = "".join("\t".join(row) + "\n" for row in rows)
        (tmp_path / f"Test_{task}_question.csv").write_text(text)
    return tmp_path


@pytest.fixture
def msvd(tmp_path):
    (tmp_path / "test_qa.json").write_text(json.dumps(MSVD))
    (tmp_path / "youtube_mapping.txt").write_text("mv89psg6zh4_33_46 vid1\n-4wsuPCjDBc_5_15 vid2\n")
    (tmp_path / "video").mkdir()
    (tmp_path / "video" / "mv89psg6zh4_33_46.avi").touch()
    return tmp_path


def test_tgif_qa_has_choices_counts_and_words(tgif):
    data = read_tgif_qa(tgif, "test")
    assert data.question_ids == ["ACTION4", "COUNT12", "FRAMEQA4460", "TRANS4"]
    assert data.answers == [["flap wings"], ["3"], ["black"], ["raise a trumpet"]]
    assert [len(choices) for choices in data.choices] == [5, 0, 0, 5]
    assert data.choices[0][3] == "talk"
    assert data.types[1:3] == [{"task": "count"}, {"task": "frameqa", "question_type": "color"}]
    names = [path.rsplit("/", 2)[1:] for path in data.images]
    assert names[0] == ["gifs", "tumblr_a.gif"] and names[1] == ["gifs", "tumblr_b.gif"]
    assert len(read_tgif_qa(tgif, "test", ["count", "frameqa"])) == 2
    assert data.take(1).choices == data.choices[:1]


def test_missing_gifs_are_reported_or_counted(tgif):
    (tgif / "gifs" / "tumblr_b.gif").rename(tgif / "tumblr_b.gif")
    assert len(read_tgif_qa(tgif, "test")) == 4  # Beside the question files.
    (tgif / "tumblr_b.gif").unlink()
    with pytest.raises(ValueError, match="paths that do not exist: .*tumblr_b.gif"):
        read_tgif_qa(tgif, "test")
    with pytest.warns(UserWarning, match="2 questions without an image file"):
        data = read_tgif_qa(tgif, "test", skip_missing_videos=True)
    assert data.question_ids == ["ACTION4", "FRAMEQA4460"] and data.num_without_image == 2
    assert [len(choices) for choices in data.choices] == [5, 0]


def test_damaged_tgif_files_are_reported(tgif):
    path = tgif / "Test_count_question.csv"
    good = path.read_text()
    for text, message in (
        (good.replace("\t3\t", "\tthree\t"), "line 2: the answer must be a count. Received: 'thr"),
        (good.replace("\tCOUNT12", ""), "line 2: expected 5 cells, separated by tabs, but found 4"),
        (good.replace("\t", ","), "header must have the columns gif_name.*Missing: gif_name, que"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_tgif_qa(tgif, "test")
    path = tgif / "Test_action_question.csv"
    path.write_text(path.read_text().replace("\t4\t", "\t5\t"))
    with pytest.raises(ValueError, match="line 2: .*must be a number from 0 to 4. Received: '5'"):
        read_tgif_qa(tgif, "test", ["action"])
    with pytest.raises(ValueError, match="must contain Train_count_question.csv.*tgif-qa"):
        read_tgif_qa(tgif, "train", ["count"])
    with pytest.raises(ValueError, match="`tasks` must be one of 'action'"):
        read_tgif_qa(tgif, "test", ["repeat"])


def test_msvd_qa_finds_videos_by_the_mapping(msvd):
    with pytest.raises(ValueError, match="paths that do not exist: .*-4wsuPCjDBc_5_15"):
        read_msvd_qa(msvd, "test")
    (msvd / "video" / "-4wsuPCjDBc_5_15.mp4").touch()
    data = read_msvd_qa(msvd, "test")
    assert [path.rsplit("/")[-1] for path in data.images] == [
        "mv89psg6zh4_33_46.avi",
        "-4wsuPCjDBc_5_15.mp4",
    ]
    assert data.questions == ["who is cutting a potato?", "what runs?"]
    assert data.answers == [["someone"], ["dog"]]
    assert data.types == [{"question_type": "who"}, {"question_type": "what"}]


def test_damaged_msvd_files_are_reported(msvd):
    (msvd / "youtube_mapping.txt").write_text("mv89psg6zh4_33_46 vid1\n")
    with pytest.raises(ValueError, match=r"has no names of the videos \[2\]"):
        read_msvd_qa(msvd, "test")
    (msvd / "youtube_mapping.txt").write_text("mv89psg6zh4_33_46\n")
    with pytest.raises(ValueError, match="line 1: expected a name and vid<number>"):
        read_msvd_qa(msvd, "test")
    (msvd / "test_qa.json").write_text(json.dumps([{"id": 0, "question": "who?"}]))
    with pytest.raises(ValueError, match="video_id"):
        read_msvd_qa(msvd, "test")
    with pytest.raises(ValueError, match="must contain val_qa.json.*xudejing"):
        read_msvd_qa(msvd, "val")


def test_msrvtt_qa_has_categories(tmp_path):
    (tmp_path / "val_qa.json").write_text(json.dumps(MSRVTT))
    (tmp_path / "TrainValVideo").mkdir()
    (tmp_path / "TrainValVideo" / "video6513.mp4").touch()
    data = read_msrvtt_qa(tmp_path, "val")
    assert data.images[0].endswith("TrainValVideo/video6513.mp4")
    assert data.question_ids == [158581] and data.answers == [["couch"]]
    assert data.types == [{"question_type": "what", "category": "14"}]
