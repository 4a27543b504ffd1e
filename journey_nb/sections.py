"""The parts of a report that are more than one table: its head, its account, tests, definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from journey_nb import charts
from journey_nb.journey import Point
from journey_nb.metrics import small
from journey_nb.metrics.definitions import columns_of, explain
from journey_nb.metrics.experiments import Experiment
from journey_nb.render import canvas, redaction_html
from journey_nb.render.detail import concluded
from journey_nb.render.figure import chart_html
from journey_nb.render.panels import Html, table
from journey_nb.render.text import clean
from journey_nb.stats import JourneyStats
from journey_nb.style import column, format, word
from journey_nb.style.meanings import meaning

_ROWS = ("read", "loaded", "duplicates", "quarantined")


def section(key: str, *, locale: str = "", **fields: str) -> Html:
    """A heading and what is below it, in the reader's language.

    Examples
    --------
    >>> section("waiting")
    Waiting: Where runs stand now and what they wait for.
    """
    title = clean(word(f"section.{key}", locale, **fields))
    about = word(f"section.{key}.about", locale)
    return Html(f"<h2>{escape(title)}</h2><p>{escape(about)}</p>", f"{title}: {about}")


def heading(stats: JourneyStats, *, locale: str = "") -> Html:
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
    title, told = clean(journey.label), redaction_html(stats, locale)
    html = f"<h1>{escape(title)}</h1>{''.join(map(str, told))}<p>{_joined(what)}</p><p><strong>{_joined(when)}</strong></p>"
    return Html(html, f"{title}: {' · '.join([*what, *when, *map(repr, told)])}")


def _days(days: Sequence[date], locale: str) -> str:
    if len(days) < 2:
        return word("one_day", locale, day=format.day(days[0], locale)) if days else word("no_days", locale)
    first, last = format.day(days[0], locale), format.day(days[-1], locale)
    return word("days", locale, first=first, last=last, count=format.number(len(days), locale))


def account(stats: JourneyStats, *, locale: str = "") -> Html:
    """Whether it adds up: the rows of the log, the runs of the journey, and every gap there is."""
    rows, row = stats.report(), stats.audience().row(0, named=True)
    checks = stats.reconciliation()
    gaps = checks.filter(pl.col("gap") != 0)

    def said(sentence: str, **counts: int) -> str:
        return word(sentence, locale, **{name: format.count(count, locale) for name, count in counts.items()})

    runs = {
        "before": row["in_journey_before"],
        "entrances": row["entrances"],
        "completed": row["completed"],
        "early": row["exits"] - row["completed"],
        "dropped": row["internal_errors"] + row["send_errors"],
        "inside": row["in_journey"],
    }
    late, strangers = stats.outside_window
    lines = [
        said("account_rows", **{name: getattr(rows, name) for name in _ROWS}),
        *([] if stats.least else [said("account_runs", **runs)]),  # rounded, it would not add up
        *([said("account_goals", late=late, strangers=strangers)] if late or strangers else []),
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


def busiest(stats: JourneyStats) -> str:
    """The channel with the most messages; email where there are none."""
    channels = stats.communications().sort("sent", descending=True, maintain_order=True)["channel"]
    return str(channels[0]) if len(channels) else "email"


def changes(
    stats: JourneyStats,
    tables: Iterable[str] = ("communications", "goals", "points"),
    *,
    locale: str = "",
    **options: Any,
) -> list[Any]:
    """What changed against the period before, table by table; of points those whose entries changed most."""
    if stats.previous_scope is None:
        return [Html.escaped(word("nothing_before", locale))]
    return [_changed(stats.compare(), name, locale, options) for name in tables]


_MOVED = 12  # so many rows of a table of changes
# What is set beside the period before: the key, and two numbers.
_BESIDE = {
    "communications": ("channel", "sent", "engagement_rate"),
    "goals": ("title", "users", "conversion_rate"),
    "messages": ("title", "sent", "open_rate"),
    "points": ("title", "entered", "completed"),
}


def _changed(stats: JourneyStats, name: str, locale: str, options: dict[str, Any]) -> Html:
    key, *numbers = _BESIDE[name]
    frame = getattr(stats, name)(**options)
    if name == "points":
        moved = pl.col("entered") - pl.col("entered_prev")
        frame = frame.filter(moved != 0).sort(moved.abs(), descending=True, maintain_order=True)
    columns = [key, *(f"{number}{end}" for number in numbers for end in ("", "_prev", "_change"))]
    return table(frame, word(name, locale), columns=columns, limit=_MOVED, locale=locale)


def lost_runs(stats: JourneyStats, *, locale: str = "") -> list[Html]:
    """Why runs ended by an error, the most frequent first; and where."""
    runs = stats.small_groups(0).drops().filter(pl.col("grain") == "run")
    by_reason, by_point = (
        small.hidden(runs.group_by(*by, maintain_order=True).agg(pl.col("count").sum()), stats.least)
        for by in (("class", "reason"), ("title", "class"))
    )
    by_reason = by_reason.sort("count", "reason", descending=[True, False])
    return [table(by_reason, locale=locale), table(by_point, locale=locale)]


# A/B/n tests.


def judged(
    stats: JourneyStats, goal: str = "", point: str = "", **how: Any
) -> list[tuple[Point, Experiment]]:
    """The split of that id, or every A/B/n split of the shown version, judged by a goal: the first by default."""
    journey = stats.journey
    if not journey.goals:
        return []
    aim = journey.goal(goal) if goal else journey.goals[0]
    meant = [journey.points()[point]] if point else [
        split for split in journey.version(stats.scope.version).points if split.type == "split_abn"
    ]  # fmt: skip
    return [(split, stats.experiment(split.point_id, aim.goal_id, **how)) for split in meant]


def experiments(
    stats: JourneyStats, goal: str = "", point: str = "", *, locale: str = "", **how: Any
) -> list[Any]:
    """Of each of the :func:`judged` the verdict, the chart and the table."""
    found = judged(stats, goal, point, **how)
    if not found:
        return [Html.escaped(word("no_split" if stats.journey.goals else "no_goal", locale))]
    aim = stats.journey.goal(goal) if goal else stats.journey.goals[0]
    parts: list[Any] = []
    for split, one in found:
        title, reached = clean(split.label), clean(aim.label)
        told = concluded(one, locale)
        html = f"<h3>{escape(title)} – {escape(reached)}</h3><p>{escape(' '.join(told))}</p>"
        parts += [
            Html(html, f"{title}: {told[0]}"),
            chart_html(charts.variants(one.table, locale=locale), locale=locale),
            table(one.table.drop("lift"), locale=locale),
        ]
    return parts


def variants_table(found: Iterable[tuple[Point, Experiment]]) -> pl.DataFrame:
    """The variants of some tests, a row each."""
    tables = [one.table.select(pl.lit(split.point_id).alias("point_id"), pl.all()) for split, one in found]
    return pl.concat(tables) if tables else pl.DataFrame({"point_id": []}, schema={"point_id": pl.String})


def sample_sizes(found: Iterable[tuple[Point, Experiment]], mde: float, *, locale: str = "") -> Html:
    """What each test has and needs."""
    rows = [
        {
            "title": split.label,
            "smallest": one.table["assigned"].min(),
            "mde": mde or None,
            "sample_needed": one.sample_needed,
            "sample_needed_observed": one.sample_needed_observed,
        }
        for split, one in found
    ]
    numbers = ("smallest", "sample_needed", "sample_needed_observed")
    schema = {
        "title": pl.String,
        "smallest": pl.Int64,
        "mde": pl.Float64,
        **dict.fromkeys(numbers[1:], pl.Int64),
    }
    return table(pl.DataFrame(rows, schema=schema), locale=locale)


# Paths.


def user_runs(stats: JourneyStats, user: str, *, locale: str = "") -> list[Any]:
    """Every run of a user, and the newest on the canvas; of a user who is not here the ids most like it."""
    path = stats.user_path(user)
    if path.is_empty():
        said = word("not_here", locale, user=clean(user))
        if near := stats.nearest(user):
            said += f" {word('nearest', locale)} {', '.join(map(clean, near))}"
        return [Html.escaped(said)]
    titled = path.with_columns(title=_titles(stats, pl.col("point_id")))
    told = ["run_no", "step_no", "title", "arrived_at", "left_at", "branch", "outcome", "goal_id"]
    return [table(titled, columns=told, locale=locale), canvas(stats, path=path, locale=locale)]


def ways(stats: JourneyStats, top: int = 20, *, locale: str = "") -> Html:
    """The most frequent ways, by the titles of their steps."""
    way = _titles(stats, pl.element())
    frame = stats.paths(top=top).with_columns(way=pl.col("path").list.eval(way).list.join(" → "))
    return table(frame, columns=["way", "runs", "users", "share", "converted", "rate"], locale=locale)


def converters(stats: JourneyStats, *, locale: str = "") -> Html:
    """Which steps the runs that reached a goal came to more, or less, often than the others."""
    every = stats.paths(top=None)
    every = every.with_columns(pl.col("converted").clip(0))  # hidden ones count as none
    others = pl.col("runs") - pl.col("converted")
    reached, rest = every.select(pl.col("converted").sum(), others.sum().alias("rest")).row(0)
    steps = (
        every.select("path", "converted", rest=others)
        .explode("path")
        .group_by("path", maintain_order=True)
        .agg(pl.col("converted", "rest").sum())
        .select(
            title=_titles(stats, pl.col("path")),
            converted_rate=pl.col("converted") / (reached or None),
            rest_rate=pl.col("rest") / (rest or None),
        )
        .with_columns(difference=pl.col("converted_rate") - pl.col("rest_rate"))
        .sort(pl.col("difference").abs(), descending=True, nulls_last=True, maintain_order=True)
    )
    return table(steps, locale=locale)


def _titles(stats: JourneyStats, point: pl.Expr) -> pl.Expr:
    return point.replace({key: one.label for key, one in stats.journey.points().items()})


# Several journeys.


def portfolio_heading(several: Sequence[JourneyStats], *, locale: str = "") -> Html:
    """How many journeys there are, and the days that they cover together."""
    title, told = word("report.portfolio", locale), redaction_html(several[0], locale) if several else []
    days = sorted({day for stats in several for day in (*stats.scope.days[:1], *stats.scope.days[-1:])})
    what = word("journeys_count", locale, count=format.number(len(several), locale))
    when = (
        f"{format.day(days[0], locale)} – {format.day(days[-1], locale)}" if days else word("no_days", locale)
    )
    return Html(
        f"<h1>{escape(title)}</h1>{''.join(map(str, told))}<p><strong>{escape(what)} · {escape(when)}</strong></p>",
        f"{title}: {' · '.join([what, when, *map(repr, told)])}",
    )


def campaigns(statistics: pl.DataFrame, *, locale: str = "") -> Html:
    """The campaign statistics as a table."""
    day = pl.col("Created at").str.head(10).str.to_date()
    return table(statistics.with_columns(day), locale=locale)


def movement(several: Iterable[JourneyStats], *, locale: str = "") -> Html:
    """The headline numbers of each journey beside the period before."""
    numbers = ("entrances", "messages_sent", "goals_reached")
    columns = [f"{number}{end}" for number in numbers for end in ("", "_prev", "_change")]
    rows = [
        stats.compare().health().select(pl.lit(stats.journey.label).alias("title"), *columns)
        for stats in several
    ]
    return table(pl.concat(rows) if rows else pl.DataFrame(), locale=locale)


def accounts(several: Iterable[JourneyStats], *, locale: str = "") -> Html:
    """Of each journey what became of its log's rows, and whether it adds up."""
    rows = []
    for stats in several:
        told, checks = stats.report(), stats.reconciliation()
        counts = {name: getattr(told, name) for name in _ROWS}
        rows.append(
            {
                "title": stats.journey.label,
                **counts,
                "checks": checks.height,
                "gaps": (checks["gap"] != 0).sum(),
            }
        )
    return table(pl.DataFrame(rows), locale=locale)


def definitions(
    tables: Iterable[str] = ("health", "audience", "goals", "communications", "messages", "points"),
    *,
    locale: str = "",
) -> Html:
    """What the columns of some tables or exports count, folded up."""
    parts = []
    for name in tables:
        rows = [
            {
                "column": column(title, locale),
                "counts": meaning(told.counts, locale),
                "unit": meaning(told.unit, locale),
                "clock": meaning(told.clock, locale),
            }
            for title in columns_of(name)
            for told in [explain(f"{name}.{title}")]
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
