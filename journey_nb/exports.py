"""Files of the tables: CSV, Parquet and XLSX, written whole or not at all (METRICS.md, section 8)."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs

from journey_nb.files import whole
from journey_nb.journey import Goal, near
from journey_nb.metrics import RATES, small
from journey_nb.metrics.audience import everybody
from journey_nb.metrics.definitions import explain, schema
from journey_nb.metrics.goals import credit
from journey_nb.metrics.points import point_by_day
from journey_nb.metrics.table import rate
from journey_nb.reading import arrow_frame

if TYPE_CHECKING:
    from journey_nb.metrics.scope import Scope
    from journey_nb.stats import JourneyStats

_TEXT, _COUNT, _RATE = pl.String(), pl.Int64(), pl.Float64()

_STATISTICS = list(schema("campaign_statistics").items())
CAMPAIGN = dict(_STATISTICS[:26])
"""The columns of the campaign statistics."""
EXTENDED = dict(_STATISTICS[26:36])
"""What ``extended=True`` adds, before the revenue."""
GOAL, POINT = schema("goal_statistics"), schema("point_statistics")
"""The columns of the goals' and points' files."""

STATUS_LABELS = {
    "draft": "Draft",
    "running": "Active",
    "paused": "Paused",
    "finished": "Finished",
    "archived": "Archived",
}
TYPE_LABELS = {"audience": "AudienceBased", "trigger": "TriggerBased", "api": "ApiBased", "mixed": "Mixed"}


def campaign_statistics(
    stats: JourneyStats | Iterable[JourneyStats], *, percent: bool = False, extended: bool = False
) -> pl.DataFrame:
    """The campaign statistics: a row per journey, 26 columns, over each one's own period.

    Parameters
    ----------
    stats
        One journey's stats, or several.
    percent
        Rates as per cent with one decimal (12.3) instead of fractions with six (0.123456).
    extended
        Add LINE, Kakao, web push and webhook, and the revenue: a column for each currency that goals
        carried, so that currencies are never added (``Revenue`` alone is of values without one).
    """
    from journey_nb.stats import JourneyStats, wanted

    several = [stats] if isinstance(stats, JourneyStats) else list(map(wanted, stats))
    rows, schema = [_campaign_row(one) for one in several], dict(CAMPAIGN)
    if extended:
        money = [_revenue(one.scope, one.least) for one in several]
        rows = [row | more for row, more in zip(rows, money, strict=True)]
        schema |= EXTENDED | dict.fromkeys(
            sorted({name for row in money for name in row}) or ["Revenue"], _RATE
        )
    table = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
    return _rounded(table, percent, cs.ends_with("CTR"))


def goal_statistics(stats: JourneyStats, goal: str | None = None, *, percent: bool = False) -> pl.DataFrame:
    """The goals, or one of them: each in all, then day by day, then by the points that are credited.

    A row with neither ``date`` nor ``point`` is the goal's; days and points each sum to it. Users who are
    credited to no point stand at the point ``unattributed``.
    """
    journey, stats = stats.journey, stats.compare(None)
    asked = journey.goals if goal is None else [journey.goal(goal)]
    whole, entered, reached = stats.goals(), stats.daily(), stats.daily("goal")
    entered = entered.filter(pl.col("metric") == "entrances").select("date", entrances="count")
    reached = reached.join(entered, on="date", maintain_order="left").rename({"count": "users"})
    parts = [pl.DataFrame(schema=GOAL)]
    for one in asked:
        credited = credit(stats.scope, one.goal_id).cast({"users": _COUNT})
        totals = small.hidden(credited.select(pl.col("direct", "indirect").sum()), stats.least)
        of_points = small.hidden(credited, stats.least)
        row = whole.filter(pl.col("goal_id") == one.goal_id).head(1).select("entrances", "users")
        rows = [
            pl.concat([row, totals], how="horizontal"),
            reached.filter(pl.col("breakdown") == one.goal_id).select("date", "entrances", "users"),
            of_points.select(
                pl.col("point_id").fill_null("unattributed").alias("point"), pl.exclude("point_id")
            ),
        ]
        parts.append(pl.concat(rows, how="diagonal").select(**_goal_columns(one)))
    return _rounded(pl.concat(parts), percent, cs.float())


def _goal_columns(goal: Goal) -> dict[str, pl.Expr]:
    conditions = json.dumps(goal.conditions, ensure_ascii=False) if goal.conditions else None
    told = {
        "goal": goal.goal_id,
        "event": goal.event or None,
        "conditions": conditions,
        "conversion days": goal.conversion_days,
    }
    words = {name: pl.lit(value, GOAL[name]) for name, value in told.items()}
    numbers = {name: pl.col(name) for name in GOAL if name not in (*told, "rate")}
    columns = words | numbers | {"rate": rate("users", "entrances")}
    return {name: columns[name].alias(name) for name in GOAL}


def channel_statistics(
    stats: JourneyStats, channel: str | None = None, goal: str | None = None, *, percent: bool = False
) -> pl.DataFrame:
    """The message points of a channel (None: of all), with the users who reached a goal (None: any)."""
    return _rounded(stats.compare(None).messages(channel, goal), percent, cs.float())


def point_statistics(stats: JourneyStats, point_id: str, *, percent: bool = False) -> pl.DataFrame:
    """What is known of a point, a number a row: in all, then day by day, then by reason.

    In all: its row of points(), and at a message point what messages() adds, rates with what they are
    divided from. Day by day: what points() counts in the period, so that the days sum to it. By reason: why
    runs left there without completing, and why messages failed, bounced or were skipped. A metric is told
    apart by its unit too: visits and messages are both ``skipped``.
    """
    scope, k, known = _scope_of(stats, point_id), stats.least, pl.col("point_id") == point_id
    tables = {name: getattr(stats.compare(None), name)() for name in ("points", "messages")}
    rows = [row for name, table in tables.items() for row in _numbers(name, table.filter(known))]
    whole = pl.DataFrame(rows, schema=POINT).unique(["metric", "unit"], keep="first", maintain_order=True)
    is_rate = pl.col("denominator").is_not_null()
    whole = whole.with_columns(
        value=pl.when(is_rate).then(_as_rate(pl.col("value"), percent)).otherwise("value"),
        unit=pl.when(is_rate).then(pl.lit("per cent" if percent else "share")).otherwise("unit"),
    )
    days = small.hidden(point_by_day(scope, point_id), k).rename({"count": "value"})
    units = {name: explain(f"points.{name}").unit for name in days["metric"].unique()}
    days = days.with_columns(unit=pl.col("metric").replace_strict(units, return_dtype=_TEXT))
    parts = [whole, days, small.hidden(_reasons(scope, point_id), k)]
    return pl.concat([part.cast({"value": _RATE}) for part in parts], how="diagonal").select(POINT.keys())


def _numbers(table: str, frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The numbers of a table's row, a row each; counts that are null do not apply."""
    rates, counts = RATES.get(table, {}), cs.expand_selector(frame, cs.integer())
    for row in frame.select(cs.numeric()).iter_rows(named=True):
        for name, value in row.items():
            if value is None and name in counts:
                continue
            part, over = (row[of] for of in rates[name]) if name in rates else (None, None)
            unit = explain(f"{table}.{name}").unit
            yield {"metric": name, "value": value, "numerator": part, "denominator": over, "unit": unit}


