"""The parts of a report that are more than one table: its head, its account, tests, definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from journey_nb import charts
from journey_nb.render.detail import concluded
from journey_nb.render.panels import Html, table
from journey_nb.render.text import clean
from journey_nb.stats import JourneyStats
from journey_nb.style import column, format, word


def section(key: str, *, locale: str = "en") -> Html:
    """A heading and what is below it, in the reader's language.

    Examples
    --------
    >>> section("waiting")
    Waiting: Where runs stand now and what they wait for.
    """
    title, about = word(f"section.{key}", locale), word(f"section.{key}.about", locale)
    return Html(f"<h2>{escape(title)}</h2><p>{escape(about)}</p>", f"{title}: {about}")


def heading(stats: JourneyStats, *, locale: str = "en") -> Html:
    """What the report is about: the journey, the period, the clock, the instant of sight."""
    journey, scope = stats.journey, stats.scope
    shown = journey.version(scope.version).version
    count = len(journey.versions)
    what = [
        word(journey.status, locale),
        word(f"entry_{journey.entry_type}", locale),
        word("version_alone", locale, version=shown)
        if scope.version
        else word("version_of", locale, version=shown, count=count),
        *([clean(journey.category)] if journey.category else []),
        *(clean(tag) for tag in journey.tags[:10]),
    ]
    when = [
        _days(scope.days, locale),
        clean(journey.timezone),
        word(f"by_{scope.clock}", locale, what=word(f"clock_{scope.clock}", locale)),
        word("as_of", locale, moment=format.moment(_local(scope.as_of, stats), locale)),
        *([word("machines", locale)] if scope.machine else []),
        *([word("some_runs", locale)] if scope.keep is not None else []),
    ]
    title = clean(journey.label)
    html = f"<h1>{escape(title)}</h1><p>{_joined(what)}</p><p><strong>{_joined(when)}</strong></p>"
    return Html(html, f"{title}: {' · '.join([*what, *when])}")


def _days(days: Sequence[date], locale: str) -> str:
    if len(days) < 2:
        return word("one_day", locale, day=format.day(days[0], locale)) if days else word("no_days", locale)
    first, last = format.day(days[0], locale), format.day(days[-1], locale)
    return word("days", locale, first=first, last=last, count=format.number(len(days), locale))


def account(stats: JourneyStats, *, locale: str = "en") -> Html:
    """Whether it adds up: the rows of the log, the runs of the journey, and every gap there is."""
    rows, row = stats.report(), stats.audience().row(0, named=True)
    checks = stats.reconciliation()
    gaps = checks.filter(pl.col("gap") != 0)

    def said(sentence: str, **counts: int) -> str:
        return word(
            sentence, locale, **{name: format.number(count, locale) for name, count in counts.items()}
        )

    lines = [
        said(
            "account_rows",
            **{name: getattr(rows, name) for name in ("read", "loaded", "duplicates", "quarantined")},
        ),
        said(
            "account_runs",
            before=row["in_journey_before"],
            entrances=row["entrances"],
            completed=row["completed"],
            early=row["exits"] - row["completed"],
            dropped=row["internal_errors"] + row["send_errors"],
            inside=row["in_journey"],
        ),
        said("checks_fine", count=checks.height)
        if gaps.is_empty()
        else said("checks_off", gaps=gaps.height, count=checks.height),
    ]
    broken: list[Any] = [] if gaps.is_empty() else [table(gaps, locale=locale)]
    if rows.quarantined:
        broken.append(_folded(word("quarantine", locale), [table(rows.frame, locale=locale)]))
    return Html("<p>" + "<br>".join(map(escape, lines)) + "</p>" + "".join(map(str, broken)), " ".join(lines))


def compared(stats: JourneyStats) -> JourneyStats:
    """The stats with the period before beside them, where there is one."""
    return stats if stats.previous_scope is None else stats.compare()


def changes(stats: JourneyStats, *, locale: str = "en") -> list[Any]:
    """What changed against the period before: channels, goals, and the steps whose entries changed most."""
    if stats.previous_scope is None:
        return [Html.escaped(word("nothing_before", locale))]
    beside = stats.compare()
    moved = pl.col("entered") - pl.col("entered_prev")
    shown: list[tuple[str, pl.DataFrame, tuple[str, ...]]] = [
        ("communications", beside.communications(), ("channel", "sent", "engagement_rate")),
        ("goals", beside.goals(), ("title", "users", "conversion_rate")),
        (
            "points",
            beside.points().filter(moved != 0).sort(moved.abs(), descending=True, maintain_order=True),
            ("title", "entered", "completed"),
        ),
    ]
    return [
        table(
            frame,
            word(name, locale),
            columns=[
                key,
                *(f"{number}{end}" for number in numbers for end in ("", "_prev", "_change")),
            ],
            limit=_MOVED,
            locale=locale,
        )
        for name, frame, (key, *numbers) in shown
    ]


_MOVED = 12  # so many rows of a table of changes


def experiments(stats: JourneyStats, goal: str = "", *, locale: str = "en") -> list[Any]:
    """Every A/B/n split of the shown version: the verdict, the chart and the table."""
    journey = stats.journey
    splits = [point for point in journey.version(stats.scope.version).points if point.type == "split_abn"]
    if not splits or not journey.goals:
        return [Html.escaped(word("no_goal" if splits else "no_split", locale))]
    aim = journey.goal(goal) if goal else journey.goals[0]
    parts: list[Any] = []
    for point in splits:
        found = stats.experiment(point.point_id, aim.goal_id)
        title, reached = clean(point.label), clean(aim.label)
        told = concluded(found, locale)
        html = f"<h3>{escape(title)} – {escape(reached)}</h3><p>{escape(' '.join(told))}</p>"
        parts += [
            Html(html, f"{title}: {told[0]}"),
            charts.variants(found.table, locale=locale),
            table(found.table.drop("lift"), locale=locale),
        ]
    return parts


def definitions(
    stats: JourneyStats,
    tables: Iterable[str] = ("health", "audience", "goals", "communications", "messages", "points"),
    *,
    locale: str = "en",
) -> Html:
    """What the columns of some tables count, folded up; the definitions themselves are in English."""
    parts = []
    for name in tables:
        rows = [
            {
                "column": column(title, locale),
                "counts": told.counts,
                "unit": told.unit,
                "clock": told.clock,
            }
            for title in getattr(stats, name)().columns
            for told in [stats.explain(f"{name}.{title}")]
        ]
        parts.append(_folded(word(name, locale), [table(pl.DataFrame(rows), locale=locale)]))
    return Html("".join(parts), f"definitions of {', '.join(tables)}")


def show(*parts: Any) -> None:
    """Display parts one below the other."""
    from IPython.display import display

    for part in parts:
        display(part)


def _folded(title: str, parts: Iterable[Any]) -> str:
    return f"<details><summary>{escape(title)}</summary>{Markup(''.join(map(str, parts)))}</details>"


def _joined(words: Iterable[str]) -> Markup:
    return Markup(" · ").join(map(escape, words))


def _local(moment: datetime, stats: JourneyStats) -> datetime:
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(stats.journey.timezone))
