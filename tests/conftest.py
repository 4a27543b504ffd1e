"""What all tests share: the open data, a small welcome journey, a browser, a database server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
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


# What takes longest, by file; it is begun first, since who were given it last would be alone with it in the end.
LONG = (
    "test_against_oracle.py", "test_in_jupyterlab.py", "test_never_lost.py", "test_reports.py", "test_cluster.py",
    "test_labextension.py", "test_splits.py", "test_taken_back.py", "test_store.py", "test_live_canvas.py", "test_loads.py", "test_cube.py",
    "test_live_dashboard.py", "test_live_tracer.py", "test_live_journeys.py", "test_events.py",
    "test_reports_killed.py", "test_sources.py", "test_registry.py", "test_cli.py", "test_reports_read.py",
    "test_any_history.py", "test_live_page.py", "test_package.py", "scheduling.ipynb", "test_live_workspace.py", "test_watch.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


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
def _loaded_once(
    welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    store = jn.Store(tmp_path_factory.mktemp("loaded") / "store")
    store.add(welcome)
    store.append(welcome_log)
    return store.path


@pytest.fixture
def welcome_store(_loaded_once: Path, tmp_path: Path) -> jn.Store:
    """What 500 people did, in a store of one's own: to copy one takes a hundredth of the time of loading it."""
    return jn.Store(shutil.copytree(_loaded_once, tmp_path / "store"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is built of this checkout; its source distribution lies beside it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def extension(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel brings to the share/ and etc/ of where it is installed: the extension of JupyterLab."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    return next(folder.glob("*.data")) / "data"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser that prints reports, or playwright's own download."""
    from playwright.sync_api import sync_playwright

    from journey_nb.reports import _browser

    with sync_playwright() as playwright:
        path = _browser() or playwright.chromium.executable_path
        if not Path(path).exists():
            pytest.fail("no Chromium; make test installs it, CHROMIUM=/path/to/chromium names another")
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """How a PostgreSQL is reached that is there for the tests only: its own cluster, at 127.0.0.1."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    initdb = installed[-1] / "initdb" if installed else shutil.which("initdb")
    if not initdb:
        pytest.fail("no PostgreSQL; make test installs it on Debian and Ubuntu")
    programs = Path(initdb).parent
    # The server refuses to be run by root, and nobody else may look into pytest's own folders.
    folder = Path(tempfile.mkdtemp(prefix="journey_nb-postgres-"))
    runs_as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if runs_as:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(program: str, *words: str) -> None:
        command = [*runs_as, str(programs / program), "-D", str(folder / "data"), *words]
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr

    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        run("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
        run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what a test recorded as its proof, also from a worker process."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, [])]
    for report in reports:
        for name, text in getattr(report, "user_properties", []):
            if name == "proof":
                terminalreporter.write_line(str(text))
