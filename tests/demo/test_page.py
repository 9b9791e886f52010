"""The page in headless Chromium.

`KERAS_MMFUSION_SCREENSHOTS=docs/images pytest tests/demo/test_page.py` also writes the screenshots
of the documentation.
"""

import time

import pytest
from demo.page_actions import (
    ROOT,
    choose_file_by_keyboard,
    find_violations,
    find_words,
    get_opacity,
    open_tab,
    press_until_focused,
    save_screenshot,
    upload,
)

pytestmark = [
    pytest.mark.browser,
    # Of the packages that Gradio uses.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
PHOTO = str(ROOT / "docs" / "images" / "man_in_hat.jpg")
CAPTION = ["a", "man", "is", "standing", "in", "front", "of", "a", "building"]
BAD = {"name": "report.png", "mimeType": "image/png", "buffer": b"%PDF-1.4 text"}


def test_an_uploaded_photo_is_captioned_and_words_show_their_attention(page):
    start = time.perf_counter()
    upload(open_tab(page, "Caption"), PHOTO)
    assert find_words(page) == CAPTION
    assert time.perf_counter() - start < 5
    words = page.locator(".mm-word")
    words.nth(1).hover()
    assert (get_opacity(page, 1), get_opacity(page, 8)) == (1, 0)
    save_screenshot(page, "demo_caption")
    words.nth(8).hover()
    assert (get_opacity(page, 1), get_opacity(page, 8)) == (0, 1)
    assert find_violations(page) == []


def test_questions_are_answered_and_explained(page):
    panel = open_tab(page, "Ask")
    panel.get_by_role("button", name="a circle: what color is the shape?").click()
    panel.get_by_role("img", name="The selected image").wait_for()
    panel.get_by_role("button", name="Ask", exact=True).click()
    answer = panel.locator(".mm-answer")
    answer.wait_for()
    assert answer.inner_text() == "yellow"
    panel.get_by_role("button", name="Explain the answer").click()
    panel.get_by_role("img", name="values of image").wait_for()
    save_screenshot(page, "demo_ask")
    assert find_violations(page) == []


def test_another_preset_can_be_chosen(page):
    panel = open_tab(page, "Ask")
    panel.get_by_role("combobox", name="Preset").click()
    page.get_by_role("option", name="vqa_coco").click()
    panel.get_by_text("VQA v2").wait_for()
    upload(panel, PHOTO)
    panel.get_by_label("Question").fill("is there a man?")
    panel.get_by_label("Question").press("Enter")
    panel.locator(".mm-answer").wait_for()
    assert panel.locator(".mm-answer").inner_text() in ("yes", "no")


def test_an_invalid_upload_is_described(page):
    panel = open_tab(page, "Caption")
    upload(panel, BAD)
    alert = panel.get_by_role("alert")
    alert.wait_for()
    assert alert.inner_text().startswith("The image file 'report.png' is a PDF document.")
    assert find_violations(page) == []
    save_screenshot(page, "demo_error")
    upload(panel, PHOTO)
    assert find_words(page) == CAPTION


def test_the_page_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 740})
    for name in ("Caption", "Ask", "Compare"):
        open_tab(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert find_violations(page) == []


def test_the_keyboard_is_sufficient(page):
    choose_file_by_keyboard(page, "Drop an image file here", PHOTO)
    assert find_words(page) == CAPTION
    press_until_focused(page, "man ")
    assert get_opacity(page, 1) == 1
    press_until_focused(page, "is ")
    assert (get_opacity(page, 1), get_opacity(page, 2)) == (0, 1)


def test_two_presets_are_compared(page):
    panel = open_tab(page, "Compare")
    upload(panel, PHOTO)
    panel.get_by_role("img", name="The selected photo").wait_for()
    panel.get_by_role("button", name="Compare", exact=True).click()
    for number, preset in ((1, "captioner_flickr8k_lite0"), (2, "captioner_flickr8k_lite2")):
        result = panel.locator(f"#comparison-{number}")
        result.locator(".mm-word").first.wait_for()
        assert result.locator("strong").inner_text() == preset
    assert find_violations(page) == []
