"""jn.canvas(stats): shows itself, saves itself, never raises."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import journey_nb as jn
from journey_nb.render import Canvas

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_notebook_gets_the_picture_and_a_sentence(welcome_stats: jn.JourneyStats) -> None:
    bundle = jn.canvas(welcome_stats)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/html"].startswith("<figure")
    assert bundle["text/plain"].startswith("Journey “Welcome series”, version 2: 14 steps and 18 branches")
    assert repr(jn.canvas(welcome_stats)) == bundle["text/plain"]


def test_its_numbers_are_the_tables(welcome_stats: jn.JourneyStats) -> None:
    drawn = jn.canvas(welcome_stats)
    assert drawn.faults == []
    table = drawn.table
    assert table is not None
    assert table.equals(welcome_stats.points())
    for point_id, entered in table.select("point_id", "entered").iter_rows():
        assert f'data-key="points.{point_id}.entered">{entered:,}<' in drawn.svg
    messages = welcome_stats.messages()
    lost = messages.select(
        pl.col("point_id"), pl.sum_horizontal("failed", "bounced", "skipped").alias("lost")
    )
    for point_id, count in lost.iter_rows():
        assert f'data-key="points.{point_id}.drop_offs">{count:,}<' in drawn.svg


def test_a_user_s_path_is_drawn_on_the_version_of_the_run(welcome_stats: jn.JourneyStats) -> None:
    runs = welcome_stats.facts.runs.filter(pl.col("version") == 1)
    path = welcome_stats.user_path(runs["user_id"][0])
    drawn = jn.canvas(welcome_stats, path=path)
    newest = path.filter(pl.col("run_id") == path["run_id"][0])
    assert f"Version {newest['version'][0]} ·" in drawn.svg
    assert drawn.svg.count('class="card on"') == newest["point_id"].n_unique()
    assert "is highlighted" in drawn.alt


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("c.svg", lambda content: content.startswith(b"<svg")),
        (
            "c.html",
            lambda content: content.startswith(b"<!DOCTYPE html>") and b"data:image/svg+xml" in content,
        ),
        ("c.png", lambda content: content.startswith(PNG)),
        ("C.PNG", lambda content: content.startswith(PNG)),
    ],
)
def test_it_saves_whole_files(
    welcome_stats: jn.JourneyStats, tmp_path: Path, name: str, check: Callable[[bytes], bool]
) -> None:
    saved = jn.canvas(welcome_stats).save(tmp_path / name)
    assert check(saved.read_bytes())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_unknown_kind_of_file_is_refused_before_anything_is_written(
    welcome_stats: jn.JourneyStats, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"end the name in \.svg, \.html, \.png"):
        jn.canvas(welcome_stats).save(tmp_path / "c.pdf")
    assert not list(tmp_path.iterdir())


def test_a_failed_writing_leaves_what_stood_there(
    welcome_stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "c.svg"
    target.write_text("before")

    def fail(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        jn.canvas(welcome_stats).save(target)
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["c.svg"]


class _Broken(jn.JourneyStats):
    """Stats whose tables fail."""

    def __init__(self, stats: jn.JourneyStats, fails: set[str]) -> None:
        vars(self).update(vars(stats), fails=fails)

    def __getattribute__(self, name: str) -> Any:
        if name in object.__getattribute__(self, "__dict__").get("fails", ()):
            raise RuntimeError(f"<b>{name}</b> is broken")
        return super().__getattribute__(name)


def test_a_failing_table_is_said_under_the_picture(welcome_stats: jn.JourneyStats) -> None:
    stats: Any = _Broken(welcome_stats, {"branches", "messages", "experiment"})
    drawn = Canvas(stats)
    html = drawn._repr_html_()
    assert "data:image/svg+xml" in html
    assert "Not available: Branches: RuntimeError: &lt;b&gt;branches&lt;/b&gt; is broken" in html
    assert 'data-key="points.hello_push.entered"' in drawn.svg


def test_a_saved_picture_says_which_part_is_missing(welcome_stats: jn.JourneyStats, tmp_path: Path) -> None:
    stats: Any = _Broken(welcome_stats, {"points", "messages"})
    said = "Not available: Steps: RuntimeError: &lt;b&gt;points&lt;/b&gt; is broken"
    svg = Canvas(stats).save(tmp_path / "c.svg").read_text()
    assert said in svg
    assert said in Canvas(stats)._repr_html_()
    assert "<b>points" not in svg
    assert "Not available" not in jn.canvas(welcome_stats).svg
    whole, broken = (
        int(re.search(r' height="(\d+)"', c.svg)[1]) for c in (Canvas(welcome_stats), Canvas(stats))
    )  # type: ignore[index]
    assert Canvas(stats).png(scale=0.1).startswith(PNG)
    assert whole != broken


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"goal": "purchse"}, "purchse"),
        ({"theme": "drak"}, "no theme 'drak'; did you mean 'dark'"),
        ({"path": ["hello_push", "helo_push"]}, "no point 'helo_push'; did you mean 'hello_push'"),
    ],
)
def test_what_is_asked_for_is_looked_at_before_anything_is_drawn(
    welcome_stats: jn.JourneyStats, options: dict[str, Any], told: str
) -> None:
    with pytest.raises((KeyError, ValueError), match=told):
        jn.canvas(welcome_stats, **options)


def test_a_repr_never_raises(welcome_stats: jn.JourneyStats) -> None:
    stats: Any = _Broken(welcome_stats, {"journey"})
    assert "Not available: RuntimeError: &lt;b&gt;journey&lt;/b&gt; is broken" in Canvas(stats)._repr_html_()
    assert "is broken" in repr(Canvas(stats))


def test_the_picture_says_what_it_covers(welcome_stats: jn.JourneyStats) -> None:
    march = welcome_stats.between("2026-03-01", "2026-03-31").clock("cohort")
    assert "1 Mar 2026 – 31 Mar 2026 · the runs that entered, followed up" in jn.canvas(march).svg
    one = welcome_stats.between("2026-03-01", "2026-03-01")
    assert re.search(r"· 1 Mar 2026 · each event", jn.canvas(one).svg)
