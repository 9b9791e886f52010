"""Photos are credited as their sources state, and consistently."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# As in the docstrings of scikit-image's `skimage.data`.
FAILURES = {
    "captioner_flickr8k_lite0": ("Stefan van der Walt", "Rachel Michetti", "SpaceX"),
    "captioner_flickr8k_lite2": ("Stefan van der Walt", "Rachel Michetti", "SpaceX", "NASA"),
}
PHOTOS = {"astronaut.jpg": ("NASA", "public domain"), "photo.jpg": ("Lav Varshney", "CC0")}


def test_every_test_file_is_credited():
    folder = ROOT / "tests" / "data"
    text = (folder / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in folder.iterdir()} - {"README.md"}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_every_photo_of_the_docs_is_credited():
    text = (ROOT / "docs" / "images" / "CREDITS.txt").read_text(encoding="utf-8")
    photos = {path.name for path in (ROOT / "docs" / "images").glob("*.jpg")}
    assert photos == {"astronaut.jpg"}
    assert [
        words for words in ("astronaut.jpg", *PHOTOS["astronaut.jpg"]) if words not in text
    ] == []


def test_readme_and_notes_credit_the_same_sources():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## License")[2]
    portrait, camera = readme.split(", and\n`tests/data/photo.jpg`")
    assert [words for words in PHOTOS["astronaut.jpg"] if words not in portrait] == []
    note = (ROOT / "tests" / "data" / "README.md").read_text(encoding="utf-8")
    row = next(line for line in note.splitlines() if "`photo.jpg`" in line)
    assert [words for words in PHOTOS["photo.jpg"] if words not in row or words not in camera] == []
    assert "NASA" not in camera


def test_model_cards_credit_their_photos():
    shown = {path.parent.name for path in (ROOT / "zoo").glob("*/failures.png")}
    assert shown == set(FAILURES)
    for preset, names in FAILURES.items():
        card = (ROOT / "zoo" / preset / "README.md").read_text(encoding="utf-8")
        assert [name for name in names if name not in card] == []
