"""Exports out of live views: which dates, the file written whole, what became of it, and it in the browser too."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from journey_nb.exports import EXPORTS, write_table
from journey_nb.journey import near
from journey_nb.render.panels import template
from journey_nb.render.text import clean
from journey_nb.style import format, word
from journey_nb.style.words import value as worded
from journey_nb.widgets._base import OfStats

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

LARGEST = 50_000_000
"""Bytes of a file that are handed to the browser; a larger one is told by its path."""

_WORDS = {"first": "period.first", "last": "period.last"} | {
    name: name for name in ("close", "export_dates", "exported_to", "another_period")
}


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
        parts = [stats.journey.label, stats.journey.journey_id, *self.options.values(), stats.scope.clock]
        sign = sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:6]
        words = [stats.journey.label, self.what, *self.options.values(), *stats.chosen.split(".."), sign]
        return (
            "-".join(re.sub(r"[^\w-]+", "-", word)[:40].strip("-").lower() or "-" for word in words) + ".csv"
        )


class Exporting(OfStats):
    """A view out of which tables are exported, over dates that are asked for first."""

    _actions: ClassVar[Mapping[str, str]] = {
        **OfStats._actions,
        "export": "_ask_dates",
        "export-again": "_ask_again",
        "export-close": "_close_export",
        "write": "_write",
    }

    folder: Path = Path("exports")
    """Where the files are written; made when the first one is."""
    _wanted: _Wanted | None = None

    def _ask_dates(self, request: Mapping[str, Any]) -> None:
        what, given = request.get("what"), {"point": "point_id", "channel": "channel", "goal": "goal"}
        if what not in EXPORTS:
            raise ValueError(f"no export {what!r}{near(str(what), EXPORTS)}; there are {', '.join(EXPORTS)}")
        takes = inspect.signature(EXPORTS[what]).parameters
        options = {
            name: str(request[key]) for key, name in given.items() if request.get(key) and name in takes
        }
        wanted = _Wanted(what, options)
        wanted.title(self.stats, self.locale)  # a mistake is told here, not by the file
        self._wanted = wanted
        self.export = self._window(self.stats)

    def _ask_again(self, _: Mapping[str, Any]) -> None:
        self.export = self._window(self.stats)

    def _close_export(self, _: Mapping[str, Any]) -> None:
        self._wanted, self.export = None, ""

    def _write(self, request: Mapping[str, Any]) -> None:
        wanted = self._wanted
        if wanted is None:
            raise ValueError("no export has been asked for")
        told = word("exporting", self.locale, what=wanted.title(self.stats, self.locale))
        self.said, self.export = told, self._window(self.stats, busy=told)
        try:
            stats = self.stats.between(request["first"], request["last"])
            done = self._written(wanted, stats)
        except Exception as error:
            self.export = self._window(self.stats, failed=self._told(error))
        else:
            self.said, self.export = f"{done['rows']}. {done['saved']}", self._window(stats, done=done)

    def _written(self, wanted: _Wanted, stats: JourneyStats) -> dict[str, str]:
        """Write the file, hand it to the browser unless it is too large, and say what became of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = write_table(
            EXPORTS[wanted.what](stats, **wanted.options), self.folder.resolve() / wanted.name(stats)
        )
        rows = pl.scan_csv(path, infer_schema=False).select(pl.len()).collect().item()
        size = path.stat().st_size
        if is_small := size <= LARGEST:
            self.send({"save": path.name}, buffers=[path.read_bytes()])
        large = word("download_large", self.locale, size=format.number(round(size / 1e6), self.locale))
        return {
            "rows": word("exported", self.locale, count=format.number(rows, self.locale)),
            "saved": word("download_begun", self.locale, name=path.name) if is_small else large,
            "path": str(path),
        }

    def _window(
        self, stats: JourneyStats, *, busy: str = "", failed: str = "", done: dict[str, str] | None = None
    ) -> str:
        assert self._wanted is not None  # asked for first
        days = stats.scope.days
        return template("export.html").render(
            title=word("export_of", self.locale, what=self._wanted.title(stats, self.locale)),
            words={name: word(key, self.locale) for name, key in _WORDS.items()},
            first=days[0].isoformat() if days else "",
            last=days[-1].isoformat() if days else "",
            busy=busy,
            failed=failed,
            done=done,
        )