def _reasons(scope: Scope, point_id: str) -> pl.DataFrame:
    """Why runs left at a point, and why its messages were lost: metric, unit, reason, value."""
    counts, here = scope.counts_on_version, pl.col("point") == point_id
    left = (
        counts.exits()
        .filter(here, pl.col("status") != "completed")
        .rename({"status": "metric", "runs": "value"})
    )
    lost = counts.issues().filter(here).rename({"outcome": "metric", "count": "value"})
    parts = [
        frame.group_by(pl.col("metric").cast(_TEXT), pl.col("reason").cast(_TEXT))
        .agg(pl.col("value").sum())
        .with_columns(unit=pl.lit(unit))
        .sort("metric", "reason", nulls_last=True)
        for frame, unit in ((left, "runs"), (lost, "messages"))
    ]
    return pl.concat(parts)


def step_users(stats: JourneyStats, point_id: str) -> pl.DataFrame:
    """Who came to a point in the period: a row per visit, in order of arrival."""
    return _step_users(stats, point_id).collect()


def _step_users(stats: JourneyStats, point_id: str) -> pl.LazyFrame:
    small.refuse("the list of a step's users", stats.least)
    scope = _scope_of(stats, point_id, listed=True)
    visits = scope.on_version(scope.visits_at(point_id)).filter(pl.col("arrives") | pl.col("was_open"))
    kept = ("run", "point", "arrived_at", "left_at", "outcome", "branch", "skip_at", "skip_reason", "order")
    return _with_runs(scope, visits.select(kept), "arrived_at", "run_id", "order").select(
        journey=pl.lit(stats.journey.label),
        point=pl.col("point").cast(_TEXT),
        user_id="user_id",
        device_id="device_id",
        run_id="run_id",
        entered_at=scope.local("arrived_at"),
        left_at=scope.local("left_at"),
        outcome=pl.col("outcome").cast(_TEXT),
        branch="branch",
        reason=pl.coalesce(
            pl.when(pl.col("skip_at").is_not_null()).then(pl.col("skip_reason").cast(_TEXT)),
            pl.when(pl.col("outcome") != "completed").then(pl.col("left_for").cast(_TEXT)),
        ),
    )


