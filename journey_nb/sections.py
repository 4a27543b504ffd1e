"""The parts of a report that are more than one table: its head, its account, tests, definitions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from journey_nb import charts
from journey_nb.facts import Folded
from journey_nb.render.panels import Html, table
from journey_nb.render.text import clean
from journey_nb.stats import JourneyStats
from journey_nb.style import format, word

_CLOCKS = {
    "activity": "activity clock: each event at its own time",
    "cohort": "cohort clock: the runs that entered, followed up",
}


def heading(stats: JourneyStats) -> Html:
    """What the report is about: the journey, the period, the clock, the instant of sight."""
    journey, scope = stats.journey, stats.scope
    shown = journey.version(scope.version)
    counted = "counted alone" if scope.version else f"of {len(journey.versions)}; all counted"
    what = [
        word(journey.status),
        f"{word(journey.entry_type)} entry",
        f"version {shown.version} {counted}",
        *([clean(journey.category)] if journey.category else []),
        *(clean(tag) for tag in journey.tags[:10]),
    ]
    days = len(scope.days)
    when = [
        f"{format.day(scope.days[0])} – {format.day(scope.days[-1])} ({days:,} day{'s' * (days != 1)})"
        if days
        else "an empty period",
        clean(journey.timezone),
        _CLOCKS[scope.clock],
        f"as of {format.moment(_local(scope.as_of, stats))}",
        *(["opens and clicks by machines counted"] if scope.machine else []),
        *(["some runs only"] if scope.keep is not None else []),
    ]
    title = clean(journey.label)
    html = f"<h1>{escape(title)}</h1><p>{_joined(what)}</p><p><strong>{_joined(when)}</strong></p>"
    return Html(html, f"{title}: {' · '.join([*what, *when])}")


def account(stats: JourneyStats) -> Html:
    """Whether it adds up: the rows of the log, the runs of the journey, and every gap there is."""
    facts, row = stats.facts, stats.audience().row(0, named=True)
    number = format.number
    lines = []
    if isinstance(facts, Folded):
        lines.append(
            f"Rows of the log: {number(facts.read)} read = {number(facts.loaded)} loaded "
            f"+ {number(facts.duplicates)} duplicates + {number(facts.quarantined.height)} quarantined."
        )
    dropped = row["internal_errors"] + row["send_errors"]
    lines.append(
        f"Runs: {number(row['in_journey_before'])} inside at the start + {number(row['entrances'])} entrances "
        f"= {number(row['completed'])} completed + {number(row['exits'] - row['completed'])} left early "
        f"+ {number(dropped)} left by error + {number(row['in_journey'])} in journey."
    )
    checks = stats.reconciliation()
    gaps = checks.filter(pl.col("gap") != 0)
    lines.append(
        f"All {checks.height} checks add up."
        if gaps.is_empty()
        else f"{gaps.height} of {checks.height} checks do not add up:"
    )
    broken: list[Any] = [] if gaps.is_empty() else [table(gaps)]
    if isinstance(facts, Folded) and facts.quarantined.height:
        rules = facts.quarantined.group_by("rule").agg(rows=pl.len(), example=pl.col("detail").first())
        broken.append(
            _folded("Quarantined rows by the rule they broke", [table(rules.sort("rows", descending=True))])
        )
    return Html("<p>" + "<br>".join(map(escape, lines)) + "</p>" + "".join(map(str, broken)), " ".join(lines))


def experiments(stats: JourneyStats, goal: str = "") -> list[Any]:
    """Every A/B/n split of the shown version: the verdict, the chart and the table."""
    journey = stats.journey
    splits = [point for point in journey.version(stats.scope.version).points if point.type == "split_abn"]
    if not splits or not journey.goals:
        return [
            Html.escaped("This journey has no A/B/n split." if not splits else "This journey has no goal.")
        ]
    aim = journey.goal(goal) if goal else journey.goals[0]
    parts: list[Any] = []
    for point in splits:
        found = stats.experiment(point.point_id, aim.goal_id)
        title, reached = clean(point.label), clean(aim.label)
        told = [f"Verdict: {found.verdict}."]
        if found.crossed:
            told.append(f"{format.number(found.crossed)} users were seen in two variants and stand in none.")
        if found.ratio_p_value is not None:
            told.append(
                f"A split as uneven as this has probability {format.percent(found.ratio_p_value)} by chance."
            )
        html = f"<h3>{escape(title)} – {escape(reached)}</h3><p>{escape(' '.join(told))}</p>"
        parts += [
            Html(html, f"{title}: {told[0]}"),
            charts.variants(found.table),
            table(found.table.drop("lift")),
        ]
    return parts


def definitions(
    stats: JourneyStats,
    tables: Iterable[str] = ("health", "audience", "goals", "communications", "messages", "points"),
) -> Html:
    """What the columns of some tables count, folded up."""
    parts = []
    for name in tables:
        rows = [
            {"column": column, "counts": told.counts, "unit": told.unit, "clock": told.clock}
            for column in getattr(stats, name)().columns
            for told in [stats.explain(f"{name}.{column}")]
        ]
        titled = pl.DataFrame(rows).with_columns(
            pl.col("column").replace_strict({row["column"]: _title(row["column"]) for row in rows})
        )
        parts.append(_folded(word(name) if name != "points" else "Steps", [table(titled)]))
    return Html("".join(parts), f"definitions of {', '.join(tables)}")


def show(parts: Iterable[Any]) -> None:
    """Display parts one below the other."""
    from IPython.display import display

    for part in parts:
        display(part)


def _title(column: str) -> str:
    from journey_nb.style import column as titled

    return titled(column)


def _folded(title: str, parts: Iterable[Any]) -> str:
    return f"<details><summary>{escape(title)}</summary>{Markup(''.join(map(str, parts)))}</details>"


def _joined(words: Iterable[str]) -> Markup:
    return Markup(" · ").join(map(escape, words))


def _local(moment: datetime, stats: JourneyStats) -> datetime:
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(stats.journey.timezone))
