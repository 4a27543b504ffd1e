"""What is behind one point: its numbers, its losses by reason, who waits, the test, the ways on, the days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from markupsafe import Markup

from journey_nb.journey import Point
from journey_nb.metrics import small
from journey_nb.render.figure import by_title, daily_html, responses_html, spans
from journey_nb.render.panels import Html, cards, table, template
from journey_nb.render.text import clean
from journey_nb.render.tools import control, csv
from journey_nb.style import format, word
from journey_nb.style.locales import asked

if TYPE_CHECKING:
    from journey_nb.metrics.experiments import Experiment
    from journey_nb.stats import JourneyStats

WAITING = 50
"""Runs shown of a waiting list; the others are counted below it."""
PEOPLE = 20
"""Users of a message on a page."""

_STAY = ("seconds_p50", "seconds_p90")
_PLAIN: tuple[str, ...] = ("entered", "completed", "waiting", "exited", "dropped", "goal_here", *_STAY)
_SENT = ("entered", "sent", "delivered", "opened", "open_rate", "clicked", "click_rate")
_AFTER = ("skipped", "goal_after_interaction", "goal_after_interaction_rate", "goal_users", *_STAY)
_MESSAGE: tuple[str, ...] = (*_SENT, "failed", "bounced", *_AFTER)
_ANSWERED = (*_SENT, "replied", "failed", "bounced", *_AFTER)
_IN_APP = ("entered", "shown", "interacted", "dismissed", "failed", *_AFTER)
_BY_CHANNEL = {"in_app": _IN_APP, **dict.fromkeys(("sms", "whatsapp", "line", "kakao"), _ANSWERED)}
_AT_POINTS = ("shown", "interacted", "dismissed", "replied")  # which points() has, and messages() has not
_RARE = ("waiting", "exited", "dropped")  # told of a message where there are any, as on its card


@dataclass(frozen=True)
class People:
    """A page of those whom a message went to.

    Attributes
    ----------
    rows
        Their rows, each with its run_id.
    first
        How many stand before the page.
    count
        How many there are in all.
    """

    rows: pl.DataFrame
    first: int
    count: int


def detail_html(
    stats: JourneyStats,
    point_id: str,
    *,
    people: People | None = None,
    goal: str | None = None,
    asks: bool = True,
    locale: str = "",
) -> Html:
    """The detail window of a point: a dialog's content, with the button that closes it.

    Parameters
    ----------
    stats
        The statistics, with their period, clock and comparison.
    point_id
        Which point, of any version.
    people
        With a page of a message's users: its full statistics, and these.
    goal
        By which tests are judged; by default the journey's first.
    asks
        Whether a kernel is there to ask for the full statistics of a message and for files.

    Raises
    ------
    KeyError
        When no version has the point.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> stats = jn.JourneyStats(journey, simulate(journey, users=50))
    >>> repr(detail_html(stats, "settle"))
    'Wait 2 days'
    """
    point = stats.journey.points(stats.scope.version)[point_id]
    title = clean(point.label)
    sections = (
        _sections(stats, point, goal, asks, locale)
        if people is None
        else _statistics(stats, point, people, goal, locale)
    )
    lists = asks and not stats.least  # of single people
    html = template("detail.html").render(
        title=title,
        caption=word((point.type == "message" and point.channel) or point.type, locale),
        switch=_switch(point, people is not None, locale) if lists and point.type == "message" else None,
        sections=[(heading, Markup(part)) for heading, part in sections],
        exports=Markup().join(
            csv(what, locale, named=title, point=point_id) for what in _exports(point, lists) if asks
        ),
        close=word("close", locale),
        locale=asked(locale),
    )
    return Html(html, title)


def _sections(
    stats: JourneyStats, point: Point, goal: str | None, asks: bool, locale: str
) -> Iterator[tuple[str, Html]]:
    """Each part with its heading; a part that says itself what it is has none."""
    yield "", cards(_numbers(stats, point), of=_of(point), locale=locale)
    if losses := _losses(stats, point, locale):
        yield "", losses
    if point.type == "split_abn":
        yield from _experiment(stats, point, goal, locale)
    if stats.journey.version(stats.scope.version).outgoing(point.point_id):
        ways = stats.branches().filter(pl.col("source") == point.point_id)
        dress = by_title(stats.journey, stats.scope.version)
        yield word("ways", locale), table(ways.drop("source"), of="branches", dress=dress, locale=locale)
    if waiting := _waiting(stats, point, asks, locale):
        yield word("waiting_list", locale), waiting
    if point.type == "message":
        yield word("daily", locale), _daily(stats, point, locale)


def _of(point: Point) -> tuple[str, ...]:
    """The tables that a point's numbers are of."""
    return ("messages", "points") if point.type == "message" else ("points",)


