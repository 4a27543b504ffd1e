"""What the tests of live views share: a widget on a page of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
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
