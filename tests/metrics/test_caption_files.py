import json

import pytest

from keras_mmfusion.metrics.captions.caption_files import (
    read_candidates,
    read_references,
    score_files,
)

CAPTIONS = [("a.jpg", "A dog, runs"), ("a.jpg", "the dog"), ("b#x.jpg", "Ein Café")]
EXPECTED = {"a.jpg": ["A dog, runs", "the dog"], "b#x.jpg": ["Ein Café"]}


def format_flickr8k():
    return "a.jpg#0\tA dog, runs\na.jpg#1\tthe dog\n\nb#x.jpg#0\tEin Café\n"


def format_kaggle_csv():
    return 'image,caption\na.jpg,A dog, runs\na.jpg,"the dog"\n\nb#x.jpg,Ein Café\n'


def format_coco_results():
    return json.dumps([{"image_id": i, "caption": c} for i, c in CAPTIONS])


def format_coco_annotations():
    entries = [{"id": n, "image_id": i, "caption": c} for n, (i, c) in enumerate(CAPTIONS)]
    return json.dumps({"images": [{"id": "a.jpg"}], "annotations": entries}, indent=1)


def format_json_lines():
    return "\n".join(json.dumps({"image_id": i, "caption": c}) for i, c in CAPTIONS)


def format_json_lines_with_lists():
    return "\n".join(json.dumps({"image_id": i, "captions": c}) for i, c in EXPECTED.items()) + "\n"


@pytest.mark.parametrize(
    "format_captions",
    [
        format_flickr8k,
        format_kaggle_csv,
        format_coco_results,
        format_coco_annotations,
        format_json_lines,
        format_json_lines_with_lists,
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_format_is_detected_from_the_content(tmp_path, format_captions, encoding):
    path = tmp_path / "captions"
    path.write_text(format_captions(), encoding=encoding)
    assert read_references(path) == EXPECTED
    with pytest.raises(ValueError, match="several for these image ids: 'a.jpg'"):
        read_candidates(path)


def test_single_json_line_and_windows_line_ends(tmp_path):
    path = tmp_path / "one"
    path.write_text('{"image_id": 5, "caption": "a dog"}\n')
    assert read_candidates(path) == {5: "a dog"}
    path.write_bytes(b"x.jpg\ta dog\r\ny.jpg\ta cat\r\n")
    assert read_candidates(path) == {"x.jpg": "a dog", "y.jpg": "a cat"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg#0\tA dog\nno tab here\n", "line 2: must be an image name, a tab"),
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
        ('[{"image_id": 1, "capt', "is not valid JSON.* truncated"),
        ('{"image_id": 1,\n "capt', "is not valid JSON.* truncated"),
        ("", "has no captions"),
        ("[]", "has no captions"),
    ],
)
def test_unrecognized_formats_raise_an_error_with_the_line_or_entry(tmp_path, text, message):
    path = tmp_path / "captions"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_references(path)


def test_score_files_scores_two_files_and_requires_equal_images(tmp_path):
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


def write_bulk_folder(path):
    path.mkdir()
    for number, line in enumerate(BULK):
        (path / f"captions-0000{number}-of-00002.jsonl").write_text(line + "\n")
    (path / "errors-00000-of-00002.jsonl").write_text('{"image": "c.jpg", "error": "empty"}\n')
    (path / "plan.jsonl").write_text('{"shards": 2}\n')


def write_bulk_file(path):
    path.write_text("\n".join(BULK))


def make_caption_json_writer(key):
    def write(path):
        entries = [
            {key: "/data/a.jpg", "caption": "a dog runs", "score": -0.5, "tokens": ["a"]},
            {key: "C:\\photos\\b.jpg", "caption": "two cats"},
            {key: "c.jpg", "error": "no image"},
        ]
        path.write_text(json.dumps(entries, indent=2))

    return write


def write_evaluation(path):
    samples = [
        {"image": "a.jpg", "caption": "a dog runs"},
        {"image": "b.jpg", "caption": "two cats"},
    ]
    path.write_text(json.dumps({"metrics": {}, "protocol": {}, "samples": samples}))


@pytest.mark.parametrize(
    "write",
    [
        write_bulk_folder,
        write_bulk_file,
        make_caption_json_writer("image"),
        make_caption_json_writer(
            "photo"
        ),  # The key of earlier versions of `mmfusion caption --json`.
        make_caption_json_writer("path"),
        write_evaluation,
    ],
)
def test_output_of_the_commands_can_be_scored(tmp_path, write):
    (tmp_path / "references.txt").write_text(TRUTH)
    write(tmp_path / "candidates")
    assert read_candidates(tmp_path / "candidates") == {"a.jpg": "a dog runs", "b.jpg": "two cats"}
    scores = score_files(tmp_path / "references.txt", tmp_path / "candidates", ("bleu",))
    assert (scores["images"], scores["bleu_1"]) == (2, pytest.approx(1))


def test_file_names_are_matched_through_coco_annotations(tmp_path):
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}]
    truth = [{"image_id": 7, "caption": "A dog runs."}, {"image_id": 8, "caption": "Two cats"}]
    references = tmp_path / "captions_val.json"
    references.write_text(json.dumps({"images": images, "annotations": truth}))
    write_bulk_folder(tmp_path / "captions")
    scores = score_files(references, tmp_path / "captions", ("bleu",), per_image=True)
    assert scores["per_image"]["bleu_1"] == {"a.jpg": pytest.approx(1), "b.jpg": pytest.approx(1)}


def test_incomplete_caption_folders_raise_an_error(tmp_path):
    with pytest.raises(ValueError, match="has no captions-.*caption-dataset --format jsonl"):
        read_candidates(tmp_path)
    write_bulk_folder(tmp_path / "captions")
    (tmp_path / "captions" / "captions-00000-of-00002.jsonl").unlink()
    with pytest.raises(ValueError, match="has 1 of 2 caption files.*caption-dataset"):
        read_candidates(tmp_path / "captions")


def test_paths_are_matched_by_file_name_unless_ambiguous(tmp_path):
    table, captions = tmp_path / "t.csv", tmp_path / "captions.json"
    table.write_text("image,caption\nmine/a.jpg,a dog\nb.jpg,a cat\n")
    captions.write_text(
        json.dumps([{"image": f"/x/{name}.jpg", "caption": "a dog"} for name in ("a", "b")])
    )
    for references, candidates in ((table, captions), (captions, table)):
        assert score_files(references, candidates, ["rouge_l"])["images"] == 2
    table.write_text("image,caption\nmine/a.jpg,a dog\nyours/a.jpg,a cat\n")
    with pytest.raises(ValueError, match="lacks these image ids .*'mine/a.jpg', 'yours/a.jpg'"):
        score_files(table, captions, ["rouge_l"])
