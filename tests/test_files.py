"""Files appear whole or not at all, whoever writes beside."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import pytest

from journey_nb import Journey, files
from journey_nb.exports import write_table
from journey_nb.files import is_full, whole, whole_folder
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


@pytest.mark.parametrize("written", [whole, whole_folder])
def test_what_may_not_be_written_is_told_by_its_own_name(
    written: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    target = tmp_path / "t"
    with pytest.raises(PermissionError) as caught, written(target) as part:  # noqa: PT012
        raise PermissionError(13, "Permission denied", str(part))
    assert caught.value.filename == str(target)
    assert list(tmp_path.iterdir()) == []


def test_nobodys_file_of_the_old_name_is_touched(tmp_path: Path) -> None:
    """A file that happens to be called as the target and ``.part``."""
    own = tmp_path / "w.journey.json.part"
    own.write_text("mine")
    Journey.sample("welcome").write(tmp_path / "w.journey.json")
    assert own.read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (pl.exceptions.ComputeError("parquet: underlying IO error: File too large (os error 27)"), True),
        (pl.exceptions.ComputeError("parquet: underlying IO error: Input/output error (os error 5)"), False),
    ],
    ids=lambda one: str(one)[-20:],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, full: bool) -> None:
    assert is_full(error) == full


# Folders


def fill(place: Path, text: str) -> None:
    with whole_folder(place) as made:
        for name in ("a", "b", "c"):
            (made / name).write_text(text)


@pytest.fixture(params=[True, False], ids=["exchanging", "renaming"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's exchange of two names, and as where there is none."""
    if not request.param:
        monkeypatch.setattr(files, "_exchanged", lambda one, other: False)


def test_folders_of_several_writers_at_once_never_mix(system: None, tmp_path: Path) -> None:
    place = tmp_path / "x"
    for turn in range(20):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda who, turn=turn: fill(place, f"{turn} {who}"), range(4)))
        assert len({path.read_text() for path in place.iterdir()}) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_fails_leaves_what_stood_there(system: None, tmp_path: Path) -> None:
    fill(tmp_path / "x", "old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "x") as made:  # noqa: PT012
        (made / "a").write_text("half")
        raise RuntimeError
    assert {path.read_text() for path in (tmp_path / "x").iterdir()} == {"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_cannot_be_put_leaves_what_stood_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system knows no exchange and the second of three renames fails."""
    fill(tmp_path / "x", "old")
    monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    rename = Path.rename

    def refused(path: Path, to: Path) -> Path:
        if ".making" in path.name:
            raise OSError("full")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match="full"):
        fill(tmp_path / "x", "new")
    assert {path.read_text() for path in (tmp_path / "x").iterdir()} == {"old"}


def test_what_a_killed_writer_had_set_aside_is_put_back(tmp_path: Path) -> None:
    """Killed between two renames, where the system knows no exchange."""
    fill(tmp_path / ".aside-x", "old")
    fill(tmp_path / "y", "other")
    assert {path.read_text() for path in (tmp_path / "x").iterdir()} == {"old"}
    fill(tmp_path / ".aside-x", "older")  # and where its place is taken, it is of no use
    fill(tmp_path / "y", "other")
    assert {path.read_text() for path in (tmp_path / "x").iterdir()} == {"old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]


def test_what_a_killed_writer_was_making_is_swept_a_day_later(tmp_path: Path) -> None:
    for name in (".making-old", ".making-new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / ".making-old", (0, 0))
    fill(tmp_path / "x", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".making-new", "x"]
