"""The dashboard: performance, audience, communications and health, each with its headlines and its details."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl
from markupsafe import Markup

from journey_nb.journey import Goal, near
from journey_nb.metrics import small
from journey_nb.metrics.counts import of_channel
from journey_nb.render import covers, redacted
from journey_nb.render.figure import daily_html
from journey_nb.render.panels import Html, cards, cell, table, template
from journey_nb.render.text import clean
from journey_nb.render.tools import control, csv, pager
from journey_nb.style import column, format, word
from journey_nb.style.said import unopened
from journey_nb.style.words import value as worded

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

PARTS = ("performance", "audience", "communications", "health")
PAGE = 25
"""Rows of a page of users or messages."""

_Section = tuple[str, Markup, Html]
_Row = Mapping[str, Any]

_ANY = ("sent", "delivered", "opened", "clicked")
# What a channel tells of its messages; its rate of engagement says what of.
_STAGES = {
    "email": (*_ANY, "unsubscribed"),
    "sms": ("sent", "delivered", "replied"),
    "whatsapp": (*_ANY, "replied"),
    "line": ("sent", "delivered", "clicked", "replied"),
    "kakao": ("sent", "delivered", "clicked", "replied"),
    "in_app": ("shown", "interacted", "dismissed"),
}
_RATES = {"opened": "open_rate", "clicked": "click_rate"}
_LOST = ("failed", "bounced", "skipped")
_AFTER = (
    "goal_after_interaction",
    "goal_after_interaction_rate",
    "goal_users",
    "goal_direct",
    "goal_indirect",
)
_DAILY = (("entrances", "exits", "completed"), ("sent", "opened"), ("drop_offs",), ("goals",))
_LONGEST = 200  # of an id that a button carries


@dataclass(frozen=True)
class Choice:
    """What is open and chosen on a dashboard.

    Attributes
    ----------
    opened
        The part whose details are shown.
    channel
        The tab of communications; by default the first.
    goal
        By which points are credited and messages judged; None is any.
    search, page
        Which users, or messages, are listed.
    user, run, selected
        The user, which of their runs (None: all), and the message point that are marked.
    """

    opened: str | None = None
    channel: str | None = None
    goal: str | None = None
    search: str = ""
    page: int = 0
    user: str | None = None
    run: str | None = None
    selected: str | None = None

    def then(self, name: str, value: Any) -> Choice:
        """With another choice; another list begins with its first page."""
        begins = name in ("opened", "channel", "search") and value != getattr(self, name)
        changes: dict[str, Any] = {"page": 0, name: value} if begins else {name: value}
        if name == "user" and value != self.user:
            changes["run"] = None
        return replace(self, **changes)

    def left(self, stats: JourneyStats) -> Choice:
        """What of it these statistics have."""
        known = {"opened": PARTS, "channel": channels(stats), "selected": tuple(stats.journey.points())}
        known["goal"] = tuple(goal.goal_id for goal in stats.journey.goals)
        lost: dict[str, Any] = {name: None for name in known if getattr(self, name) not in known[name]}
        return replace(self, **lost)

    def check(self, stats: JourneyStats) -> None:
        """Refuse what the journey does not have, naming the near.

        Raises
        ------
        KeyError
            When there is no such part, channel, goal or point.
        """
        known = {"opened": PARTS, "channel": channels(stats), "selected": tuple(stats.journey.points())}
        for name, there in known.items():
            chosen = getattr(self, name)
            if chosen is not None and chosen not in there:
                raise KeyError(f"no {name} {chosen!r}{near(chosen, there)}; there are {', '.join(there)}")
        if self.goal is not None:
            stats.journey.goal(self.goal)


def channels(stats: JourneyStats) -> tuple[str, ...]:
    """The channels that have a tab."""
    return tuple(stats.communications()["channel"].cast(pl.String))


def dashboard_html(
    stats: JourneyStats,
    chosen: Choice | None = None,
    *,
    heads: Mapping[str, Html] | None = None,
    live: bool = False,
    locale: str = "",
) -> Html:
    """The four parts with their headline numbers; the opened one with its details.

    Parameters
    ----------
    stats
        The statistics, with their period, clock and comparison.
    chosen
        What is open and chosen; by default nothing.
    heads
        The headlines, where they have been made by :func:`heads_html` before.
    live
        With the buttons and forms of the live view.

    Raises
    ------
    KeyError
        When something is chosen that the journey does not have.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> stats = jn.JourneyStats(journey, simulate(journey, users=50))
    >>> repr(dashboard_html(stats)).split(". ")[0]
    'Dashboard of “Welcome series”'
    """
    chosen = chosen or Choice()
    chosen.check(stats)
    made = heads or heads_html(stats, locale)
    parts = [_part(stats, name, made[name], chosen, live, locale) for name in PARTS]
    html = template("dashboard.html").render(
        parts=parts, live=live, title=clean(stats.journey.label), covers=_covers(stats, locale)
    )
    return Html(html, alt(stats, made, locale))


def _covers(stats: JourneyStats, locale: str) -> str:
    """What the numbers cover, and what is not told."""
    return " · ".join(filter(None, [covers(stats, locale), redacted(stats, locale)]))


def alt(stats: JourneyStats, heads: Mapping[str, Html], locale: str = "") -> str:
    """The headline numbers in sentences."""
    said = [word("dashboard", locale, title=clean(stats.journey.label)), _covers(stats, locale)]
    said += [f"{word(f'part.{name}', locale)}: {head.text}" for name, head in heads.items()]
    return " ".join(one if one.endswith(".") else f"{one}." for one in said)


def heads_html(stats: JourneyStats, locale: str = "") -> dict[str, Html]:
    """The headline numbers of each part."""
    health, audience = stats.health(), stats.audience()
    of_messages = ("messages_sent", "messages_opened", "open_rate")
    rows = {
        "audience": (audience, "audience", ("in_journey", "entrances", "unique_entrants")),
        "communications": (health, "health", of_messages),
        "health": (health, "health", ("entrances", "drop_offs", "internal_errors", "send_errors")),
    }
    notes = {"communications": unopened(stats, locale)}
    heads = {
        name: cards(_compared(frame, columns), of=of, note=notes.get(name, ""), locale=locale)
        for name, (frame, of, columns) in rows.items()
    }
    return {"performance": _goals_reached(stats, health, locale), **heads}


def _goals_reached(stats: JourneyStats, health: pl.DataFrame, locale: str) -> Html:
    """The goals that were reached, and the conversion to the journey's first, by which it is judged."""
    numbers, named = _compared(health, ("goals_reached",)), {}
    if goals := stats.journey.goals:
        first = stats.goals().filter(pl.col("goal_id") == goals[0].goal_id).head(1)
        numbers = numbers.hstack(_compared(first, ("conversion_rate",)))
        named["conversion_rate"] = word("conversion_to", locale, goal=clean(goals[0].label))
    return cards(numbers, of="health", named=named, locale=locale)


