"""A page that bears one live view after the other: what a test has done there is not the next one's."""

from __future__ import annotations

from typing import Any

import pytest
from live import Live, Sheet

import journey_nb as jn

pytestmark = pytest.mark.browser

FOUND = """() => [typeof left, document.documentElement.dir, innerWidth, model.sent.length, handled.size,
  matchMedia('(prefers-color-scheme: dark)').matches, document.querySelectorAll('main').length]"""


def test_a_page_that_is_cleared_is_as_if_it_were_new(chromium: Any, welcome_stats: jn.JourneyStats) -> None:
    sheet = Sheet(chromium)
    Live(sheet, jn.JourneyCanvas(welcome_stats), width=500, dir="rtl", color_scheme="dark")
    Live(sheet, jn.PathTracer(welcome_stats), dir="rtl")
    sheet.page.evaluate("window.left = 1; void setInterval(() => model.send({action: 'look'}))")
    sheet.page.locator("[data-action=fit]").first.click()
    left = sheet.page.evaluate(FOUND)
    assert left[3] > 0
    assert left[:3] + left[4:] == ["number", "rtl", 500, 1, True, 2]
    sheet.clear()
    Live(sheet, jn.PathTracer(welcome_stats))
    assert sheet.page.evaluate(FOUND) == ["undefined", "ltr", 1100, 0, 0, False, 1]

    sheet.page.evaluate("console.error('a fault')")
    with pytest.raises(AssertionError, match="a fault"):
        sheet.clear()
    sheet.page.evaluate("void fetch('http://127.0.0.1:9/').catch(() => null)")
    with pytest.raises(AssertionError, match="http://127"):
        sheet.clear()
    sheet.page.close()
