import os

import numpy as np
import pytest
from visual_genome_files import (
    FILES,
    image_data,
    qa,
    region,
    write,
    write_photos,
)

from keras_mmfusion.datasets import read_visual_genome_questions, read_visual_genome_regions

IMAGES = [image_data(1), image_data(2, width=40), image_data(2412112)]
QUESTIONS = [
    {"id": 1, "qas": [qa(986768, 1, "What color is the clock?", "Green.")]},
    {"id": 2, "qas": []},
    {
        "id": 2412112,
        "qas": [
            qa(912402, 2412112, "Where are the clouds?", "In the sky."),
            qa(912403, 2412112, "Who is there?", "Nobody."),
        ],
    },
]
REGIONS = [
    {"id": 1, "regions": [region(1382, 1, (20, 10, 40, 20), "the clock is green in color")]},
    {
        "id": 2,
        "regions": [
            region(1, 2, (-10, 0, 60, 20), "a wall,\nvery long "),
            region(2, 2, (30, 30, 500, 500), "a corner"),
        ],
    },
]


@pytest.mark.parametrize("folder", ["", "images"])
def test_reads_questions_in_both_layouts(tmp_path, folder):
    write(tmp_path, image_data=IMAGES, question_answers=QUESTIONS)
    write_photos(tmp_path / folder)
    data = read_visual_genome_questions(tmp_path)
    assert data.question_ids == [986768, 912402, 912403]
    assert data.questions[0] == "What color is the clock?"
    assert data.answers == [["Green."], ["In the sky."], ["Nobody."]]
    assert data.images == [
        os.path.join(tmp_path, folder, FILES[image]) for image in (1, 2412112, 2412112)
    ]
    assert data.list_frequent_answers(9) == ["green", "in sky", "nobody"]


def test_splits_select_images(tmp_path):
    write(tmp_path, image_data=IMAGES, question_answers=QUESTIONS)
    write_photos(tmp_path)
    assert read_visual_genome_questions(tmp_path, [1, 2]).question_ids == [986768]
    with pytest.raises(ValueError, match="must contain densecap_splits.json.*jcjohnson/densecap"):
        read_visual_genome_questions(tmp_path, "test")
    write(tmp_path, densecap_splits={"train": [1], "val": [2], "test": [2412112]})
    assert read_visual_genome_questions(tmp_path, "test").question_ids == [912402, 912403]
    with pytest.raises(ValueError, match="'train', 'val', 'test'. Received: 'dev'"):
        read_visual_genome_questions(tmp_path, "dev")


def test_invalid_questions_are_dropped(tmp_path):
    invalid = [
        *QUESTIONS,
        QUESTIONS[0],
        {"id": 77, "qas": [qa(1, 77, "Which image is it?", "None.")]},
        {"id": 2, "qas": [qa(2, 2, " ", "Yes."), qa(3, 2, "Why?", ""), qa(4, 2, "How?", None)]},
    ]
    write(tmp_path, image_data=[*IMAGES, IMAGES[0]], question_answers=invalid)
    write_photos(tmp_path)
    with pytest.warns(UserWarning) as warnings:
        data = read_visual_genome_questions(tmp_path)
    assert data.question_ids == [986768, 912402, 912403]
    assert [str(each.message) for each in warnings] == [
        "Skipped 1 images that are not in image_data.json, by id: 77",
        "Skipped 1 empty questions, by id: 2",
        "Skipped 2 questions without an answer, by id: 3, 4",
    ]
    # The same id for questions about two images.
    write(tmp_path, question_answers=[*QUESTIONS, {**QUESTIONS[0], "id": 2}])
    with pytest.raises(ValueError, match="'qa_id' 986768 differ"):
        read_visual_genome_questions(tmp_path)


def test_missing_images_are_rejected_or_skipped(tmp_path):
    write(tmp_path, image_data=IMAGES, question_answers=QUESTIONS, region_descriptions=REGIONS)
    write_photos(tmp_path, image_ids=[2, 2412112])
    with pytest.raises(ValueError, match=r"VG_100K_2.1\.jpg"):
        read_visual_genome_questions(tmp_path)
    with pytest.raises(ValueError, match=r"VG_100K_2.1\.jpg"):
        read_visual_genome_regions(tmp_path)
    with pytest.warns(UserWarning, match="without an image file, by id: 986768"):
        data = read_visual_genome_questions(tmp_path, skip_missing_images=True)
    assert data.question_ids == [912402, 912403]
    with pytest.warns(UserWarning, match="1 images without regions or without a file, by id: 1"):
        assert len(read_visual_genome_regions(tmp_path, skip_missing_images=True)) == 1


