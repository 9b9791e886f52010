"""The README and the landing page: the caption of the photo, and what both have in common."""

import re
from pathlib import Path

import pytest
from docs_pages import blocks_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "README.md", ROOT / "docs" / "index.md"


@pytest.fixture(params=PAGES, ids=[page.name for page in PAGES])
def page(request):
    return request.param


def test_caption_is_the_captioners(page, monkeypatch):
    pytest.importorskip("tensorflow")
    from keras_mmfusion.models.captioning import Captioner
    from keras_mmfusion.zoo import captioner

    monkeypatch.setattr(Captioner, "_jit_compile_search", False)

    photo = "docs/images/man_in_hat.jpg"
    assert f'generate("{photo}")' in page.read_text(encoding="utf-8")
    assert f"*{captioner().generate(ROOT / photo)}*" in page.read_text(encoding="utf-8")


def test_both_pages_share_their_sections():
    def sections(page):
        parts = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        return {part.partition("\n")[0]: part.partition("\n\n")[2].strip() for part in parts}

    readme, landing = map(sections, PAGES)
    assert readme["Features"] == landing["Features"]
    assert readme["Comparison"] == landing["Comparison"].rpartition("\n\n")[0]


def test_fusion_example_is_short(page):
    [fusion] = [block for block in blocks_of(page, "python") if "FusionBlock(" in block.code]
    statements = [line for line in fusion.code.splitlines() if line and "import" not in line]
    assert len(statements) <= 10
    assert "model.fit(" in fusion.code and "audio_mask" in fusion.code