def point_users(stats: JourneyStats, point_id: str, goal: str | None = None) -> pl.DataFrame:
    """Whom a point's messages went to: a row per message of the period, in its order.

    ``outcome`` is sent, bounced, failed or skipped, with its reason; ``goal_at`` when a goal (``goal``, or any)
    that is credited to the message was first reached.

    Raises
    ------
    ValueError
        When the point sends no messages.
    """
    return _point_users(stats, point_id, goal).collect()


def _point_users(stats: JourneyStats, point_id: str, goal: str | None = None) -> pl.LazyFrame:
    sent = MessageRuns(stats, point_id, goal)
    return sent.told(sent.rows).drop("run_id")


@dataclass(frozen=True)
class MessageRuns:
    """The messages of a point in their order, each with the run it was sent in; their words come with a page of them.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> stats = jn.JourneyStats(journey, simulate(journey, users=50, seed=1))
    >>> sent = MessageRuns(stats, "hello_push")
    >>> sent.page(10, 20).drop("run_id").equals(point_users(stats, "hello_push").slice(10, 20))
    True
    """

    stats: JourneyStats
    point_id: str
    goal: str | None = None

    def page(self, first: int = 0, count: int | None = None) -> pl.DataFrame:
        """So many from the first on, or all of them: as :func:`point_users` has them, and run_id."""
        return self.told(self.rows.slice(first, count)).collect()

    @cached_property
    def rows(self) -> pl.DataFrame:
        """All of them, without words: run, message, message_id, at, times, outcome, reason."""
        small.refuse("the list of a message's users", self.stats.least)
        scope, point_id = self._scope, self.point_id
        if not scope.points.filter(pl.col("point_id") == point_id)["is_message"].item():
            raise ValueError(f"{point_id!r} sends no messages; the users of any point are its step users")
        sent, bounced = pl.col("fate") == "sent", pl.col("bounced")
        rows = scope.on_version(scope.messages_at(point_id)).select(
            *("run", "message", "message_id", "at"),
            **{
                f"{outcome}_at": pl.when(sent).then(scope.time_of(outcome))
                for outcome in ("sent", "delivered", "opened", "clicked")
            },
            outcome=pl.when(bounced).then(pl.lit("bounced")).otherwise(pl.col("fate").cast(_TEXT)),
            reason=pl.when(bounced)
            .then("bounce_reason")
            .when(pl.col("fate") == "failed")
            .then("fail_reason")
            .when(pl.col("fate") == "skipped")
            .then("skip_reason"),
        )
        return rows.sort("at", "message_id")

    @cached_property
    def _scope(self) -> Scope:
        return _scope_of(self.stats, self.point_id, listed=True)

    @cached_property
    def _reached(self) -> pl.DataFrame:
        """When the first goal was reached that is credited to a message."""
        reached = self._scope.seen_goals.filter(pl.col("credit_message").is_not_null())
        if self.goal is not None:
            reached = reached.filter(pl.col("goal") == self.stats.journey.goal(self.goal).goal_id)
        return reached.group_by(message="credit_message").agg(goal_at=pl.col("at").min())

    def told(self, rows: pl.DataFrame) -> pl.LazyFrame:
        """Some of the rows with their words."""
        scope = self._scope
        listed = _worded(scope, rows).join(
            self._reached.lazy(), on="message", how="left", maintain_order="left"
        )
        times = ("sent_at", "delivered_at", "opened_at", "clicked_at", "goal_at")
        return listed.select(
            *("user_id", "device_id", "run_id"),
            *(scope.local(name) for name in times),
            *("outcome", pl.col("reason").cast(_TEXT)),
        )