def _exports(point: Point, lists: bool) -> tuple[str, ...]:
    """What of a point can be a file: its numbers; with the lists, who came and whom its messages went to."""
    if not lists:
        return ("point",)
    return ("point", "step-users", *(("point-users",) if point.type == "message" else ()))


def _numbers(stats: JourneyStats, point: Point) -> pl.DataFrame:
    """One row of the numbers that this kind of point has, with what they were before if that is compared."""
    here = pl.col("point_id") == point.point_id
    row = stats.points().filter(here)
    names = _PLAIN
    if point.type == "message":
        names = _BY_CHANNEL.get(_channel(stats, point), _MESSAGE)
        messages = stats.messages().filter(here)
        # Skipped and failed are messages here, as on the card, not visits that passed the point over.
        row = pl.concat([messages, row.select(pl.exclude(messages.columns))], how="horizontal")
        names += tuple(name for name in _RARE if row[name].sum())
    wanted = [f"{name}{suffix}" for name in names for suffix in ("", "_prev", "_change")]
    return row.select(name for name in wanted if name in row.columns)


def _channel(stats: JourneyStats, point: Point) -> str:
    """The channel that most of its messages went by, designed so or not."""
    known = stats.scope.points.filter(pl.col("point_id") == point.point_id)["channel"]
    return known.item() or ""


def _losses(stats: JourneyStats, point: Point, locale: str) -> Html | None:
    """The drop block: a line that expands into the reasons."""
    drops = stats.drops(point.point_id)
    if drops.is_empty():
        return None
    exact = stats.small_groups(0).drops(point.point_id) if stats.least else drops
    lost = dict(exact.group_by("grain").agg(pl.col("count").sum()).iter_rows())
    names = {"message": "drop_list", "run": "error_list"}
    said = " · ".join(
        word(name, locale, count=format.count(small.shown(lost[grain], stats.least), locale))
        for grain, name in names.items()
        if grain in lost
    )
    rows = table(
        drops.drop("point_id", "title").sort("count", descending=True, nulls_last=True),
        of="drops",
        locale=locale,
    )
    html = template("folded.html").render(
        summary=said,
        told=word("lost_here", locale) if "message" in lost else "",
        inner=Markup(rows),
        action="drops",
    )
    return Html(html, said)


def _switch(point: Point, full: bool, locale: str) -> dict[str, str]:
    """To the full statistics of a message, called by its creative if that has a name, and back."""
    if full:
        return {"value": "", "text": word("back", locale)}
    settings = (point.settings.get(name) for name in ("creative", "subject", "headline", "template"))
    creative = next((clean(name) for name in settings if isinstance(name, str)), "")
    return {"value": "1", "text": " · ".join(filter(None, [word("full_statistics", locale), creative]))}


def _statistics(
    stats: JourneyStats, point: Point, people: People, goal: str | None, locale: str
) -> Iterator[tuple[str, Html]]:
    """All that is known of a message: its row, its days, its losses, its variants, its responses, its users."""
    here = pl.col("point_id") == point.point_id
    row = stats.messages(goal=goal).filter(here)
    more = [name for name in _BY_CHANNEL.get(_channel(stats, point), ()) if name in _AT_POINTS]
    row = pl.concat([row, stats.points().filter(here).select(more)], how="horizontal")
    yield "", cards(row.drop("point_id", "title", "channel"), of=_of(point), locale=locale)
    yield word("daily", locale), _daily(stats, point, locale)
    lost = stats.drops(point.point_id).drop("point_id", "title")
    yield word("drops", locale), table(lost, of="drops", locale=locale)
    if stats.journey.goals and not _judged(stats, point, goal).table.is_empty():
        yield from _experiment(stats, point, goal, locale)
    yield word("response_times", locale), responses_html(stats.response_times(point.point_id), locale=locale)
    yield word("recipients", locale), _recipients(people, locale)


