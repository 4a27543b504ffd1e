"""Files appear whole or not at all, whoever writes beside."""

from __future__ import annotations

import stat
from pathlib import Path

import polars as pl
import pytest

from journey_nb import Journey
from journey_nb.exports import write_table
from journey_nb.files import whole
from journey_nb.simulate import simulate_to


def test_two_writers_at_once_never_mix(tmp_path: Path) -> None:
    target = tmp_path / "t.txt"
    with whole(target) as one, whole(target) as two:
        one.write_text("one")
        two.write_text("two")
        assert one != two
        assert not target.exists()
    assert target.read_text() == "one"  # the last to finish
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]


def test_a_writer_that_fails_leaves_what_stood_there_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "t.txt"
    target.write_text("before")
    with pytest.raises(RuntimeError), whole(target) as part:  # noqa: PT012
        part.write_text("half")
        raise RuntimeError
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]


def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "new").touch()
    with whole(tmp_path / "t") as part:
        part.write_text("x")
    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == stat.S_IMODE((tmp_path / "new").stat().st_mode)


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    with whole(tmp_path / ("n" * 255)) as part:
        part.write_text("x")
    assert Journey.sample("welcome").write(tmp_path / f"{'j' * 242}.journey.json").exists()


def test_every_writer_names_a_folder_that_is_missing(tmp_path: Path) -> None:
    journey, missing = Journey.sample("welcome"), tmp_path / "missing"
    for write in (
        lambda: journey.write(missing / "w.journey.json"),
        lambda: simulate_to(missing / "e.parquet", journey, users=5),
        lambda: write_table(pl.DataFrame({"a": [1]}), missing / "t.csv"),
    ):
        with pytest.raises(FileNotFoundError, match=r"no folder .*missing; make it first"):
            write()


def test_nobodys_file_of_the_old_name_is_touched(tmp_path: Path) -> None:
    """A file that happens to be called as the target and ``.part``."""
    own = tmp_path / "w.journey.json.part"
    own.write_text("mine")
    Journey.sample("welcome").write(tmp_path / "w.journey.json")
    assert own.read_text() == "mine"