def _user_list(stats: JourneyStats) -> pl.LazyFrame:
    small.refuse("the user list", stats.least)
    return everybody(stats.listed)


EXPORTS: dict[str, Callable[..., pl.DataFrame | pl.LazyFrame]] = {
    "campaign": campaign_statistics,
    "step-users": _step_users,
    "goal": goal_statistics,
    "channel": channel_statistics,
    "point": point_statistics,
    "point-users": _point_users,
    "users": _user_list,
}
"""What section 8 of METRICS.md lists, by name; the long lists are not held in memory before they are written."""


def _scope_of(stats: JourneyStats, point_id: str, *, listed: bool = False) -> Scope:
    """What the numbers of a point look at, or what a list of its people does."""
    stats.journey.point(point_id)  # names the near miss
    return stats.listed if listed else stats.scope


def _with_runs(scope: Scope, rows: pl.DataFrame, *order: str) -> pl.LazyFrame:
    """Narrow rows in their order, to which the words of their runs come as they are written."""
    run_id = scope.facts.runs["run_id"].gather(rows["run"])
    return _worded(scope, rows.with_columns(run_id).sort(order).drop("run_id"))


def _worded(scope: Scope, rows: pl.DataFrame) -> pl.LazyFrame:
    """Rows in their order, to which the words of their runs come: run_id, user_id, device_id, left_for."""
    runs = scope.facts.runs.lazy().select("run", "run_id", "user_id", "device_id", left_for="reason")
    return rows.lazy().join(runs, on="run", how="left", maintain_order="left")


def _rounded(table: pl.DataFrame, percent: bool, rates: cs.Selector) -> pl.DataFrame:
    return table.with_columns(_as_rate(rates, percent), (cs.float() - rates).round(6))


def _as_rate(rates: pl.Expr, percent: bool) -> pl.Expr:
    return (rates * 100).round(1) if percent else rates.round(6)


