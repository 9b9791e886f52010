import json

import pytest

from keras_mmfusion.metrics.caption_files import read_candidates, read_references, score_files

CAPTIONS = [("a.jpg", "A dog, runs"), ("a.jpg", "the dog"), ("b#x.jpg", "Ein Café")]
EXPECTED = {"a.jpg": ["A dog, runs", "the dog"], "b#x.jpg": ["Ein Café"]}


def as_flickr8k():
    return "a.jpg#0\tA dog, runs\na.jpg#1\tthe dog\n\nb#x.jpg#0\tEin Café\n"


def as_kaggle_has_it():
    return 'image,caption\na.jpg,A dog, runs\na.jpg,"the dog"\n\nb#x.jpg,Ein Café\n'


def as_coco_results():
    return json.dumps([{"image_id": i, "caption": c} for i, c in CAPTIONS])


def as_coco_annotations():
    entries = [{"id": n, "image_id": i, "caption": c} for n, (i, c) in enumerate(CAPTIONS)]
    return json.dumps({"images": [{"id": "a.jpg"}], "annotations": entries}, indent=1)


def as_json_lines():
    return "\n".join(json.dumps({"image_id": i, "caption": c}) for i, c in CAPTIONS)


def as_json_lines_of_lists():
    return "\n".join(json.dumps({"image_id": i, "captions": c}) for i, c in EXPECTED.items()) + "\n"


