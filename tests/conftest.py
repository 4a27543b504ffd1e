"""What all tests share: the open data, a small welcome journey, a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

import journey_nb as jn

if TYPE_CHECKING:
    import polars as pl

# The same examples on every run; how long one takes says more about the machine than about the code.
settings.register_profile("journey_nb", deadline=None, derandomize=True)
settings.load_profile("journey_nb")

CHECKOUT = Path(__file__).resolve().parents[1]

# Chromium as root in a container, asking nobody for anything.
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-first-run",
        "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="session")
def open_data() -> Callable[[str], Path]:
    """The path of a file of open data; without the file the test is skipped, or fails where it must not be.

    The folder is named by JOURNEY_NB_DATA, else it is ../shared/data beside the checkout.
    JOURNEY_NB_REQUIRE_DATA=1 makes a missing file a failure.
    """
    folder = Path(os.environ.get("JOURNEY_NB_DATA") or CHECKOUT.parent / "shared" / "data")

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            missing = f"open data {name} is not in {folder}; name its folder in JOURNEY_NB_DATA"
            if os.environ.get("JOURNEY_NB_REQUIRE_DATA") == "1":
                pytest.fail(missing)
            pytest.skip(missing)
        return path

    return find


@pytest.fixture(scope="session")
def welcome() -> jn.Journey:
    return jn.Journey.sample("welcome")


@pytest.fixture(scope="session")
def welcome_log(welcome: jn.Journey) -> pl.DataFrame:
    """What 500 people did, in every test the same."""
    from journey_nb.simulate import simulate

    return simulate(welcome, users=500, seed=1)


@pytest.fixture(scope="session")
def welcome_stats(welcome: jn.Journey, welcome_log: pl.DataFrame) -> jn.JourneyStats:
    return jn.JourneyStats(welcome, jn.EventLog.from_frame(welcome_log))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser: $CHROMIUM, the system's, or playwright's own download."""
    from playwright.sync_api import sync_playwright

    names = (
        os.environ.get("CHROMIUM"),
        "chromium",
        "chromium-browser",
        "google-chrome-stable",
        "google-chrome",
    )
    with sync_playwright() as playwright:
        found = next(filter(None, (shutil.which(name) for name in names if name)), None)
        path = found or playwright.chromium.executable_path
        if not Path(path).exists():
            pytest.fail("no Chromium; make test installs it, CHROMIUM=/path/to/chromium names another")
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what a test recorded as its proof, also from a worker process."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, [])]
    for report in reports:
        for name, text in getattr(report, "user_properties", []):
            if name == "proof":
                terminalreporter.write_line(str(text))
