"""Photos are credited as their sources state, and consistently."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# As in the docstrings of scikit-image's `skimage.data`.
FAILURES = {
    "captioner_flickr8k_lite0": ("Stefan van der Walt", "Rachel Michetti", "SpaceX"),
    "captioner_flickr8k_lite2": ("Stefan van der Walt", "Rachel Michetti", "SpaceX", "NASA"),
}
PHOTOS = {
    "astronaut.jpg": ("NASA", "public domain"),
    "man_in_hat.jpg": ("Saint Louis Art Museum", "CC0", "62642"),
    "photo.jpg": ("Lav Varshney", "CC0"),
}
DOCS_PHOTOS = ("astronaut.jpg", "man_in_hat.jpg")


def test_every_test_file_is_credited():
    folder = ROOT / "tests" / "data"
    text = (folder / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in folder.iterdir()} - {"README.md"}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_every_photo_of_the_docs_is_credited():
    text = (ROOT / "docs" / "images" / "CREDITS.txt").read_text(encoding="utf-8")
    photos = {path.name for path in (ROOT / "docs" / "images").glob("*.jpg")}
    assert photos == set(DOCS_PHOTOS)
    entries = {entry.split()[0]: entry for entry in re.split(r"\n(?=\S)", text)}
    for photo in DOCS_PHOTOS:
        assert [words for words in PHOTOS[photo] if words not in entries[photo]] == []


def test_every_image_of_the_demo_is_credited():
    folder = ROOT / "keras_mmfusion" / "demo" / "photos"
    text = (folder / "CREDITS.txt").read_text(encoding="utf-8")
    credited = {entry.split()[0] for entry in re.split(r"\n(?=\S)", text)[1:]}
    assert credited == {path.name for path in folder.iterdir()} - {"CREDITS.txt"}


def test_front_pages_credit_the_photos_that_they_show():
    for page in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        text = page.read_text(encoding="utf-8")
        shown = set(re.findall(r"\w+\.jpg", text)) & set(PHOTOS)
        assert shown == {"man_in_hat.jpg"}
        credit = text.rpartition("public domain")[2]
        assert [words for words in PHOTOS["man_in_hat.jpg"] if words not in credit] == []


def test_note_credits_the_photo_of_the_tests():
    note = (ROOT / "tests" / "data" / "README.md").read_text(encoding="utf-8")
    row = next(line for line in note.splitlines() if "`photo.jpg`" in line)
    assert [words for words in PHOTOS["photo.jpg"] if words not in row] == []
    assert "NASA" not in row


def test_model_cards_credit_their_photos():
    shown = {path.parent.name for path in (ROOT / "zoo").glob("*/failures.png")}
    assert shown == set(FAILURES)
    for preset, names in FAILURES.items():
        card = (ROOT / "zoo" / preset / "README.md").read_text(encoding="utf-8")
        assert [name for name in names if name not in card] == []
