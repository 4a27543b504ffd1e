"""Pictures from tables: the canvas, figures, panels and pages. Strings in, strings out.

``canvas(stats)`` is the one door for people; the pure functions behind it are
:func:`~journey_nb.render.canvas.canvas_svg`, :func:`~journey_nb.render.figure.figure_html`,
:func:`~journey_nb.render.page.page_html` and those of :mod:`journey_nb.render.panels`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar, get_args

import polars as pl
from markupsafe import escape

from journey_nb.files import whole
from journey_nb.journey import Journey, near
from journey_nb.metrics import small
from journey_nb.render.canvas import canvas_alt, canvas_svg
from journey_nb.render.figure import by_title, figure_html
from journey_nb.render.heat import MEASURES
from journey_nb.render.page import page_html
from journey_nb.render.panels import Html
from journey_nb.stats import JourneyStats, wanted
from journey_nb.style import format, palette, word
from journey_nb.style.locales import asked

__all__ = ["Canvas", "Html", "canvas", "canvas_alt", "canvas_svg", "figure_html", "page_html"]

MOST_PIXELS = 64_000_000  # of a PNG; larger pictures are drawn at a smaller scale

T = TypeVar("T")


class Canvas:
    """The picture of a journey with its numbers: shows itself in a notebook, saves itself to a file.

    Parameters
    ----------
    stats
        The statistics to draw, with their period, clock and filters.
    path
        A way to highlight: point ids in order, or the rows of ``stats.user_path(user)``, of which
        the newest run is drawn, on its own version.
    events
        The rows of ``stats.user_events(user)``: those of that run are told on the cards.
    heat
        A measure to tint the cards by: share, drop_rate, time or conversion.
    goal
        The goal by which splits are judged; by default the journey's first.
    theme
        ``light``, ``dark``, or ``auto`` to follow the reader's system.
    locale
        The language of its words and numbers (en, fr, ko), by default that of ``set_locale``.

    Raises
    ------
    KeyError, ValueError
        When the goal, a point of the path, the measure or the theme is not known; the message names the near ones.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> drawn = Canvas(jn.JourneyStats(journey, simulate(journey, users=50)))
    >>> 'data-point="hello_push"' in drawn.svg
    True
    """

    def __init__(
        self,
        stats: JourneyStats,
        *,
        path: Sequence[str] | pl.DataFrame | None = None,
        events: pl.DataFrame | None = None,
        heat: str | None = None,
        goal: str | None = None,
        theme: palette.Theme = "auto",
        locale: str = "",
    ) -> None:
        # What is asked for is looked at here: a picture never raises where it is shown.
        wanted(stats)
        if goal is not None:
            stats.journey.goal(goal)
        if theme not in (known := get_args(palette.Theme)):
            raise ValueError(f"no theme {theme!r}{near(str(theme), known)}; there are {', '.join(known)}")
        if heat is not None and heat not in MEASURES:
            raise ValueError(
                f"no heat map of {heat!r}{near(heat, MEASURES)}; there are {', '.join(MEASURES)}"
            )
        if path is not None and not isinstance(path, pl.DataFrame):
            _check_path(path, stats.journey)
        self.stats, self.goal, self.theme, self.locale, self.heat = stats, goal, theme, asked(locale), heat
        self.path = _newest_run(path) if isinstance(path, pl.DataFrame) else path
        self.events = events
        if isinstance(self.path, pl.DataFrame) and events is not None:
            self.events = events.join(self.path, on="run_id", how="semi", maintain_order="left")
        self.faults: list[str] = []
        """Why parts of the picture are missing, if any are."""

    @cached_property
    def svg(self) -> str:
        """The picture; where a part of it is missing, it says so."""
        return self._svg(self.theme, said=True)

    @cached_property
    def table(self) -> pl.DataFrame | None:
        """The table behind the cards: points()."""
        return self._try("points", lambda: self.stats.points())

    @cached_property
    def branches(self) -> pl.DataFrame | None:
        """The table behind the branches: branches()."""
        return self._try("branches", lambda: self.stats.branches())

    @property
    def alt(self) -> str:
        """What the picture shows, in a few sentences."""
        said = canvas_alt(self.stats.journey, self.version, self.table, path=self.path, locale=self.locale)
        return " ".join(filter(None, [said, redacted(self.stats, self.locale)]))

    @property
    def figure(self) -> Html:
        """The picture with its tables under it."""
        svg, alt = self.svg, self.alt
        if self.faults:  # which stand under it
            svg = self._svg(self.theme, said=False)
        dress = by_title(self.stats.journey, self.stats.scope.version)
        return figure_html(svg, self.tables, alt, notes=self.faults, dress=dress, locale=self.locale)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Its tables, by name."""
        frames = {"points": self.table, "branches": self.branches}
        return {name: frame for name, frame in frames.items() if frame is not None}

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as PNG, in the light theme unless dark was asked for; made without a browser."""
        import vl_convert

        svg = self._svg("dark" if self.theme == "dark" else "light", said=True)
        wide, high = map(int, re.findall(r' (?:width|height)="(\d+)"', svg)[:2])
        scale = min(scale, math.sqrt(MOST_PIXELS / (wide * high)))
        return bytes(vl_convert.svg_to_png(svg, scale=scale))

    def save(self, path: str | Path) -> Path:
        """Write the picture, whole or not at all: .svg, .html (a page that stands alone) or .png.

        :meth:`JourneyCanvas.save <journey_nb.JourneyCanvas.save>` writes a page that can be worked with.

        Raises
        ------
        ValueError
            When the name ends otherwise.
        """
        path = Path(path)
        makers: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self.svg.encode(),
            ".html": lambda: page_html(
                self.stats.journey.label,
                [*redaction_html(self.stats, self.locale), self.figure],
                locale=self.locale,
            ).encode(),
            ".png": self.png,
        }
        if path.suffix.lower() not in makers:
            raise ValueError(f"cannot save a canvas as {path.name!r}: end the name in {', '.join(makers)}")
        content = makers[path.suffix.lower()]()
        with whole(path) as part:
            part.write_bytes(content)
        return path

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # A repr never raises: what went wrong is said where the picture would be.
        try:
            figure = self.figure
            return {"text/html": figure.html, "text/plain": figure.text}
        except Exception as error:
            said = Html.escaped(word("failed_part", self.locale, error=f"{type(error).__name__}: {error}"))
            return {"text/html": f"<p>{said}</p>", "text/plain": said.text}

    def __repr__(self) -> str:
        return self._repr_mimebundle_()["text/plain"]

    # What is drawn

    @cached_property
    def version(self) -> int | None:
        """The version that is drawn: the path's, if it has one; None is the newest."""
        if isinstance(self.path, pl.DataFrame) and self.path.height and "version" in self.path.columns:
            return int(self.path["version"][0])
        return self.stats.scope.version

    @property
    def graph(self) -> dict[str, list[str]]:
        """Where each point of the drawn version leads."""
        version = self.stats.journey.version(self.version)
        return {
            point.point_id: [branch.target for branch in version.outgoing(point.point_id)]
            for point in version.points
        }

    def take(self, other: Canvas) -> None:
        """Take over the tables that another picture of the same stats was drawn of, if it has them all."""
        if not other.faults:
            tables = ["table", "branches", "_messages"]
            tables += ["_subtitle"] if other.locale == self.locale else []  # which is in words
            vars(self).update({name: vars(other)[name] for name in tables if name in vars(other)})

    def _svg(self, theme: palette.Theme, said: bool) -> str:
        tables: dict[str, Any] = {
            "points": self.table,
            "branches": self.branches,
            "messages": self._messages,
            "variants": self._verdicts,
            "subtitle": self._subtitle,
        }
        kept = [word("redacted", self.locale, what=what) for what in redactions(self.stats, self.locale)]
        return canvas_svg(
            self.stats.journey,
            self.version,
            **tables,
            path=self.path,
            events=self.events,
            heat=self.heat,
            notes=[*kept, *(self.faults if said else ())],  # faults are known once the tables are taken
            theme=theme,
            locale=self.locale,
        )

    @cached_property
    def _messages(self) -> pl.DataFrame | None:
        return self._try("messages", lambda: _messages(self.stats))

    @cached_property
    def _verdicts(self) -> dict[str, str]:
        journey = self.stats.journey
        goal = self.goal or (journey.goals[0].goal_id if journey.goals else None)
        if goal is None:
            return {}
        splits = [p.point_id for p in journey.version(self.version).points if p.type == "split_abn"]
        found = {split: self._try("variants", partial(self._verdict, split, goal)) for split in splits}
        return {split: verdict for split, verdict in found.items() if verdict is not None}

    def _verdict(self, split: str, goal: str) -> str:
        return self.stats.experiment(split, goal).verdict

    @cached_property
    def _subtitle(self) -> str:
        told = self._try("health", lambda: covers(self.stats, self.locale)) or ""
        versions = len(self.stats.journey.versions)
        if versions == 1 or self.stats.scope.version is not None:
            return told
        # Branches may lead elsewhere on other versions, so the counts of a card and its arrows may differ.
        return " · ".join(filter(None, [word("all_versions", self.locale, count=versions), told]))

    def _try(self, part: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except Exception as error:  # the picture is drawn without this part, and says so
            fault = f"{word(part, self.locale)}: {type(error).__name__}: {error}"
            self.faults.append(word("failed_part", self.locale, error=fault))
            return None


def _messages(stats: JourneyStats) -> pl.DataFrame:
    """The messages; where small groups are hidden, with how many were lost: the sum is hidden, not its parts once more."""
    shown = stats.messages()
    if not stats.least:
        return shown
    exact = stats.small_groups(0).compare(None).messages()
    lost = exact.select("point_id", drop_offs=pl.sum_horizontal("failed", "skipped", "bounced"))
    return shown.join(small.hidden(lost, stats.least), on="point_id", how="left", maintain_order="left")


def canvas(stats: JourneyStats, **options: Any) -> Canvas:
    """The picture of a journey with its numbers; the options are those of :class:`Canvas`."""
    return Canvas(stats, **options)


def covers(stats: JourneyStats, locale: str = "") -> str:
    """What a stats' numbers cover: its days and its clock, in words."""
    return f"{covered(stats, locale)} · {word(f'clock_{stats.scope.clock}', locale)}"


def redactions(stats: JourneyStats, locale: str = "") -> list[str]:
    """What of a stats' people is not told, in words; nothing where everything is."""
    told = [word("pseudonyms", locale)] if stats.pseudonymous else []
    if stats.least:
        told.append(word("small_groups", locale, k=format.number(stats.least, locale)))
    if stats.history_days:
        told.append(word("history_days", locale, days=format.number(stats.history_days, locale)))
    return told


def redacted(stats: JourneyStats, locale: str = "") -> str:
    """That not everything is told of a stats' people, in a sentence; empty where it is.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> redacted(jn.JourneyStats(journey, simulate(journey, users=50)).small_groups(5))
    'Redacted: groups smaller than 5 are shown as < 5, all other counts are rounded down to multiples of 5.'
    """
    told = redactions(stats, locale)
    return word("redacted", locale, what=" · ".join(told)) if told else ""


def redaction_html(stats: JourneyStats, locale: str = "") -> list[Html]:
    """The same as a paragraph, to stand on top; none where everything is told."""
    said = redacted(stats, locale)
    return [Html(f"<p><strong>{escape(said)}</strong></p>", said)] if said else []


def covered(stats: JourneyStats, locale: str = "") -> str:
    """The days of a stats' period, in words."""
    from zoneinfo import ZoneInfo

    scope, zone = stats.scope, ZoneInfo(stats.journey.timezone)
    first = scope.start.astimezone(zone)
    last = (scope.end - timedelta(microseconds=1)).astimezone(zone)
    days = format.day(first, locale)
    return days + f" – {format.day(last, locale)}" if last.date() > first.date() else days


def _check_path(path: Sequence[str], journey: Journey) -> None:
    for point in [path] if isinstance(path, str) else path:
        journey.point(point)  # names the near miss


def _newest_run(path: pl.DataFrame) -> pl.DataFrame:
    return path.filter(pl.col("run_id") == pl.col("run_id").first()) if "run_id" in path.columns else path