def _campaign_row(stats: JourneyStats) -> dict[str, Any]:
    journey, scope = stats.journey, stats.scope
    runs = scope.runs
    sent = scope.messages.filter(pl.col("fate") == "sent")
    by_channel = {str(key[0]): rows for key, rows in sent.group_by("channel")}
    empty = sent.clear()

    def of(channel: str) -> pl.DataFrame:
        return by_channel.get(channel, empty)

    def shown(count: int) -> int:
        return small.shown(count, stats.least)

    def share(part: int, whole: int) -> float | None:
        return small.ratio(shown(part), shown(whole))

    dropped = runs.filter(
        "leaves",
        (pl.col("status") == "dropped") | ((pl.col("status") == "exited") & (pl.col("reason") != "goal")),
    )
    clicks = {channel: _clicked(scope, channel, rows) for channel, rows in by_channel.items()}
    counted = {channel: count for channel, count in clicks.items() if count is not None}
    email, in_app = of("email"), of("in_app")
    interacted = in_app.filter(pl.col("interacted_at").is_not_null())["user"].unique()
    dismissed = in_app.filter(pl.col("dismissed_at").is_not_null())["user"].unique()
    row = {
        "Title": journey.label,
        "Status": STATUS_LABELS[journey.status],
        "Created at": journey.created_at.isoformat() if journey.created_at else None,
        "Category": journey.category,
        "Type": TYPE_LABELS[journey.entry_type],
        "UUID": journey.journey_id,
        "Total reach": runs.filter(scope.within("entered_at")).height,
        "Unique users": sent["user"].n_unique(),
        "Users inside": runs.filter("is_inside")["user"].n_unique(),
        "Drop-off": dropped["user"].n_unique(),
        "Total sends": sent.height,
        "Average CTR": share(sum(counted.values()), sum(by_channel[channel].height for channel in counted)),
        "Goals": scope.goals["user"].n_unique(),
        "Push sends": of("push").height,
        "Push CTR": share(clicks.get("push") or 0, of("push").height),
        "Email sends": email.height,
        "Email CTR": share(clicks.get("email") or 0, email.height),
        "Email clicks": _events(scope, email.filter("clicked"), "message.clicked"),
        "Email unsubscribes": email.filter(pl.col("unsubscribed_at").is_not_null())["user"].n_unique(),
        "SMS sends": of("sms").height,
        "SMS delivered": of("sms")["delivered"].sum(),
        "WhatsApp sends": of("whatsapp").height,
        "WhatsApp opens": of("whatsapp")["opened"].sum(),
        "In-App shows": _events(scope, in_app, "message.impression"),
        "In-App interactions": interacted.len(),
        "In-App skips": dismissed.filter(~dismissed.is_in(interacted.implode())).len(),
        "LINE sends": of("line").height,
        "LINE delivered": of("line")["delivered"].sum(),
        "LINE CTR": share(clicks.get("line") or 0, of("line").height),
        "Kakao sends": of("kakao").height,
        "Kakao delivered": of("kakao")["delivered"].sum(),
        "Kakao CTR": share(clicks.get("kakao") or 0, of("kakao").height),
        "Web push sends": of("web_push").height,
        "Web push CTR": share(clicks.get("web_push") or 0, of("web_push").height),
        "Webhook sends": of("webhook").height,
        "Webhook failures": scope.messages.filter(channel="webhook", fate="failed").height,
    }
    return {name: shown(value) if isinstance(value, int) else value for name, value in row.items()}


def _clicked(scope: Scope, channel: str, sent: pl.DataFrame) -> int | None:
    """Sent messages that were clicked; None on a channel whose source reports no clicks at all, as far as is seen.

    A push of a source that reports only opens counts those.
    """
    reported = scope.facts.messages.filter(pl.col("channel") == channel)
    for outcome in ("clicked", "opened") if channel == "push" else ("clicked",):
        if (reported[scope.time_of(outcome)] < scope.horizon).any():
            return int(sent[outcome].sum())
    return None


def _events(scope: Scope, messages: pl.DataFrame, kind: str) -> int:
    """How often something happened to some messages, as far as is seen; once where it is inferred.

    What machines did counts where their opens and clicks do.
    """
    counts = pl.lit(True) if scope.machine else ~pl.col("machine").fill_null(False)
    seen = scope.facts.events.filter(pl.col("kind") == kind, pl.col("at") < scope.horizon, counts)
    times = (
        messages.select("message")
        .join(seen, on="message", how="left")
        .group_by("message")
        .agg(n=pl.col("at").count())
    )
    return int(times["n"].clip(lower_bound=1).sum())


def _revenue(scope: Scope, k: int) -> dict[str, float]:
    """What goals carried, by the title of the currency's column; roughly, and not of fewer than k users."""
    currency = pl.concat_str(pl.lit("Revenue"), "currency", separator=" ", ignore_nulls=True)
    if not k:
        values = scope.counts.values().group_by(currency.str.strip_chars()).agg(pl.col("value").sum())
        return dict(values.select(pl.first(), "value").iter_rows())
    paid = scope.goals.filter(pl.col("value").is_not_null()).group_by(currency.str.strip_chars())
    users = pl.col("user").n_unique().cast(pl.Int64)
    known = small.hidden(paid.agg(pl.col("value").sum(), users=users), k)
    return dict(known.select(pl.first(), "value").iter_rows())


# ---------------------------------------------------------------------------------------------------


