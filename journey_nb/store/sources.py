"""Sources: what rows come from, by what each is known again, and how files are read: which in one go, beside which others."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from journey_nb.events import EventLog
from journey_nb.events.canonical import How, optional_columns
from journey_nb.events.log import name_of
from journey_nb.journey import listed
from journey_nb.reading import LogError, Options, Stored, alike, folders, scan
from journey_nb.store.sound import sha256

TOGETHER = 64 * 2**20  # bytes of small files that are loaded in one go
BYTES_A_ROW = 128  # of an object, about
Reading = tuple[tuple[str, str], ...]
_log = logging.getLogger(__name__)


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


def columns_of(
    paths: Sequence[Stored], columns: Mapping[str, str | pl.Expr], options: Options
) -> pl.LazyFrame:
    """No rows, and those of the columns asked for that files may lack, as the newest file that has each has it."""
    wanted, found = set(optional_columns(columns)), dict[str, pl.DataType]()
    for path in reversed(paths):  # columns come in the course of time
        if wanted <= found.keys():
            break
        with suppress(LogError):  # which is told where the file itself is to be read
            for part in scan([path], options):
                found = {
                    name: dtype for name, dtype in part.collect_schema().items() if name in wanted
                } | found
    return pl.LazyFrame(schema=found)


def with_nulls(
    lent: pl.LazyFrame,
    paths: Sequence[Stored],
    columns: Mapping[str, str | pl.Expr],
    storage_options: Options = None,
    **how: Any,
) -> EventLog:
    """As :meth:`EventLog.read`, but for those of the ``lent`` columns that no file here has: they are null, and that is told."""
    parts, name = scan(paths, storage_options), name_of(paths)
    schemas = [part.collect_schema() for part in parts]
    gone = [column for column in lent.collect_schema() if not all(column in schema for schema in schemas)]
    if gone:
        _log.warning("where %s has no column %s, it is null", name, listed(gone))
    *parts, _ = alike([*parts, lent], optional_columns(columns))
    return EventLog.of_parts(parts, name, columns, How(**how))


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