def test_regions_are_clipped_to_the_image(tmp_path):
    write(tmp_path, image_data=IMAGES, region_descriptions=REGIONS)
    write_photos(tmp_path)
    regions = read_visual_genome_regions(tmp_path)
    assert regions.phrases == [
        ["the clock is green in color"],
        ["a wall, very long", "a corner"],
    ]
    np.testing.assert_array_equal(regions.boxes[0], [[0.25, 0.25, 0.75, 0.75]])
    np.testing.assert_array_equal(regions.boxes[1], [[0, 0, 1, 0.5], [0.75, 0.75, 1, 1]])
    assert regions.boxes[0].dtype == "float32"
    assert regions.to_caption_pairs().captions == regions.phrases


def test_invalid_regions_are_dropped(tmp_path):
    invalid = [
        {
            "id": 1,
            "regions": [
                *REGIONS[0]["regions"],
                *REGIONS[0]["regions"],
                region(5, 1, (0, 0, 9, 9), " "),
                region(6, 1, (80, 0, 9, 9), "to the right of the image"),
                region(7, 1, (10, 10, 0, 9), "of no width"),
                region(8, 1, (10, 10, -5, 9), "of a negative width"),
            ],
        },
        {"id": 2, "regions": []},
    ]
    write(tmp_path, image_data=IMAGES, region_descriptions=invalid)
    write_photos(tmp_path)
    with pytest.warns(UserWarning) as warnings:
        regions = read_visual_genome_regions(tmp_path)
    assert regions.phrases == [["the clock is green in color"]]
    assert [str(each.message) for each in warnings] == [
        "Skipped 4 regions without a phrase or outside the image, by id: 5, 6, 7, ...",
        "Skipped 1 images without regions or without a file, by id: 2",
    ]


def test_missing_files_are_named_with_their_source(tmp_path):
    with pytest.raises(ValueError, match="must contain image_data.json.*visualgenome.*images2.zip"):
        read_visual_genome_questions(tmp_path)
    write(tmp_path, image_data=IMAGES)
    with pytest.raises(ValueError, match="must contain question_answers.json"):
        read_visual_genome_questions(tmp_path)
    with pytest.raises(ValueError, match="must contain region_descriptions.json"):
        read_visual_genome_regions(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image_data": [{"image_id": 1, "url": "a/1.jpg"}]}, "entry 0 of it has no 'width'"),
        ({"image_data": QUESTIONS}, "appears to be Visual Genome's question_answers.json"),
        ({"image_data": {}}, "it is not a list"),
        ({"question_answers": REGIONS}, "appears to be Visual Genome's region_descriptions.json"),
        ({"question_answers": [{"qas": []}]}, "an entry has no 'image_id' or 'id'"),
        ({"question_answers": [{"id": 1, "qas": None}]}, "a list as its 'qas', not None"),
        ({"question_answers": [{"id": 1, "qas": [{"question": "a"}]}]}, "has no 'qa_id'"),
        (
            {"question_answers": [{"id": "1", "qas": []}]},
            "its images, such as '1', are not in image_data",
        ),
        ({"densecap_splits": [1]}, "not an object with a list of image ids for each split"),
        ({"densecap_splits": {"test": [[1]]}}, "not an object with a list of image ids"),
        ({"region_descriptions": [{"id": 1, "regions": [{"x": "1"}]}]}, "a number as its 'x'"),
    ],
)
def test_invalid_files_are_rejected(tmp_path, changed, message):
    files = {
        "image_data": IMAGES,
        "question_answers": QUESTIONS,
        "region_descriptions": REGIONS,
        "densecap_splits": {"test": [1, "1"]},
    }
    write(tmp_path, **files)
    write_photos(tmp_path)
    assert len(read_visual_genome_questions(tmp_path, " test")) == 1
    write(tmp_path, **changed)
    (name,) = changed
    read = read_visual_genome_questions
    if name == "region_descriptions":
        read = read_visual_genome_regions
    with pytest.raises(ValueError, match=f"{name}.json' must be Visual Genome's .*{message}"):
        read(tmp_path, "test")


def test_images_without_a_size_are_rejected(tmp_path):
    write(tmp_path, image_data=[image_data(1, width=0)], region_descriptions=REGIONS[:1])
    write_photos(tmp_path)
    with pytest.raises(ValueError, match="image_data.json must contain the size of each image"):
        read_visual_genome_regions(tmp_path)


def test_repr_shows_the_sizes(tmp_path):
    write(tmp_path, image_data=IMAGES, question_answers=QUESTIONS, region_descriptions=REGIONS)
    write_photos(tmp_path)
    questions = read_visual_genome_questions(tmp_path)
    assert repr(questions) == "QuestionAnswers(questions=3, images=2, answers=3)"
    assert repr(read_visual_genome_regions(tmp_path)) == "ImageRegions(images=2, regions=3)"