def write_table(table: Any, path: str | Path, *, bom: bool = False, spreadsheet_safe: bool = True) -> Path:
    """Write a table as CSV, Parquet or XLSX, by the ending of its name; whole or not at all.

    Parameters
    ----------
    table
        What to write, of polars or another that speaks Arrow. A lazy one goes to CSV and Parquet in slices, and is never in memory as a whole.
    bom
        Begin a CSV with a byte order mark, by which Excel knows UTF-8.
    spreadsheet_safe
        In CSV and XLSX give text and headings that a spreadsheet would run (they begin with = + - @,
        a tab or a carriage return) a leading apostrophe. False keeps ids joinable.

    Warns
    -----
    UserWarning
        When a text is longer than a cell of XLSX holds; it ends in an ellipsis there.

    Raises
    ------
    ValueError
        When the name has another ending, or a sheet of XLSX does not hold so many rows.

    Examples
    --------
    >>> import tempfile
    >>> table = pl.DataFrame({"title": ["=1+1", "Welcome"], "sent": [3, 4]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(write_table(table, f"{folder}/t.csv").read_text())
    title,sent
    '=1+1,3
    Welcome,4
    <BLANKLINE>
    """
    path, lazy = check_ending(path), arrow_frame(table)
    writers: dict[str, Callable[[Path], Any]] = {
        ".csv": lambda part: _spreadsheet(lazy, spreadsheet_safe).sink_csv(part, include_bom=bom),
        ".parquet": lambda part: lazy.sink_parquet(part),
        ".xlsx": lambda part: _write_xlsx(_spreadsheet(lazy, spreadsheet_safe).collect(), part),
    }
    with whole(path) as part:
        writers[path.suffix.lower()](part)
    return path


def check_ending(path: str | Path) -> Path:
    """The path, if its name says what a table is written as.

    Raises
    ------
    ValueError
        When it ends otherwise; the message names the endings.
    """
    path, endings = Path(path), (".csv", ".parquet", ".xlsx")
    if path.suffix.lower() not in endings:
        raise ValueError(
            f"{path.name}: unknown ending{near(path.suffix, endings)}; use one of {', '.join(endings)}"
        )
    return path


_RUNS = r"^[=+\-@\t\r]"
_LONGEST, _MOST = 32_767, 1_048_575  # characters in a cell of XLSX, rows below the heading of its sheet
_CREATED = datetime(2000, 1, 1)  # the same table makes the same file


def _spreadsheet(table: pl.LazyFrame, safe: bool) -> pl.LazyFrame:
    """The table in the types that a spreadsheet knows: times with their offset as text."""
    text = cs.string() | cs.categorical() | cs.enum()
    table = table.with_columns(
        cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.f%:z"),
        text.cast(pl.String),
        cs.list().cast(pl.List(pl.String)).list.join(", "),
    )
    if not safe:
        return table
    runs = cs.string().str.contains(_RUNS)
    table = table.with_columns(
        pl.when(runs).then(pl.lit("'") + cs.string()).otherwise(cs.string()).name.keep()
    )
    names = table.collect_schema().names()
    return table.rename({name: f"'{name}" for name in names if re.match(_RUNS, name)})


def _write_xlsx(table: pl.DataFrame, path: Path) -> None:
    from xlsxwriter import Workbook

    if table.height > _MOST:
        raise ValueError(
            f"a sheet of XLSX holds {_MOST:,} rows and these are {table.height:,}: write .csv or .parquet"
        )
    # Texts stay texts: no formulas, no links, whatever they look like.
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(str(path), plain) as workbook:
        workbook.set_properties({"created": _CREATED})
        _fitting(table).write_excel(workbook, worksheet="journey", autofit=True)


def _fitting(table: pl.DataFrame) -> pl.DataFrame:
    """The table as the cells of a workbook can hold it."""
    long = table.select(cs.string().str.len_chars() > _LONGEST)
    if cut := long.select(pl.all().sum()).transpose().sum().item() if long.width else 0:
        warnings.warn(f"{cut} texts are longer than a cell of XLSX holds and end in …", stacklevel=4)
    return table.with_columns(
        pl.when(cs.string().str.len_chars() > _LONGEST)
        .then(cs.string().str.head(_LONGEST - 1) + "…")
        .otherwise(cs.string())
        .name.keep(),
        pl.when(cs.float().is_finite()).then(cs.float()).name.keep(),
    )
