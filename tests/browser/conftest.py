"""What the tests of live views share: a widget on a page of its own, or in a JupyterLab that is loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from lab import Desk, Lab, cleared, watched
from live import Live, Sheet


@pytest.fixture(scope="session")
def sheets() -> list[Sheet]:
    """Pages on which nothing stands."""
    return []


@pytest.fixture
def on_page(chromium: Any, sheets: list[Sheet], request: pytest.FixtureRequest) -> Callable[..., Live]:
    """Puts a widget on a page; in the end none of them may have complained or asked the network for anything."""
    failed = request.session.testsfailed

    def clear(sheet: Sheet) -> None:
        sheet.clear()
        # What a test has left that failed, a button that is held down, say, is nobody else's.
        if request.session.testsfailed == failed:
            sheets.append(sheet)

    def put(widget: Any, beside: Live | None = None, **page: Any) -> Live:
        if beside:
            return Live(beside.sheet, widget, **page)
        sheet = sheets.pop() if sheets else Sheet(chromium)
        request.addfinalizer(partial(clear, sheet))
        return Live(sheet, widget, **page)

    return put


@pytest.fixture
def live(open_live: Callable[..., Live]) -> Live:
    """The view of a module as it stands."""
    return open_live()


@pytest.fixture(scope="module")
def loaded(chromium: Any, lab: Lab) -> Iterator[tuple[Any, list[str], list[str]]]:
    """JupyterLab, for a whole module: to load it takes longer than most of what is done in it."""
    page, faults, requests = watched(chromium)
    page.goto(f"{lab.url}/lab?token=t&reset")
    page.wait_for_selector(".jp-DirListing-content")
    assert faults == []
    yield page, faults, requests
    page.close()


@pytest.fixture
def desk(loaded: tuple[Any, list[str], list[str]], lab: Lab) -> Iterator[Desk]:
    """It with nothing open, and what its console complains of; in the end it may have asked nobody else for anything."""
    page, faults, requests = loaded
    faults.clear()
    yield page, faults
    cleared(page)
    asked = [url for url in requests if not url.startswith((lab.url, "data:", "blob:"))]
    requests.clear()
    assert asked == []