@pytest.mark.parametrize(
    "write",
    [
        as_flickr8k,
        as_kaggle_has_it,
        as_coco_results,
        as_coco_annotations,
        as_json_lines,
        as_json_lines_of_lists,
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_format_is_told_by_its_content(tmp_path, write, encoding):
    path = tmp_path / "captions"
    path.write_text(write(), encoding=encoding)
    assert read_references(path) == EXPECTED
    with pytest.raises(ValueError, match="several for these image ids: 'a.jpg'"):
        read_candidates(path)


def test_one_line_of_json_lines_and_windows_line_ends(tmp_path):
    path = tmp_path / "one"
    path.write_text('{"image_id": 5, "caption": "a dog"}\n')
    assert read_candidates(path) == {5: "a dog"}
    path.write_bytes(b"x.jpg\ta dog\r\ny.jpg\ta cat\r\n")
    assert read_candidates(path) == {"x.jpg": "a dog", "y.jpg": "a cat"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg#0\tA dog\nno tab here\n", "line 2: must be an image's name, a tab"),
        (
            '{"image_id": 1, "caption": "a"}\n{"image_id": 2, "cap\n',
            "line 2: must be a JSON object",
        ),
        ('[{"image_id": 1, "caption": "a"}, {"caption": "b"}]', "entry 1: must be an object"),
        ('[{"image_id": 1, "caption": null}]', "entry 0: must be an object"),
        ('[{"image_id": null, "caption": "a"}]', "entry 0: must be an object"),
        ('{"image_id": 1, "captions": "a"}', "entry 0: must be an object"),
        ('{"annotations": null}', "appears to be an object with the keys 'annotations'"),
        (
            '{"annotations": [{"image_id": 1, "bbox": [], "category_id": 3}]}',
            "entry 0: .* appears to be COCO instance annotations",
        ),
        ('[{"image_id": 1, "capt', "not JSON, or not all of it .* breaks off"),
        ('{"image_id": 1,\n "capt', "not JSON, or not all of it .* breaks off"),
        ("", "has no captions"),
        ("[]", "has no captions"),
    ],
)
def test_what_is_no_format_is_named_by_its_place(tmp_path, text, message):
    path = tmp_path / "captions"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_references(path)


def test_score_files(tmp_path):
    references, candidates = tmp_path / "references", tmp_path / "candidates"
    references.write_text("a.jpg#0\tA dog runs.\na.jpg#1\tThe dog\nb.jpg#0\tTwo cats\n")
    candidates.write_text(
        json.dumps(
            [
                {"image_id": "a.jpg", "caption": "a dog runs"},
                {"image_id": "b.jpg", "caption": "two cats"},
            ]
        )
    )
    scores = score_files(references, candidates, ("bleu", "rouge_l"), per_image=True)
    assert scores["images"] == 2
    assert scores["bleu_1"] == pytest.approx(1)
    assert scores["per_image"]["rouge_l"] == {"a.jpg": pytest.approx(1), "b.jpg": pytest.approx(1)}
    candidates.write_text("a.jpg\ta dog\nc.jpg\ta cat\n")
    with pytest.raises(ValueError, match="'b.jpg'. .*'c.jpg'"):
        score_files(references, candidates, ("bleu",))


TRUTH = "a.jpg#0\tA dog runs.\nb.jpg#0\tTwo cats\n"
BULK = [
    '{"image": "photos/a.jpg", "caption": "a dog runs", "score": -0.5}',
    '{"image": "x.tfrecord#7", "filename": "some/b.jpg", "caption": "two cats", "score": -1.0}',
]


def as_bulk_folder(path):
    path.mkdir()
    for number, line in enumerate(BULK):
        (path / f"captions-0000{number}-of-00002.jsonl").write_text(line + "\n")
    (path / "errors-00000-of-00002.jsonl").write_text('{"image": "c.jpg", "error": "empty"}\n')
    (path / "plan.jsonl").write_text('{"shards": 2}\n')


def as_bulk_file(path):
    path.write_text("\n".join(BULK))


def as_caption_json(key):
    def write(path):
        entries = [
            {key: "/data/a.jpg", "caption": "a dog runs", "score": -0.5, "tokens": ["a"]},
            {key: "C:\\photos\\b.jpg", "caption": "two cats"},
            {key: "c.jpg", "error": "no image"},
        ]
        path.write_text(json.dumps(entries, indent=2))

    return write


def as_evaluation(path):
    samples = [
        {"image": "a.jpg", "caption": "a dog runs"},
        {"image": "b.jpg", "caption": "two cats"},
    ]
    path.write_text(json.dumps({"metrics": {}, "protocol": {}, "samples": samples}))


@pytest.mark.parametrize(
    "write",
    [
        as_bulk_folder,
        as_bulk_file,
        as_caption_json("image"),
        as_caption_json("photo"),  # As `mmfusion caption --json` called it once.
        as_caption_json("path"),
        as_evaluation,
    ],
)
def test_what_the_commands_write_is_scored(tmp_path, write):
    (tmp_path / "references.txt").write_text(TRUTH)
    write(tmp_path / "candidates")
    assert read_candidates(tmp_path / "candidates") == {"a.jpg": "a dog runs", "b.jpg": "two cats"}
    scores = score_files(tmp_path / "references.txt", tmp_path / "candidates", ("bleu",))
    assert (scores["images"], scores["bleu_1"]) == (2, pytest.approx(1))


def test_coco_annotations_tell_the_ids_of_file_names(tmp_path):
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}]
    truth = [{"image_id": 7, "caption": "A dog runs."}, {"image_id": 8, "caption": "Two cats"}]
    references = tmp_path / "captions_val.json"
    references.write_text(json.dumps({"images": images, "annotations": truth}))
    as_bulk_folder(tmp_path / "captions")
    scores = score_files(references, tmp_path / "captions", ("bleu",), per_image=True)
    assert scores["per_image"]["bleu_1"] == {"a.jpg": pytest.approx(1), "b.jpg": pytest.approx(1)}


def test_folders_without_all_captions(tmp_path):
    with pytest.raises(ValueError, match="has no captions-.*caption-dataset --format jsonl"):
        read_candidates(tmp_path)
    as_bulk_folder(tmp_path / "captions")
    (tmp_path / "captions" / "captions-00000-of-00002.jsonl").unlink()
    with pytest.raises(ValueError, match="has 1 of 2 files of captions.*caption-dataset"):
        read_candidates(tmp_path / "captions")


def test_paths_in_a_table_are_found_by_the_names_of_files(tmp_path):
    table, made = tmp_path / "t.csv", tmp_path / "made.json"
    table.write_text("image,caption\nmine/a.jpg,a dog\nb.jpg,a cat\n")
    made.write_text(
        json.dumps([{"image": f"/x/{name}.jpg", "caption": "a dog"} for name in ("a", "b")])
    )
    for references, candidates in ((table, made), (made, table)):
        assert score_files(references, candidates, ["rouge_l"])["images"] == 2
    table.write_text("image,caption\nmine/a.jpg,a dog\nyours/a.jpg,a cat\n")
    with pytest.raises(ValueError, match="lacks these image ids .*'mine/a.jpg', 'yours/a.jpg'"):
        score_files(table, made, ["rouge_l"])
