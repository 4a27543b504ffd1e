"""What the tests of live views share: a widget on a page of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live import Live


@pytest.fixture
def on_page(chromium: Any) -> Iterator[Callable[..., Live]]:
    """Puts a widget on a page; in the end none of them may have complained or asked the network for anything."""
    opened: list[Live] = []

    def put(widget: Any, **page: Any) -> Live:
        opened.append(Live(chromium, widget, **page))
        return opened[-1]

    yield put
    for live in opened:
        live.close()


@pytest.fixture
def live(open_live: Callable[..., Live]) -> Live:
    """The view of a module as it stands."""
    return open_live()
