"""Sources: what rows come from, by what each is known again, and which files are loaded in one go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from journey_nb.events import EventLog
from journey_nb.events.canonical import optional_columns
from journey_nb.reading import LogError, Options, Stored, alike, folders, scan
from journey_nb.store.sound import sha256

TOGETHER = 64 * 2**20  # bytes of small files that are loaded in one go
BYTES_A_ROW = 128  # of an object, about
Reading = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Source:
    """Where rows come from: by the digest of its content, or the name that the caller gave, it is known again.

    ``reading`` tells how its columns and times were read, where that may be done in several ways, ``path`` where it is,
    ``stood`` where a file was and when it was written: as long as that holds its content need not be looked at.
    """

    digest: str
    name: str
    size: int | None = None
    reading: Reading | None = None
    stood: str = ""
    path: Stored | None = None

    @property
    def way(self) -> str:
        """What tells its reading from others."""
        return hashlib.sha256(repr([*(self.reading or ())]).encode()).hexdigest()[:16]


def frame_content(frame: pl.DataFrame) -> str:
    """What tells the content of a frame."""
    held = frame.drop(pl.selectors.object()).rechunk()  # objects of Python are no part of a log
    return hashlib.sha256(held.write_ipc(None).getbuffer()).hexdigest()


def file_content(path: Path) -> str:
    """What tells the content of a file."""
    digest, said = sha256(path), sorted(folders(path).items())
    # Equal files of two folders tell two things.
    return hashlib.sha256(repr((digest, said)).encode()).hexdigest() if said else digest


def file_name(path: Path) -> str:
    """What a file is called, with the folders that say something of its rows: ``date=2024-05-01/part-0.parquet``.

    All files of such folders are named alike, and whoever takes a load back names it.
    """
    return "/".join([*(folder for folder in path.parts[:-1] if "=" in folder[1:]), path.name])


def stands(path: Path) -> str:
    """Where a file stands, what its folders say, how large it is and when it was written; nothing of one that is gone."""
    try:
        told = path.stat()
    except FileNotFoundError:
        return ""
    return repr((str(path.absolute()), sorted(folders(path).items()), told.st_size, told.st_mtime_ns))


def way_of_reading(
    columns: Mapping[str, str | pl.Expr] | None, storage_options: Any = None, **how: Any
) -> Reading:
    """Where a file's columns are found and how its times are meant; keys of a store are none of it."""
    told = sorted((name, str(origin)) for name, origin in (columns or {}).items())
    told += sorted((name, str(value)) for name, value in how.items() if value is not None)
    return tuple(told)


def lacks(paths: Sequence[Stored], columns: Mapping[str, str | pl.Expr] | None, options: Options) -> bool:
    """Whether some files are without a column that others may have."""
    try:
        has = [set(part.collect_schema()) for part in scan(paths, options)]
    except LogError:
        return False
    return bool(set(optional_columns(columns or {})).difference(*has))


def with_nulls(
    beside: Sequence[pl.LazyFrame],
    paths: Sequence[Stored],
    columns: Mapping[str, str | pl.Expr],
    storage_options: Options = None,
    **how: Any,
) -> EventLog:
    """The log of one file; columns that it has not, and those beside it have, are null."""
    rows, *_ = alike([*scan(paths, storage_options), *beside], optional_columns(columns))
    return EventLog.from_frame(rows, columns, name=str(paths[0]), **how)


def handfuls(paths: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Files and objects in their order, small ones by the handful."""
    some: list[Stored] = []
    size = 0
    for path in paths:
        grows = _size(path)
        if some and size + grows > TOGETHER:
            yield some
            some, size = [], 0
        some.append(path)
        size += grows
    if some:
        yield some


def _size(path: Stored) -> int:
    """The bytes of a file; of an object as many as its rows take, for a list of objects tells these alone."""
    if isinstance(path, Path):
        return path.stat().st_size
    return TOGETHER if path.rows is None else path.rows * BYTES_A_ROW