def _recipients(people: People, locale: str) -> Html:
    last = people.first + people.rows.height
    numbers = {"first": min(people.first + 1, last), "last": last, "count": people.count}
    html = template("people.html").render(
        table=Markup(_of_people(people.rows, locale=locale)),
        place=word(
            "rows_of", locale, **{name: format.number(number, locale) for name, number in numbers.items()}
        ),
        before=people.first - PEOPLE if people.first else None,
        after=last if last < people.count else None,
        here=people.first,
        words={name: word(f"page_{name}", locale) for name in ("before", "after")},
    )
    return Html(html, word("recipients", locale))


def _of_people(rows: pl.DataFrame, *, asks: bool = True, **options: Any) -> Html:
    """A row per run, with a button that opens it where there is a kernel to ask."""
    shown = [name for name in rows.columns if name != "run_id"]
    return table(rows, columns=shown, dress={"user_id": _person} if asks else None, **options)


def _person(row: Mapping[str, Any]) -> str:
    user = row["user_id"]
    return control("person", user=user, run=row["run_id"], text=clean(user)) if user else format.NOTHING


def _judged(stats: JourneyStats, point: Point, goal: str | None) -> Experiment:
    return stats.experiment(point.point_id, goal or stats.journey.goals[0].goal_id)


def _experiment(
    stats: JourneyStats, point: Point, goal: str | None, locale: str
) -> Iterator[tuple[str, Html]]:
    if not stats.journey.goals:
        yield word("variants", locale), Html.escaped(word("no_goal", locale))
        return
    aim = stats.journey.goal(goal) if goal else stats.journey.goals[0]
    found = _judged(stats, point, aim.goal_id)
    yield (
        f"{word('variants', locale)} – {clean(aim.label)}",
        Html.escaped(" ".join(concluded(found, locale))),
    )
    yield "", table(found.table.drop("lift"), of="variants", locale=locale)


def concluded(found: Experiment, locale: str = "") -> list[str]:
    """What may be concluded from an experiment, and what to know about it, in sentences."""
    verdict = (
        word("verdict.winner", locale, variant=clean(found.verdict.removeprefix("winner ")))
        if found.verdict.startswith("winner ")
        else word(f"verdict.{found.verdict}", locale)
    )
    said = [word("verdict", locale, verdict=verdict)]
    if found.crossed:
        said.append(
            word("crossed_user", locale)
            if found.crossed == 1
            else word("crossed_users", locale, count=format.count(found.crossed, locale))
        )
    if found.ratio_p_value is not None:
        said.append(word("uneven_split", locale, probability=format.percent(found.ratio_p_value, locale)))
    return said


def _waiting(stats: JourneyStats, point: Point, asks: bool, locale: str) -> Html | None:
    """Who waits here, for what and how long, and each of them, the longest first."""
    waiting = stats.waiting().filter(pl.col("point_id") == point.point_id).drop("point_id", "title", "type")
    if waiting.is_empty():
        return None
    ages = spans(stats.waiting_times(point.point_id), locale)
    parts = [table(waiting, of="waiting", locale=locale), table(ages, of="waiting_times", locale=locale)]
    if not stats.least:
        scope = stats.scope
        stays = scope.counts_on_version.open_stays().filter(pl.col("point") == point.point_id)
        cause, since, due = pl.col("cause").cast(pl.String), scope.local("since"), scope.local("due")
        rows = stays.sort("since", "run_id").select("user_id", "run_id", cause, since, due.alias("due_at"))
        parts.append(_of_people(rows, asks=asks, limit=WAITING, locale=locale))
    return Html("".join(map(str, parts)), word("waiting_list", locale))


def _daily(stats: JourneyStats, point: Point, locale: str) -> Html:
    in_app = ("impressions", "interacted", "dismissed")
    metrics = in_app if _channel(stats, point) == "in_app" else ("sent", "opened", "clicked")
    here = pl.col("breakdown").cast(pl.String) == point.point_id
    return daily_html(stats.daily(by="point").filter(here), metrics, least=stats.least, locale=locale)
