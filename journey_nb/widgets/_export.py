"""Exports out of live views: which dates, the file written whole, what became of it, and it in the browser too."""

from __future__ import annotations

import inspect
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from journey_nb.exports import EXPORTS, write_table
from journey_nb.files import fitting
from journey_nb.journey import near
from journey_nb.metrics import small
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.style import format, word
from journey_nb.style.words import value as worded
from journey_nb.widgets._base import OfStats, View

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

LARGEST = 50_000_000
"""Bytes of a file that are handed to the browser; a larger one is told by its path."""

STEPS = 20
"""How often at most the window says how far a file is."""

_WORDS = {"first": "period.first", "last": "period.last"} | {
    name: name for name in ("close", "export_dates", "exported_to", "another_period")
}


def file_name(*words: str) -> str:
    """A file of these words, each cut, and of letters that any system takes."""
    parts = (fitting(re.sub(r"[^\w-]+", "-", word).lower(), 40).strip("-") for word in words)
    return "-".join(part or "-" for part in parts) + ".csv"


@dataclass(frozen=True)
class _Wanted:
    """An export of :data:`EXPORTS` with what it takes: point_id, channel, goal."""

    what: str
    options: dict[str, str] = field(default_factory=dict)

    def title(self, stats: JourneyStats, locale: str) -> str:
        """What it is called, of what."""
        points = stats.journey.points()
        of: dict[str, Callable[[str], str]] = {
            "point_id": lambda point: points[point].label,
            "channel": lambda channel: worded(channel, locale),
            "goal": lambda goal: stats.journey.goal(goal).label,
        }
        named = [clean(of[name](value)) for name, value in self.options.items()]
        return ", ".join([word(f"export.{self.what}", locale), *named])

    def name(self, stats: JourneyStats) -> str:
        """Its file's name; two exports have the same only if they are of the same."""
        people = ["pseudonyms"] if stats.pseudonymous else []
        people += [f"small-groups-{stats.least}"] if stats.least else []
        parts = [
            stats.journey.journey_id,
            stats.journey.label,
            *self.options.values(),
            stats.verbs(),
            *people,
        ]
        sign = sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:6]
        return file_name(
            stats.journey.label, self.what, *self.options.values(), *people, *stats.chosen.split(".."), sign
        )


class Files(View):
    """A view out of which tables are exported, over dates that are asked for first."""

    _actions: ClassVar[Mapping[str, str]] = {
        "export": "_ask_dates",
        "export-again": "_ask_again",
        "export-close": "_close_export",
        "write": "_write",
    }

    folder: Path = Path("exports")
    """Where the files are written; made when the first one is."""
    _wanted: Any = None
    """What is being exported, as the view knows it."""

    @abstractmethod
    def _want(self, request: Mapping[str, Any]) -> Any:
        """What a request wants exported; what cannot be is told here, not by the file."""

    @abstractmethod
    def _title(self) -> str:
        """What the wanted is called, of what."""

    @abstractmethod
    def _days(self) -> Sequence[date]:
        """The days that are offered."""

    @abstractmethod
    def _read(self, first: str, last: str) -> tuple[str, pl.DataFrame | pl.LazyFrame]:
        """The wanted over these dates: its file's name, and its rows."""

    def _ask_dates(self, request: Mapping[str, Any]) -> None:
        self._wanted = self._want(request)
        self.export = self._window()

    def _ask_again(self, _: Mapping[str, Any]) -> None:
        self.export = self._window()

    def _close_export(self, _: Mapping[str, Any]) -> None:
        self._wanted, self.export = None, ""

    def _write(self, request: Mapping[str, Any]) -> None:
        if self._wanted is None:
            raise ValueError("no export has been asked for")
        told = word("exporting", self.locale, what=self._title())
        self.said, self.export = told, self._window(busy=told)
        try:
            done = self._written(*self._read(request["first"], request["last"]))
        except Exception as error:
            self.export = self._window(failed=self._told(error))
        else:
            self.said, self.export = f"{done['rows']}. {done['saved']}", self._window(done=done)

    def _written(self, name: str, frame: pl.DataFrame | pl.LazyFrame) -> dict[str, str]:
        """Write the file, hand it to the browser unless it is too large, and say what became of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = write_table(self._followed(frame.lazy()), self.folder.resolve() / name)
        rows = pl.scan_csv(path, infer_schema=False).select(pl.len()).collect().item()
        size = path.stat().st_size
        if is_small := size <= LARGEST:
            self.send({"save": path.name, "view": self._asker}, buffers=[path.read_bytes()])
        large = word("download_large", self.locale, size=format.number(round(size / 1e6), self.locale))
        return {
            "rows": word("exported", self.locale, count=format.number(rows, self.locale)),
            "saved": word("download_begun", self.locale, name=path.name) if is_small else large,
            "path": str(path),
        }

    def _followed(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The same rows; the window says how many of them are on their way into the file."""
        rows, written, told, one_by_one = frame.select(pl.len()).collect().item(), 0, 0, Lock()

        def count(part: pl.DataFrame) -> pl.DataFrame:
            nonlocal written, told
            with one_by_one:  # several threads write
                written += part.height
                if (now := written * STEPS // max(rows, 1)) > told:
                    told, busy = now, word("exporting", self.locale, what=self._title())
                    self.export = self._window(busy=busy, share=written / rows)
            return part

        return frame.map_batches(count, streamable=True)

    def _window(
        self, *, busy: str = "", share: float = 0, failed: str = "", done: dict[str, str] | None = None
    ) -> str:
        days = self._days()
        return template("export.html").render(
            title=word("export_of", self.locale, what=self._title()),
            words={name: word(key, self.locale) for name, key in _WORDS.items()},
            first=days[0].isoformat() if days else "",
            last=days[-1].isoformat() if days else "",
            busy=busy,
            share=round(share, 2),
            percent=format.percent(share, self.locale),
            failed=failed,
            done=done,
        )


class Exporting(Files, OfStats):
    """A view of statistics out of which their tables are exported."""

    _actions: ClassVar[Mapping[str, str]] = {**OfStats._actions, **Files._actions}

    def _want(self, request: Mapping[str, Any]) -> _Wanted:
        what, given = request.get("what"), {"point": "point_id", "channel": "channel", "goal": "goal"}
        if what not in EXPORTS:
            raise ValueError(f"no export {what!r}{near(str(what), EXPORTS)}; there are {', '.join(EXPORTS)}")
        takes = inspect.signature(EXPORTS[what]).parameters
        options = {
            name: str(request[key]) for key, name in given.items() if request.get(key) and name in takes
        }
        wanted = _Wanted(what, options)
        wanted.title(self.stats, self.locale)
        return wanted

    def _title(self) -> str:
        title: str = self._wanted.title(self.stats, self.locale)
        return title

    def _days(self) -> Sequence[date]:
        days: Sequence[date] = self.stats.scope.days
        return days

    def _read(self, first: str, last: str) -> tuple[str, pl.DataFrame | pl.LazyFrame]:
        stats, wanted = self.stats.between(first, last), self._wanted
        rows = EXPORTS[wanted.what](stats, **wanted.options)
        return wanted.name(stats), small.told(rows, stats.least)
