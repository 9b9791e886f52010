"""What the tests do with the page."""

import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = os.environ.get("KERAS_MMFUSION_SCREENSHOTS")


def open_tab(page, name):
    """Opens a tab and returns its panel."""
    page.get_by_role("tab", name=name).click()
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.first.wait_for()
    return panel.first


def upload(panel, file):
    """Chooses a file for the image of a tab."""
    panel.locator("input[type=file]").first.set_input_files(file)


def find_words(page):
    """Returns the words of the caption."""
    words = page.locator(".mm-word")
    words.first.wait_for()
    return [
        re.match(r"\w+", each)[0] for each in words.evaluate_all("all => all.map(x => x.ariaLabel)")
    ]


def get_opacity(page, word):
    """Returns the opacity of the map of a word."""
    heat = page.locator(".mm-step").nth(word).locator(".mm-heat")
    return float(heat.evaluate("heat => getComputedStyle(heat).opacity"))


def find_violations(page):
    """Returns the serious and critical violations that axe-core finds on a page."""
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm install --no-save axe-core")
    page.add_script_tag(path=AXE)
    violations = page.evaluate("axe.run()")["violations"]
    return [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]


def save_screenshot(page, name, height=None):
    """Writes a screenshot for the documentation, if the environment asks for it."""
    if SCREENSHOTS is None:
        return
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(400)  # The end of transitions.
    size = page.viewport_size
    clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"]}
    image = Image.open(io.BytesIO(page.screenshot(clip=clip)))
    image.convert("RGB").save(Path(SCREENSHOTS) / f"{name}.webp", quality=80, method=6)


def press_until_focused(page, description, limit=60):
    """Presses the Tab key until the focused element has a text or label that starts so."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(document.activeElement.ariaLabel || document.activeElement.innerText || '').trim()"
        )
        if focused.startswith(description):
            return
    raise AssertionError(f"the Tab key does not reach {description!r}")


def choose_file_by_keyboard(page, description, path, tries=3):
    """Reaches an upload button by the Tab key, presses it, and chooses a file.

    Gradio replaces the button while the page is loading, and the replaced one does nothing.
    """
    from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

    for remaining in reversed(range(tries)):
        press_until_focused(page, description)
        try:
            with page.expect_file_chooser(timeout=10_000) as chooser:
                page.keyboard.press("Enter")
        except PlaywrightTimeoutError:
            if not remaining:
                raise
        else:
            chooser.value.set_files(path)
            return