def _compared(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Some columns, each with what it was before if that is compared."""
    names = [f"{name}{suffix}" for name in columns for suffix in ("", "_prev", "_change")]
    return frame.select(name for name in names if name in frame.columns)


def _part(
    stats: JourneyStats, name: str, head: Html, chosen: Choice, live: bool, locale: str
) -> dict[str, Any]:
    title = word(f"part.{name}", locale)
    part = {"name": name, "title": title, "cards": head, "sections": [], "tabs": "", "tab": "", "key": name}
    part["told"] = word("details_of", locale, part=title)
    if name != chosen.opened:
        return part
    if name == "communications" and (names := channels(stats)):
        chosen = replace(chosen, channel=chosen.channel or names[0])
        tabs = [(channel, worded(channel, locale)) for channel in names]
        if live:
            part["tab"] = chosen.channel
            part["tabs"] = control("tabs", label=title, names=tabs, chosen=chosen.channel)
    part["sections"] = [
        (heading, tools, Markup(section))
        for heading, tools, section in _DETAILS[name](stats, chosen, live, locale)
    ]
    return part


def _performance(stats: JourneyStats, chosen: Choice, live: bool, locale: str) -> Iterator[_Section]:
    """The goals with what they ask for, and the points that are credited."""
    goals = stats.journey.goals
    if not goals:
        yield word("goals", locale), Markup(), Html.escaped(word("no_goal", locale))
        return
    yield word("goals", locale), csv("goal", locale), goals_html(stats, locale)
    titles = {point.point_id: point.label for point in stats.journey.points().values()}
    unattributed = word("unattributed", locale)
    dress = {"point": lambda row: clean(titles.get(row["point"], unattributed))}
    credit = stats.credit(chosen.goal).rename({"point_id": "point"})
    shown = table(credit, of="credit", dress=dress, locale=locale)
    tools = _goals(stats, chosen, locale)
    if chosen.goal and len(goals) > 1:  # else it is the file of the goals above
        named = stats.journey.goal(chosen.goal).label
        tools += csv("goal", locale, named=named, goal=chosen.goal)
    yield word("credited", locale), tools, shown


def goals_html(stats: JourneyStats, locale: str = "") -> Html:
    """Every goal, those nobody reached included: what it asks for, within which days, and who reached it."""
    columns = ("title", "event", "conditions", "conversion_days", "ends_journey", "users", "runs", "events",
               "conversion_rate", "user_rate", "run_rate", "value")  # fmt: skip
    asked = _asked(stats.journey.goals)
    frame = stats.goals().join(asked, on="goal_id", how="left", maintain_order="left")
    dress = {
        "title": lambda row: clean(row["title"] or row["goal_id"]),
        "conversion_days": lambda row: word("n_days", locale, count=row["conversion_days"]),
    }
    return table(frame, columns=columns, of="goals", dress=dress, locale=locale)


def _asked(goals: Sequence[Goal]) -> pl.DataFrame:
    """What each goal asks for, as text."""
    rows = [
        {
            "goal_id": goal.goal_id,
            "event": clean(goal.event) or None,
            "conditions": clean(", ".join(" ".join(map(str, one.values())) for one in goal.conditions))
            or None,
            "conversion_days": goal.conversion_days,
            "ends_journey": goal.ends_journey,
        }
        for goal in goals
    ]
    texts = dict.fromkeys(("goal_id", "event", "conditions"), pl.String)
    return pl.DataFrame(rows, schema={**texts, "conversion_days": pl.Int64, "ends_journey": pl.Boolean})


def _audience(stats: JourneyStats, chosen: Choice, live: bool, locale: str) -> Iterator[_Section]:
    yield word("part.audience", locale), Markup(), cards(stats.audience(), of="audience", locale=locale)
    if stats.least:  # a list of single people
        return
    page, search = chosen.page, chosen.search.strip()
    found = stats.users(
        search=search or None, limit=PAGE + 1, offset=page * PAGE
    )  # one more: is there a next
    tools = control(
        "search", label=word("search_users", locale), text=clean(search), button=word("search", locale)
    )
    tools += pager(page, found.height, PAGE, locale) + csv("users", locale)
    yield word("user_list", locale), tools, users_html(found.head(PAGE), chosen, live=live, locale=locale)


def users_html(found: pl.DataFrame, chosen: Choice, *, live: bool = True, locale: str = "") -> Html:
    """Rows of ``stats.users()``; in a live view each with a button that picks its user."""
    if found.is_empty() and chosen.search:
        return Html.escaped(word("nobody", locale, text=clean(chosen.search)))
    times = ("entered_at", "updated_at", "left_at")
    columns = ("user_id", "status", "last_step", *times, "reason", "run_no", "device_id")
    dress: dict[str, Callable[[_Row], str]] = {"last_step": lambda row: _last_step(row, locale)}
    if live:
        dress["user_id"] = lambda row: _link(
            "user", row["user_id"], row["user_id"], _is_run(row, chosen) and row["user_id"], row["run_id"]
        )
    return table(found, columns=columns, of="users", dress=dress, locale=locale)


def _is_run(row: _Row, chosen: Choice) -> bool:
    return row["user_id"] == chosen.user and chosen.run in (None, row["run_id"])


def _last_step(row: _Row, locale: str) -> str:
    """The step in words; a cancel event's is made of words in the table itself."""
    step = row["last_step"]
    if row["reason"] == "cancel_event" and step is not None:
        event = step.partition(":")[2].strip()
        return word("exited_by_cancel", locale, event=clean(event)) if event else word("cancel_event", locale)
    return cell("last_step", step, row, locale)


def _communications(stats: JourneyStats, chosen: Choice, live: bool, locale: str) -> Iterator[_Section]:
    """One channel: its numbers, its days, its messages, what was lost and why."""
    channel = chosen.channel
    if channel is None:
        yield word("messages", locale), Markup(), Html.escaped(word("no_channels", locale))
        return
    here = pl.col("channel").cast(pl.String) == channel
    stages = _STAGES.get(channel, _ANY)
    row = _as_shown(stats.communications().filter(here), channel)
    numbers = [*(stage for stage in stages if stage in row.columns), "engagement_rate", *_LOST, "goal_users"]
    title = worded(channel, locale)
    yield (
        title,
        csv("channel", locale, channel=channel),
        cards(_compared(row, numbers), of="communications", locale=locale),
    )
    days = stats.daily(by="channel").filter(pl.col("breakdown").cast(pl.String) == channel)
    metrics = [{"shown": "impressions"}.get(stage, stage) for stage in stages]
    yield word("over_time", locale), Markup(), daily_html(days, metrics, least=stats.least, locale=locale)
    yield _messages(stats, chosen, channel, stages, live, locale)
    here_now = pl.col("count") != 0  # not in the period before alone
    issues = (
        stats.delivery_issues(channel).filter(here_now).sort("count", descending=True, maintain_order=True)
    )
    lost = table(issues, columns=("outcome", "reason", "count", "rate"), of="delivery_issues", locale=locale)
    yield word("delivery_issues", locale), Markup(), lost


def _as_shown(frame: pl.DataFrame, channel: str) -> pl.DataFrame:
    """The sent of in-app messages are those that were shown."""
    names = {f"sent{suffix}": f"shown{suffix}" for suffix in ("", "_prev", "_change")}
    return frame.rename(names, strict=False) if channel == "in_app" else frame


def _messages(
    stats: JourneyStats, chosen: Choice, channel: str, stages: Sequence[str], live: bool, locale: str
) -> _Section:
    """The channel's messages, judged by the chosen goal, a page of them, each with its menu."""
    frame = stats.messages(channel, chosen.goal)
    if more := [stage for stage in stages if stage not in frame.columns]:
        counted = of_channel(stats.scope.counts_on_version.messages(), channel)
        counted = counted.group_by(point_id=pl.col("point").cast(pl.String)).agg(pl.col(more).sum())
        counted = small.hidden(counted, stats.least)
        frame = frame.join(counted, on="point_id", how="left", maintain_order="left")
        frame = frame.with_columns(pl.col(more).fill_null(0))
    page = frame.slice(chosen.page * PAGE, PAGE + 1)
    measures = [name for stage in stages for name in (stage, _RATES.get(stage)) if name]
    columns = ["title", *measures, *_LOST, *_AFTER]
    dress: dict[str, Callable[[_Row], str]] = {"title": lambda row: clean(row["title"] or row["point_id"])}
    if live:
        columns.insert(1, "action")
        title = dress["title"]
        dress = {
            "title": lambda row: _link("point", row["point_id"], title(row), chosen.selected),
            "action": lambda row: _row_menu(stats, row["point_id"], title(row), chosen.goal, locale),
        }
    rows = page.head(PAGE).with_columns(action=pl.lit(None, pl.String))
    shown = table(rows, columns=columns, of="messages", dress=dress, locale=locale)
    tools = _goals(stats, chosen, locale)
    if frame.height > PAGE:
        tools += pager(chosen.page, page.height, PAGE, locale)
    return word("messages", locale), tools, shown


def _health(stats: JourneyStats, _: Choice, live: bool, locale: str) -> Iterator[_Section]:
    yield (
        word("part.health", locale),
        csv("campaign", locale),
        cards(stats.health(), of="health", locale=locale),
    )
    days = stats.daily()
    for metrics in _DAILY:
        heading = ", ".join(column(name, locale) for name in metrics)
        yield heading, Markup(), daily_html(days, metrics, least=stats.least, locale=locale)


_DETAILS = {
    "performance": _performance,
    "audience": _audience,
    "communications": _communications,
    "health": _health,
}


# Controls, which the static copy does not have.


def _link(action: str, value: str, text: str, chosen: str | bool | None, run: str = "") -> str:
    if not value or len(value) > _LONGEST:
        return clean(text) or format.NOTHING
    return control("link", action=action, value=value, text=clean(text), pressed=value == chosen, run=run)


def _row_menu(stats: JourneyStats, point: str, title: str, goal: str | None, locale: str) -> Markup:
    buttons = csv("point", locale, named=title, point=point)
    if not stats.least:  # a list of single people
        buttons += csv("point-users", locale, named=title, point=point, goal=goal)
    return control("row_menu", told=word("row_menu", locale, title=clean(title)), buttons=buttons)


def _goals(stats: JourneyStats, chosen: Choice, locale: str) -> Markup:
    options = [("", word("any_goal", locale))]
    options += [(goal.goal_id, clean(goal.label)) for goal in stats.journey.goals]
    menu: Any = template("menu.html").module
    return Markup(menu.menu("goal", word("goal", locale), options, chosen.goal or ""))
