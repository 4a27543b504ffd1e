"""What the tests of live views share: a widget on a page of its own, or in a JupyterLab that is loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab import Desk, Lab, cleared, watched
from live import Live


@pytest.fixture
def on_page(chromium: Any, request: pytest.FixtureRequest) -> Callable[..., Live]:
    """Puts a widget on a page; in the end none of them may have complained or asked the network for anything."""

    def put(widget: Any, **page: Any) -> Live:
        live = Live(chromium, widget, **page)
        request.addfinalizer(live.close)
        return live

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
