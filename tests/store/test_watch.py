"""A store that is watched while it grows."""

from __future__ import annotations

import gc
import os
import platform
import re
import sqlite3
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

import journey_nb as jn
from journey_nb.store import database, parts
from journey_nb.store.stored import StoredFacts


def test_a_watch_sees_each_change_once_and_nothing_else(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store, writer = jn.Store(tmp_path), jn.Store(tmp_path)
    store.add(welcome)
    seen = store.watch("welcome", every=0.001)
    assert next(seen).facts.read == 0
    read = 0
    for part in welcome_log.iter_slices(5_000):
        writer.append(part)
        read += part.height
        assert next(seen).facts.read == read
    writer.pause("welcome")
    assert next(seen).journey.status == "paused"
    waiting = threading.Thread(target=next, args=(seen,), daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()  # nothing changed
    writer.rename("welcome", "Welcome again")
    waiting.join(10)
    assert not waiting.is_alive()


@pytest.mark.parametrize(
    "ask",
    [
        lambda stats: (jn.canvas(stats.period("7d").compare()).svg, stats.health()),
        lambda stats: stats.where(version=1).points(),
        lambda stats: stats.health(by="version"),
        lambda stats: stats.clock("cohort").variants("offer_test", "first_order"),
        lambda stats: stats.machine().points(),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_what_was_counted_goes_with_the_statistics(
    ask: Callable[[jn.JourneyStats], object],
    large: bool,
    welcome_store: jn.Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At once, and not when Python next looks for rings of objects: a watch would hold many states till then."""
    monkeypatch.setattr(StoredFacts, "is_large", large)
    gc.disable()
    try:
        stats = jn.Store(welcome_store)["welcome"]
        facts = weakref.ref(stats.facts)
        ask(stats)
        del stats
        assert facts() is None
    finally:
        gc.enable()


def own_memory() -> int:
    """Kilobytes that are the process's own: files mapped into memory are not."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's own memory")
def test_memory_stays_flat_over_a_long_watch(tmp_path: Path, welcome: jn.Journey) -> None:
    """What a watch takes goes up and down with the layers that are merged; where it is least it must not grow."""
    from journey_nb.simulate import simulate

    log = simulate(welcome, users=2_500, seed=3).sort("occurred_at")
    store = jn.Store(tmp_path)
    store.add(welcome)
    store.append(log[:40_000])
    used = []
    for start in range(40_000, log.height, 250):
        store.append(log[start : start + 250])
        assert jn.canvas(store["welcome"]).svg
        used.append(own_memory())
    third = len(used) // 3
    assert third > 40
    assert min(used[2 * third :]) < 1.15 * min(used[third : 2 * third])


def test_what_was_read_of_merged_layers_is_let_go(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store(tmp_path)
    store.add(welcome)
    for part in welcome_log.iter_slices(2_000):
        store.append(part)
        stats = store["welcome"]
        assert jn.canvas(stats).svg
        stats.rows("health.drop_offs")
    here = {folder for folder, *_ in parts._kept._tables if folder.is_relative_to(tmp_path)}
    assert here
    assert here <= {part.folder for part in stats.facts.parts}


def test_two_threads_may_ask_for_what_was_merged(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch and a cell: both find at once that parts they knew no longer count."""
    store, writer = jn.Store(tmp_path), jn.Store(tmp_path)
    store.add(welcome)
    store.append(welcome_log[:300])
    assert store["welcome"].facts.read == 300
    for start in range(300, 600, 100):
        writer.append(welcome_log[start : start + 100])
    both, forget, let_go = threading.Barrier(2), parts.Part.forget, []
    monkeypatch.setattr(parts.Part, "forget", lambda part: (both.wait(10), let_go.append(forget(part))))
    with ThreadPoolExecutor(2) as threads:
        read = threads.map(lambda _: store["welcome"].facts.read, range(2))
        assert list(read) == [600, 600]
    assert len(let_go) == 2, "the third load is told as one with what was read"


def test_a_status_can_be_changed_while_a_load_goes_on(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store(tmp_path)
    store.add(welcome)
    with store._writing("rebuild"):
        assert jn.Store(tmp_path).pause("welcome").status == "paused"
        with pytest.raises(jn.StoreError, match="is being written"):
            jn.Store(tmp_path, patience=0).append(welcome_log)
    assert jn.Store(tmp_path, patience=0).append(welcome_log).read == welcome_log.height


def test_who_waits_is_told_for_whom_and_how_long(
    tmp_path: Path,
    welcome_log: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(database, "QUIETLY", 0.1)
    monkeypatch.setattr("getpass.getuser", lambda: "ann\x1b[31m")
    with jn.Store(tmp_path)._writing("rebuild"):
        with pytest.raises(jn.StoreError) as refused:
            jn.Store(tmp_path, patience=0.3).append(welcome_log)
        holder = f"by ann[31m, process {os.getpid()} on {platform.node()}: rebuild since 20"
        assert holder in str(refused.value)
        assert re.search(r"waited \d+\.\d s", str(refused.value))
        assert "patience=" in str(refused.value)
        (told,) = caplog.messages  # once, however long it takes
        assert holder in told
        assert "for up to 0.3 s" in told
    assert not list(tmp_path.glob("writer.txt"))
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "writer.txt").symlink_to(tmp_path / "mine")
    with jn.Store(tmp_path)._writing("rebuild"):
        assert "rebuild since" in (tmp_path / "writer.txt").read_text()
        assert (tmp_path / "mine").read_text() == "mine"
    with sqlite3.connect(tmp_path / "writer.lock", isolation_level=None) as older:  # which leaves no word
        older.execute("BEGIN EXCLUSIVE")
        with pytest.raises(jn.StoreError, match="is being written, and nothing tells by whom"):
            jn.Store(tmp_path, patience=0).append(welcome_log)
