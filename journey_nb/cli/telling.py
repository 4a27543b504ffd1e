"""What is said on a terminal: results, steps, small tables, and what went wrong."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from journey_nb.files import is_full

if TYPE_CHECKING:
    import polars as pl

# What a person did wrong, told in a line or two; everything else is our fault and keeps its traceback.
MISTAKES = "JourneyError", "LogError", "ReportError", "AskedError", "StoreError"

# What a terminal obeys instead of showing it, and what turns the direction of writing.
_ORDERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

out = Console(highlight=False)

err = Console(stderr=True, highlight=False)


def said(text: object) -> str:
    """Text that comes from data or a person: neither markup nor an order to the terminal."""
    return escape(_ORDERS.sub("", str(text)))


def words_of(error: Exception) -> str:
    """An error in the words of the command line."""
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"there is no file {os.fspath(error.filename)!r}"
    if isinstance(error, FileExistsError) and (link := Path(error.filename or "")).is_symlink():
        # As of a disk that is not mounted.
        return f"{link} is a link to {link.readlink()}, which is not there"
    if isinstance(error, OSError) and error.filename:
        return f"{os.fspath(error.filename)}: {(error.strerror or str(error)).lower()}"
    if type(error).__name__ not in MISTAKES and is_full(error):
        return f"there is no room on the disk: {error}"
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    return by_options(str(error))


# Mends that are named in Python's words, and what they are on the command line.
_OPTIONS = {
    r"columns=\{'(kind|journey_id|version)': …\}": r"--column \1=…, or --constant \1=… if it is one for all rows",
    r"columns=\{'(\w+)': …\}": r"--column \1=…",
    r"\btimezone=": "--timezone ",
    r"\btime_unit=": "--time-unit ",
    r"\btime_format=": "--time-format ",
    r"check clock and time_unit": "check clock and --time-unit",
    r"for '(\w+)'(.*)a constant is pl\.lit\('(.*)'\)": r"for '\1'\2a constant is --constant \1=\3",
    r"\bsmall_groups 0\b": "--small-groups 0",
    r"\bkeep_log=False\b": "--no-log",
    r"\brebuild\('([^']*)'\)": r"journey-nb rebuild STORE '\1'",
    r"\brebuild\(\)": "journey-nb rebuild",
    r"\bpatience=…, in seconds": "--patience SECONDS",
    r"\(columns, timezone, time_unit, time_format\)": "(--column, --timezone, --time-unit, --time-format)",
}


def by_options(text: str) -> str:
    """A text that may name a mend."""
    for argument, option in _OPTIONS.items():
        text = re.sub(argument, option, text)
    return text


@contextmanager
def step(doing: str, spinner: bool = True) -> Iterator[Callable[[str], None]]:
    """A line for one long step: a spinner while it runs, then what it did and how long it took."""
    began, did = time.perf_counter(), [doing]
    with err.status(f"{said(doing)} …") if spinner else nullcontext():
        yield lambda words: did.append(words)
    err.print(f"[green]✓[/] {said(did[-1])} [dim]{time.perf_counter() - began:.1f} s[/]", soft_wrap=True)


def so_many_rows(count: int) -> str:
    """How many rows."""
    return f"{count:,} row{'s' * (count != 1)}"


def print_table(table: pl.DataFrame) -> None:
    """A small table, a line per row, in words for people; on a terminal too narrow for it, a line per value."""
    from journey_nb.style import column

    names = [column(name) for name in table.columns]
    rows = [
        [said(_cell(name, value)) for name, value in zip(table.columns, row, strict=True)]
        for row in table.iter_rows()
    ]
    wide = Console(width=1_000, highlight=False)  # a file has no edge to wrap at
    shown = _grid(names, rows)
    if out.is_terminal and wide.measure(shown).maximum > out.width:
        heads = [f"[bold]{name}[/]" for name in names]
        for row in rows:  # what is to be copied, an id or the name of a load, stays whole
            told = [(head, cell) for head, cell in zip(heads, row, strict=True) if cell]
            wide.print(_grid([], told), "")
    else:
        wide.print(shown)


def _grid(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> Table:
    grid = Table(*heads, box=None, padding=(0, 2, 0, 0), show_header=bool(heads))
    for row in rows:
        grid.add_row(*row)
    return grid


def _cell(name: str, value: Any) -> str:
    from rich.filesize import decimal

    from journey_nb.style import format, word

    if isinstance(value, datetime):
        return format.instant(value)  # as the register keeps it, in UTC, for journeys of any zone
    if name == "age":
        return format.duration(value)
    if name == "bytes":
        return decimal(value)
    if isinstance(value, int):
        return format.number(value)
    return word(value) if name in ("status", "type") else str("" if value is None else value)
