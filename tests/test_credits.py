"""Every picture has the credit that its source gives, and the same one everywhere."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# As scikit-image's `skimage.data` says of them.
FAILURES = {
    "captioner_flickr8k_lite0": ("Stefan van der Walt", "Rachel Michetti", "SpaceX"),
    "captioner_flickr8k_lite2": ("Stefan van der Walt", "Rachel Michetti", "SpaceX", "NASA"),
}


def test_every_test_file_has_its_credit():
    folder = ROOT / "tests" / "data"
    text = (folder / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in folder.iterdir()} - {"README.md"}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_the_readme_credits_the_test_photo_as_its_own_note_does():
    note = (ROOT / "tests" / "data" / "README.md").read_text(encoding="utf-8")
    row = next(line for line in note.splitlines() if "`photo.jpg`" in line)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for words in "Lav Varshney", "CC0":
        assert words in row and words in readme
    assert "NASA" not in readme


def test_the_cards_credit_the_photos_that_they_show():
    shown = {path.parent.name for path in (ROOT / "zoo").glob("*/failures.png")}
    assert shown == set(FAILURES)
    for preset, names in FAILURES.items():
        card = (ROOT / "zoo" / preset / "README.md").read_text(encoding="utf-8")
        assert [name for name in names if name not in card] == []
