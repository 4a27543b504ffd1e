"""The event log: its columns, kinds and reasons; loading, dedupe and quarantine."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC as ZULU
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import available_timezones

import polars as pl

from journey_nb import databases, discover
from journey_nb.journey import CHANNELS, Journey, listed, near
from journey_nb.reading import (
    ODD_WIDTH,
    Column,
    LogError,
    Options,
    Paths,
    TimeUnit,
    TimeUnits,
    alike,
    any_of,
    arrow_frame,
    cell,
    columns,
    epoch_unit,
    filled,
    readable,
    roots,
    scan,
)

__all__ = ["COLUMNS", "KINDS", "EventLog", "Judged", "LogError", "Report", "Settled", "settled"]

UTC = pl.Datetime("us", "UTC")

# Kinds in the order in which equal times of one run are read (METRICS.md, section 2).
KINDS: tuple[str, ...] = (
    "run.entered",
    "point.entered",
    "wait.started",
    "message.sent",
    "message.failed",
    "message.skipped",
    "message.delivered",
    "message.impression",
    "message.opened",
    "message.clicked",
    "message.interacted",
    "message.replied",
    "message.dismissed",
    "message.unsubscribed",
    "message.complained",
    "goal.reached",
    "point.skipped",
    "point.completed",
    "run.exited",
)
KIND = pl.Enum(KINDS)
MESSAGE_KINDS = tuple(kind for kind in KINDS if kind.startswith("message."))
ATTEMPT_KINDS = ("message.sent", "message.failed", "message.skipped")
OUTCOME_KINDS = tuple(kind for kind in MESSAGE_KINDS if kind not in ATTEMPT_KINDS)

INTERNAL_ERRORS = (
    "account_suspended",
    "time_unresolved",
    "device_not_found",
    "user_not_found",
    "user_mismatch",
    "filter_not_found",
    "tag_not_found",
    "content_not_found",
    "request_error",
    "quota_exceeded",
    "expired_in_pause",
    "internal_unknown",
)
SEND_ERRORS = (
    "app_uninstalled",
    "token_invalid",
    "address_invalid",
    "gateway_blocked",
    "hard_bounce",
    "carrier_rejected",
    "provider_error",
    "send_unknown",
)
EXITS = (
    "goal",
    "cancel_event",
    "exit_criteria",
    "timed_out",
    "dead_end",
    "removed",
    "journey_finished",
    "version_removed",
)
SKIPS = (
    "frequency_capped",
    "opted_out",
    "no_device",
    "control_group",
    "not_reachable",
    "quiet_hours_lapsed",
    "content_aborted",
    "duplicate",
    "rate_limited",
    "filtered",
    "skip_unknown",
)
WAITS = (
    "delay",
    "trigger",
    "silent_hours",
    "send_time",
    "engagement",
    "rate_limit",
    "wait_unknown",
)
EXIT_REASONS = ("completed", *EXITS, *INTERNAL_ERRORS, *SEND_ERRORS)
REASONS: tuple[str, ...] = (*EXIT_REASONS, *SKIPS, *WAITS)

# Which reasons each kind may carry, and the word a foreign one is read as.
KIND_REASONS: dict[str, tuple[tuple[str, ...], str]] = {
    "run.exited": (EXIT_REASONS, "internal_unknown"),
    "message.failed": (SEND_ERRORS, "send_unknown"),
    "message.skipped": (SKIPS, "skip_unknown"),
    "point.skipped": (SKIPS, "skip_unknown"),
    "wait.started": (WAITS, "wait_unknown"),
}

COLUMNS: dict[str, pl.DataType] = {
    "event_id": pl.String(),
    "occurred_at": UTC,
    "kind": KIND,
    "user_id": pl.String(),
    "device_id": pl.String(),
    "journey_id": pl.String(),
    "version": pl.Int32(),
    "run_id": pl.String(),
    "point_id": pl.String(),
    "branch": pl.String(),
    "channel": pl.Enum(CHANNELS),
    "message_id": pl.String(),
    "variant": pl.String(),
    "goal_id": pl.String(),
    "reason": pl.Enum(REASONS),
    "reason_detail": pl.String(),
    "due_at": UTC,
    "value": pl.Float64(),
    "currency": pl.String(),
    "is_machine": pl.Boolean(),
    "seq": pl.Int64(),
    "source": pl.String(),
}

DERIVED = "derived:"
"""How the run ids begin of sources that name no runs."""

# Columns without a value make the row unreadable (beside occurred_at, kind, user_id, journey_id, version).
_RUN = ("run_id",)
_MESSAGE = ("point_id", "channel", "message_id")
KIND_NEEDS: dict[str, tuple[str, ...]] = {
    "run.entered": (*_RUN, "point_id"),
    "point.entered": (*_RUN, "point_id"),
    "wait.started": (*_RUN, "point_id", "reason"),
    "point.completed": (*_RUN, "point_id"),
    "point.skipped": (*_RUN, "point_id", "reason"),
    **dict.fromkeys(MESSAGE_KINDS, _MESSAGE),
    "message.failed": (*_MESSAGE, "reason"),
    "message.skipped": (*_MESSAGE, "reason"),
    "goal.reached": ("goal_id",),
    "run.exited": (*_RUN, "reason"),
}

# The rules a row is judged by, itself alone, in the order in which a broken one is told; then dedupe.
RULES: tuple[str, ...] = (
    "missing",
    "bad_time",
    "bad_value",
    "unknown_kind",
    "unknown_channel",
    "unknown_journey",
    "unknown_version",
    "unknown_point",
    "unknown_branch",
    "unknown_goal",
    "conflict",
)
QUARANTINE: dict[str, pl.DataType] = {
    "row": pl.UInt64(),
    "rule": pl.String(),
    "detail": pl.String(),
    **COLUMNS,
    "reason": pl.String(),  # in the source's own words: a row may be read again, once its journey or version is known
}

_RULE = pl.Enum(RULES)
# Columns whose cells may hold what cannot be read: "given <column>" says that there is something,
# "raw <column>" what it is.
_FALLIBLE = ("occurred_at", "due_at", "kind", "channel", "reason", "version", "value", "is_machine", "seq")
_TIMES = ("occurred_at", "due_at")
_REQUIRED = ("occurred_at", "kind", "journey_id", "version")
_IN_APP_KINDS = ("message.impression", "message.interacted", "message.dismissed")
# Columns that are coded by a list of known words; "word <column>" keeps a word that is not on it.
_CODED = ("reason", "point_id", "goal_id")
_WORDS = tuple(f"word {name}" for name in _CODED)
_CONTENT = [name for name in COLUMNS if name != "source"]
# Texts that repeat from row to row: as codes they take a quarter of the memory, and of the time to move it.
_REPEATING = (
    *(name for name, dtype in COLUMNS.items() if dtype == pl.String() and name not in ("event_id", *_CODED)),
    *_WORDS,
)


@dataclass(frozen=True)
class Judged:
    """A log after its rows were judged one by one and deduplicated.

    Attributes
    ----------
    coded
        The good rows, each once, as the fold takes them: texts that repeat may be Categoricals.
    quarantined
        The others: ``row``, the ``rule`` broken, the ``detail`` with the cell as it was found, and
        the canonical columns as far as they could be read.
    read, duplicates
        ``read == rows.height + duplicates + quarantined.height``.
    """

    coded: pl.DataFrame
    quarantined: pl.DataFrame
    read: int
    duplicates: int

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The good rows, each once: the canonical columns and ``row``, the position in the source.

        Judged against a journey, ``point_id`` and ``goal_id`` are Enums of its points and goals.
        """
        return self.coded.with_columns(pl.selectors.categorical().cast(pl.String))


@dataclass(frozen=True, repr=False)
class Report:
    """What became of the rows of a log: ``read == loaded + duplicates + quarantined``.

    ``frame`` has a row for every rule that was broken: ``rule``, ``rows`` and an ``example``.
    """

    frame: pl.DataFrame
    read: int
    loaded: int
    duplicates: int
    quarantined: int
    warnings: tuple[str, ...] = ()
    note: str = ""

    @classmethod
    def of(
        cls,
        quarantined: pl.DataFrame,
        *,
        read: int,
        duplicates: int,
        warnings: Iterable[str] = (),
        note: str = "",
    ) -> Report:
        """The report of a log, of which these rows (``row``, ``rule``, ``detail``) are in quarantine."""
        rules = quarantined.group_by("rule").agg(
            rows=pl.len().cast(pl.Int64), example=pl.col("detail").sort_by("row").first()
        )
        bad = quarantined.height
        return cls(
            frame=rules.sort(-pl.col("rows"), "rule"),
            read=read,
            loaded=read - duplicates - bad,
            duplicates=duplicates,
            quarantined=bad,
            warnings=tuple(warnings),
            note=note,
        )

    def __str__(self) -> str:
        told = (self.read, self.loaded, self.duplicates, self.quarantined)
        read, loaded, duplicates, quarantined = map(_count, told)
        account = f"{read} row{'s' * (self.read != 1)} read = {loaded} loaded + {duplicates} duplicates + {quarantined} quarantined"
        rules = [
            f"  {rule:<16} {_count(rows):>9}  {_cut(example)}".rstrip()
            for rule, rows, example in self.frame.rows()
        ]
        odd = [f"  ! {warning}" for warning in self.warnings]
        return "\n".join([account, *rules, *odd, *([self.note] if self.note else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


_NOT_YET = (
    "These rows are in log.judge(journey).quarantined. The order of the rows within a run is judged by "
    "JourneyStats(journey, log): its facts.quarantined holds those it refuses too."
)


def _count(rows: int) -> str:
    """How many; below 0 that there are fewer than so many, which are not told."""
    return f"{rows:,}" if rows >= 0 else f"< {-rows:,}"


def _cut(text: str | None) -> str:
    return "" if text is None else text if len(text) <= 120 else text[:119] + "…"


@dataclass(frozen=True)
class EventLog:
    """The event log of a journey: one row per thing that happened, in any order, read lazily.

    Definitions: METRICS.md, sections 2 and 14.1 to 14.5. Nothing is dropped: a row that cannot be
    used goes to quarantine with the rule it broke, and the rest loads.

    Examples
    --------
    >>> import polars as pl
    >>> from journey_nb import EventLog
    >>> log = EventLog.from_frame(pl.DataFrame({
    ...     "at": ["2024-05-01T09:00:00+02:00", "yesterday"], "kind": ["goal.reached", "goal.reached"],
    ...     "user_id": [7, 8], "journey_id": "welcome", "version": 1, "goal_id": "buy",
    ... }), columns={"occurred_at": "at"})
    >>> judged = log.judge()
    >>> judged.rows["occurred_at"].to_list()
    [datetime.datetime(2024, 5, 1, 7, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))]
    >>> judged.quarantined.select("row", "rule", "detail").rows()
    [(1, 'bad_time', "occurred_at 'yesterday'")]
    """

    _rows: pl.LazyFrame = field(repr=False)
    name: str = "the log"
    extra: tuple[str, ...] = ()
    _zones_may_mix: bool = field(default=False, repr=False)
    _activities: _Activities | None = field(default=None, repr=False)

    @classmethod
    def read(
        cls,
        paths: Paths,
        columns: Mapping[str, str | pl.Expr] | None = None,
        *,
        timezone: str | tzinfo | None = None,
        time_unit: TimeUnits = None,
        time_format: str | None = None,
        source: str | None = None,
        storage_options: Options = None,
    ) -> EventLog:
        """Read files lazily: Parquet, CSV, JSON lines or Arrow IPC; a path, a glob or a list of them.

        A path may be a URL of an object store (``s3://``, ``gs://``, ``az://``), a glob too. Columns that stand in
        the names of folders alone (``variant=A/``) are read.

        Parameters
        ----------
        paths
            ``"events/*.parquet"``, ``["may.csv", "june.csv"]``, ``"s3://bucket/events/*.parquet"``.
        columns
            Where the canonical columns are found: ``{"user_id": "customer"}``. An expression gives
            a constant or a computed column: ``{"journey_id": pl.lit("welcome")}``. What only some of
            the files have is null in the others.
        timezone
            The zone of times that carry no offset (IANA name, or a ZoneInfo); UTC by default.
        time_unit
            The unit of epoch numbers: ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``; by default it is
            inferred from their size where that is certain, else refused. Where columns differ:
            ``{"occurred_at": "ms", "due_at": "s"}`` (None: numbers there are no times).
        time_format
            How times are written that are not ISO 8601: ``"%d/%m/%Y %H:%M"``.
        source
            What to write into ``source``, where the file does not say.
        storage_options
            Keys, region and endpoint of an object store, as polars takes them:
            ``{"aws_access_key_id": …, "aws_secret_access_key": …, "aws_region": …}``; by default
            they are found where the provider's own tools look for them. No message shows them.

        Raises
        ------
        LogError
            When a file cannot be read or a needed column is missing; the message names the fix.
        """
        how = _How(timezone, time_unit, time_format, source)
        return cls._of(scan(paths, storage_options), _name(paths), columns or {}, how)

    @classmethod
    def from_query(
        cls,
        connection: object,
        query: str,
        parameters: databases.Parameters = None,
        columns: Mapping[str, str | pl.Expr] | None = None,
        *,
        timezone: str | tzinfo | None = None,
        time_unit: TimeUnits = None,
        time_format: str | None = None,
        source: str | None = None,
    ) -> EventLog:
        """Take what a query finds in a database; it is asked once, and its answer is kept in memory.

        Parameters
        ----------
        connection
            An open connection (or cursor) of DuckDB, of an ADBC driver, or of any DB-API 2 driver:
            ``psycopg``, ``sqlite3``, … It is left open. From DuckDB and ADBC the answer comes as
            Arrow; others are read some ten thousand rows at a time, on a server-side cursor if you give one.
        query
            A select. Filter and join there what you need; values go into ``parameters``.
        parameters
            The values of the query's placeholders, handed to the driver as they are.
        columns, timezone, time_unit, time_format, source
            As in :meth:`read`. Times with a zone are moved to UTC, times without are of ``timezone``;
            numerics, UUIDs, enums and JSON are read as texts.

        Raises
        ------
        LogError
            When this is no connection, the query gives no rows, or a needed column is missing or of a type
            that holds no single value. What is wrong with the query is told by the driver's own error.

        Examples
        --------
        >>> import duckdb
        >>> import polars as pl
        >>> from journey_nb import EventLog
        >>> shop = duckdb.connect()
        >>> _ = shop.execute("create table orders (customer int, placed timestamptz, goal text, amount decimal(9, 2))")
        >>> _ = shop.execute("insert into orders values (7, '2024-05-01 09:00:00+02', 'buy', 12.50)")
        >>> log = EventLog.from_query(
        ...     shop, "select *, 'goal.reached' as kind from orders where placed >= ?", ["2024-01-01"],
        ...     columns={"occurred_at": "placed", "user_id": "customer", "goal_id": "goal", "value": "amount",
        ...              "journey_id": pl.lit("welcome"), "version": pl.lit(1)})
        >>> log.judge().rows.select("occurred_at", "user_id", "goal_id", "value").rows()
        [(datetime.datetime(2024, 5, 1, 7, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC')), '7', 'buy', 12.5)]
        """
        how = _How(timezone, time_unit, time_format, source)
        return cls._of([databases.rows(connection, query, parameters)], "the query", columns or {}, how)

    @classmethod
    def from_frame(
        cls,
        obj: object,
        columns: Mapping[str, str | pl.Expr] | None = None,
        *,
        timezone: str | tzinfo | None = None,
        time_unit: TimeUnits = None,
        time_format: str | None = None,
        source: str | None = None,
        name: str = "the frame",
    ) -> EventLog:
        """Take a polars frame (lazy or not) or any object with ``__arrow_c_stream__``; see :meth:`read`.

        ``name`` is what messages call it.
        """
        how = _How(timezone, time_unit, time_format, source)
        return cls._of([arrow_frame(obj)], name, columns or {}, how)

    @classmethod
    def from_activities(
        cls,
        obj: object,
        *,
        user: str | pl.Expr,
        activity: str | pl.Expr,
        time: str | pl.Expr,
        session: str | pl.Expr | None = None,
        event_id: str | pl.Expr | None = None,
        lifecycle: str | None = None,
        instance: str | None = None,
        journey_id: str = discover.DISCOVERED,
        timezone: str | tzinfo | None = None,
        time_unit: TimeUnits = None,
        time_format: str | None = None,
        storage_options: Options = None,
    ) -> EventLog:
        """Take any log of activities (a file, a glob or a table), for a journey discovered from it.

        A session is a run, or all that a user did where there are none; how a run becomes events is
        told in :mod:`journey_nb.discover`. Rows without a user, an activity, a time (or a session,
        where one is named) go to quarantine. Equal times keep the order of the source.

        Parameters
        ----------
        obj
            A path, a URL of an object store, a glob, a list of them, or a table.
        user, activity, time, session
            The columns, or expressions over them.
        event_id
            The column that tells an event loaded twice. Without one every row of the log is an event; in a store,
            which may be given the same row by two loads, it is told by all that is said here, and is one.
        lifecycle, instance
            Where begin and end of an activity are rows of their own: the column that says ``start``
            or ``complete``, and the one that says which belong together.
        journey_id
            What the journey that is discovered is called, so that a store can hold several.
        timezone, time_unit, time_format, storage_options
            As in :meth:`read`.

        Examples
        --------
        >>> import polars as pl
        >>> from journey_nb import EventLog
        >>> shop = pl.DataFrame({"who": ["a", "a", None], "what": ["look", "buy", "look"], "at": [1, 2, 3]})
        >>> log = EventLog.from_activities(shop, user="who", activity="what", time="at", time_unit="s")
        >>> log.judge().rows.filter(pl.col("kind") == "point.entered")["point_id"].to_list()
        ['look', 'buy', '(end)']
        >>> log.judge().quarantined.select("row", "rule", "detail").rows()
        [(2, 'missing', 'no user_id (who)')]
        """
        mapping: dict[str, str | pl.Expr] = {
            "user_id": user,
            "point_id": activity,
            "occurred_at": time,
            "run_id": pl.lit("all of the user's") if session is None else session,
            "kind": pl.lit("point.entered"),
            "journey_id": pl.lit(journey_id),
            "version": pl.lit(1, pl.Int32),
        }
        if event_id is not None:
            mapping["event_id"] = event_id
        if lifecycle is not None:
            word = pl.col(lifecycle).cast(pl.String).str.to_lowercase()
            mapping["kind"] = word.replace({"start": "point.entered", "complete": "point.completed"})
        if instance is not None:
            # The instance travels in message_id: activities send no messages.
            mapping["message_id"] = instance
        name, how = _name(obj), _How(timezone, time_unit, time_format)
        parts = (
            scan(obj, storage_options) if isinstance(obj, (str, Path, list, tuple)) else [arrow_frame(obj)]
        )
        known = list(
            dict.fromkeys(column for part in parts for column in part.collect_schema() if column != ODD_WIDTH)
        )
        if lifecycle is not None and lifecycle not in known:
            raise LogError(
                f"{name}: no column {lifecycle!r} for lifecycle{near(lifecycle, known)}; it has {listed(known)}"
            )
        chosen = [columns(part, mapping, mapping, name)[0] for part in alike(parts, _optional(mapping))]
        told = {
            "user_id": user,
            "point_id": activity,
            "run_id": session,
            "kind": lifecycle,
            "message_id": instance,
        }
        for part in chosen:
            _refuse_odd(part.collect_schema(), name, _PARAMETERS)
        log = cls._of(chosen, name, {}, how)
        by_content = _told_by_content(name for name, given in told.items() if given is not None)
        judged = replace(log, _rows=log._rows.with_columns(event_id=by_content)).judge()
        if session is None:
            judged = replace(judged, coded=judged.coded.with_columns(run_id="user_id"))
        own = {column: origin for column, origin in mapping.items() if isinstance(origin, str)}
        judged = replace(judged, quarantined=_in_own_words(judged.quarantined, own))
        activities = _Activities.of(judged, journey_id, name, log._zone_notes())
        return cls(pl.LazyFrame(), name, _activities=activities)

    @classmethod
    def _of(
        cls,
        parts: list[pl.LazyFrame],
        name: str,
        mapping: Mapping[str, str | pl.Expr],
        how: _How,
    ) -> EventLog:
        if not isinstance(mapping, Mapping):
            raise LogError(
                f"columns maps names, as in {{'user_id': 'customer'}}, and is a {type(mapping).__name__}"
            )
        read = [_canonical(part, name, mapping, how) for part in alike(parts, _optional(mapping))]
        rows = pl.concat([rows for rows, *_ in read]) if len(read) > 1 else read[0][0]
        extra = dict.fromkeys(name for _, names, _ in read for name in names)
        mix = how.timezone is None and any(as_text for *_, as_text in read)
        if "run_id" not in mapping and not any("run_id" in part.collect_schema() for part in parts):
            rows = rows.with_columns(run_id=_unnamed_run())
        fault = pl.when(~pl.col(ODD_WIDTH)).then(_fault())  # whoever judges rows has them read whole
        judged = rows.with_row_index("row").with_columns(fault=fault).drop(ODD_WIDTH)
        return cls(judged, name, tuple(extra), mix)

    @property
    def origin(self) -> Literal["events", "activities"]:
        """Whether the log was one of events, or was made from activities."""
        return "activities" if self._activities else "events"

    @property
    def journey_id(self) -> str:
        """The journey that a log of activities is of."""
        return self._activities.journey_id if self._activities else discover.DISCOVERED

    @property
    def frame(self) -> pl.LazyFrame:
        """The canonical rows, lazily: COLUMNS, ``row``, ``fault`` (the rule broken or null), ``fault_detail``."""
        if self._activities:
            return self._activities.frame()
        rows = self._rows.with_columns(_user(), fault_detail=_fault_detail())
        return rows.select(*COLUMNS, "row", "fault", "fault_detail")

    def judge(self, journey: Journey | None = None) -> Judged:
        """Judge every row by itself and remove duplicates; with a journey, check it against its graph too."""
        texts = {name: pl.col(name) for name in _REPEATING}
        if journey is not None:
            texts["journey_id"] = pl.lit(journey.journey_id)  # as in every good row
        rows = self.sifted(journey).with_columns(interned(text).alias(name) for name, text in texts.items())
        good = rows.filter(pl.col("rule").is_null()).drop("rule")
        with readable(self.name):
            found, broken = pl.collect_all([good, rows.select(pl.col("rule").count())], engine="streaming")
            told = broken.item() or self._activities
            faulty = self.faulty(journey).collect(engine="streaming") if told else EMPTY_QUARANTINE
        once = settled(found)
        bad = pl.concat([faulty, once.conflicts]).sort("row")
        duplicates = self.duplicates + once.duplicates
        return Judged(once.rows, bad, once.kept.height + duplicates + bad.height, duplicates)

    def sifted(self, journey: Journey | None = None) -> pl.LazyFrame:
        """Every row judged by itself, lazily: what :func:`settled` takes, and the ``rule`` a row breaks or null.

        The columns are COLUMNS, coded by the journey's words where one is given, ``row`` (the position in the
        source), and "word <column>", the source's own word where a code has none. A log of activities gives
        the events of their runs; activities that are in no run are told by :meth:`faulty` alone.
        """
        if self._activities:
            return EventLog.from_frame(self._activities.events(journey)).sifted(journey)
        known = _Known(journey) if journey is not None else None
        coded = (known.coded() if known else {}) | {"user_id": _user()}
        words = [_word(name, coded.get(name)) for name in _CODED]
        narrow = [coded.get(name, pl.col(name)).alias(name) for name in COLUMNS]
        return self._rows.select(*narrow, "row", *words, rule=_rule(known))

    def faulty(self, journey: Journey | None = None) -> pl.LazyFrame:
        """The rows that break a rule by themselves, lazily, as they stand in quarantine."""
        if self._activities:
            events = EventLog.from_frame(self._activities.events(journey)).faulty(journey)
            return pl.concat([self._activities.source.quarantined.lazy(), events])
        rule = _rule(_Known(journey) if journey is not None else None)
        rows = self._rows.with_columns(rule=rule).filter(pl.col("rule").is_not_null())
        return rows.with_columns(_user(), detail=_detail()).pipe(_as_quarantine)

    def only(self, condition: pl.Expr) -> EventLog:
        """The rows for which a condition on what they name holds (as given: a user_id may be missing still).

        A log of activities is of one journey, and stays whole.
        """
        return self if self._activities else replace(self, _rows=self._rows.filter(condition))

    def apart(self) -> dict[str, EventLog]:
        """A log for each journey that the rows of a log of events name; it is read for that once, into memory."""
        with readable(self.name):
            held = self._rows.filter(pl.col("journey_id").is_not_null()).collect(engine="streaming")
        parts = held.partition_by("journey_id", as_dict=True)
        return {str(journey_id): replace(self, _rows=rows.lazy()) for (journey_id,), rows in parts.items()}

    def journeys(self) -> set[str]:
        """The journey_ids that its rows name."""
        with readable(self.name):
            rows = self.sifted() if self._activities else self._rows
            found = rows.select(pl.col("journey_id").unique()).collect(engine="streaming")
        return set(found["journey_id"].drop_nulls())

    @cached_property
    def height(self) -> int:
        """How many rows there are to read."""
        if self._activities:
            source = self._activities.source
            return self._activities.walked.height + self.duplicates + source.quarantined.height
        with readable(self.name):
            return int(self._rows.select(pl.len()).collect(engine="streaming").item())

    def content(self) -> str:
        """What tells the rows, in whatever order they come: as this polars hashes them, another may do it otherwise."""
        rows = (self._activities.walked.lazy() if self._activities else self._rows).drop("row", strict=False)
        with readable(self.name):
            hashes = rows.collect(engine="streaming").hash_rows()
        return f"{hashes.len()}-{hashes.sum():x}"

    @property
    def duplicates(self) -> int:
        """Activities that came twice and made no events; 0 for a log of events, see :attr:`Settled.duplicates`."""
        return self._activities.source.duplicates if self._activities else 0

    def report(self, journey: Journey | None = None, *, now: datetime | None = None) -> Report:
        """What became of every row, and what looks odd though it loads.

        Examples
        --------
        >>> import polars as pl
        >>> from journey_nb import EventLog
        >>> log = EventLog.from_frame(pl.DataFrame({
        ...     "occurred_at": [1714546800] * 3, "kind": ["goal.reached", "goal.reached", "goal.reachd"],
        ...     "user_id": "a", "journey_id": "welcome", "version": 1, "goal_id": "buy"}))
        >>> print(log.report())
        3 rows read = 1 loaded + 1 duplicates + 1 quarantined
          unknown_kind             1  kind 'goal.reachd'
          ! kind 'goal.reachd' is unknown; did you mean 'goal.reached'?
        """
        judged = self.judge(journey)
        warnings = self.warnings(judged, journey, now=now)
        if self._activities is None:
            return Report.of(
                judged.quarantined,
                read=judged.read,
                duplicates=judged.duplicates,
                warnings=warnings,
                note=_NOT_YET if journey is not None and judged.quarantined.height else "",
            )
        # The account is of the rows that the source holds, not of the events made of them.
        source = self._activities.source
        return Report.of(
            source.quarantined, read=source.read, duplicates=source.duplicates, warnings=warnings
        )

    def warnings(self, judged: Judged, journey: Journey | None, *, now: datetime | None = None) -> list[str]:
        """What looks odd in these rows of the log though it loads."""
        source = self._activities.source if self._activities else judged
        told = [
            *self._notes(),
            *_unread_times(source),
            *_odd_ids(source.rows),
            *_words_of_nothing(source.quarantined),
            *_warnings(judged, journey, now or datetime.now(ZULU)),
        ]
        if strange := judged.quarantined.height - source.quarantined.height:
            told.append(f"{strange:,} events do not fit the journey: discover it from this log")
        return told

    def _notes(self) -> list[str]:
        if self._activities:
            return list(self._activities.notes)
        missing = [name for name in COLUMNS if name not in self.extra]
        likely = {name: hint for name in self.extra if (hint := near(name, missing))}
        told = [f"column {name!r} is not read{hint}" for name, hint in likely.items()]
        others = [name for name in self.extra if name not in likely]
        told += [f"columns not read: {', '.join(others)}"] if others else []
        return told + self._zone_notes()

    def _zone_notes(self) -> list[str]:
        """Times of which only some say their zone: the others may be meant for another than UTC."""
        if not self._zones_may_mix:
            return []
        text = pl.col("raw occurred_at")
        zoned, number = text.str.contains(_ZONED), text.str.contains(r"^\s*-?\d+(?:\.\d*)?\s*$")
        bare, read = ~zoned & ~number, pl.col("occurred_at").is_not_null()
        with readable(self.name):
            # Most logs are of one kind, which the texts alone tell sooner than reading them as times.
            if not all(self._rows.select(zoned.any(), bare=bare.any()).collect(engine="streaming").row(0)):
                return []
            counts = (
                self._rows.select(bare=(bare & read).sum(), read=read.sum())
                .collect(engine="streaming")
                .row(0)
            )
        if not 0 < counts[0] < counts[1]:
            return []
        return [f"{counts[0]:,} of {counts[1]:,} times have no zone: read as UTC; say timezone=…"]


@dataclass(frozen=True)
class _Activities:
    """What a log of activities comes from: its runs, step by step, and how its single rows were judged."""

    journey_id: str
    walked: pl.DataFrame
    source: Judged
    notes: tuple[str, ...]

    @classmethod
    def of(cls, source: Judged, journey_id: str, name: str, notes: Iterable[str]) -> _Activities:
        """The runs of rows that are single activities."""
        rows, shared = _apart_by_user(source.rows)
        if taken := sorted(discover.MARKS & set(rows["point_id"].unique())):
            raise LogError(
                f"{name}: an activity is called {taken[0]!r}, as a mark of the graph is; rename it"
            )
        found = discover.steps(rows)
        users, runs = found["user_id"].n_unique(), found["run_id"].n_unique()
        notes = [*notes, f"{found.height:,} activities of {users:,} users in {runs:,} runs"]
        if shared:
            notes.append(f"{shared:,} sessions are shared by several users: a run is the session of one user")
        if clipped := found.filter(pl.col("end") > pl.col("left_at")).height:
            notes.append(f"{clipped:,} activities were still under way when the next began: they end there")
        return cls(journey_id, discover.walk(found, journey_id), source, tuple(notes))

    def frame(self) -> pl.LazyFrame:
        """The rows of the runs, then the rows that are in none."""
        bad = self.source.quarantined.lazy().rename({"rule": "fault", "detail": "fault_detail"})
        bad = bad.with_columns(
            pl.col("fault").cast(_RULE),
            pl.col("row").cast(pl.UInt32),
            pl.col("reason").cast(COLUMNS["reason"], strict=False),
        )
        good = EventLog.from_frame(self.walked).frame
        return pl.concat([good, bad.select(good.collect_schema().names())])

    def events(self, journey: Journey | None) -> pl.DataFrame:
        """The rows of the runs; rare moves go by the branch that the journey draws for them."""
        return discover.routed(self.walked, journey) if journey is not None else self.walked


def _told_by_content(names: Iterable[str]) -> pl.Expr:
    """What tells a row of activities where nothing else does: all it says, and which it is of those that say the same.

    So the rows of another file get other ids, and the same rows the same.
    """
    own = [*(pl.col(name) for name in names), pl.col("occurred_at").to_physical()]
    nth = pl.int_range(pl.len()).over(own)
    # Activities may be paths: between the parts stands what no text holds, and what is missing is not left out.
    told = pl.concat_str(*(part.cast(pl.String).fill_null("\x1e") for part in own), nth, separator="\x1f")
    return pl.coalesce("event_id", told)


def _in_own_words(bad: pl.DataFrame, own: Mapping[str, str]) -> pl.DataFrame:
    """Details that name the source's own column beside the canonical one."""
    detail = pl.col("detail")
    for column, origin in own.items():
        beside = f"${{1}}{column} ({origin.replace('$', '$$')})${{2}}"
        detail = detail.str.replace(rf"^((?:.*, )?(?:no )?){column}( '|,|$)", beside)
    return bad.with_columns(detail)


def _apart_by_user(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Runs of one user each, and how many sessions several users share."""
    shared = rows.group_by("run_id").agg(pl.col("user_id").n_unique()).filter(pl.col("user_id") > 1).height
    if not shared:
        return rows, 0
    # A user's own stroke is written otherwise, so that a/b in c is not a in b/c.
    user = pl.col("user_id").str.replace_all("~", "~0", literal=True).str.replace_all("/", "~1", literal=True)
    return rows.with_columns(run_id=filled("{}/{}", user, "run_id")), shared


def quarantine(rows: pl.DataFrame, rule: pl.Expr, detail: pl.Expr) -> pl.DataFrame:
    """Rows as they stand in quarantine: position, rule and detail, then the canonical columns."""
    return rows.lazy().with_columns(rule=rule, detail=detail).pipe(_as_quarantine).collect()


def _as_quarantine(rows: pl.LazyFrame) -> pl.LazyFrame:
    named = rows.collect_schema().names()
    words = [name for name in ("word reason", "reason", "raw reason") if name in named]
    rows = rows.with_columns(reason=pl.coalesce(pl.col(name).cast(pl.String) for name in words))
    return rows.select(pl.col(name).cast(dtype, strict=False) for name, dtype in QUARANTINE.items())


EMPTY_QUARANTINE = pl.DataFrame(schema=QUARANTINE)


def _name(obj: object) -> str:
    if isinstance(obj, (list, tuple)):
        return ", ".join(map(str, obj[:3])) + (f" and {len(obj) - 3} more" if len(obj) > 3 else "")
    return str(obj) if isinstance(obj, (str, Path)) else "the frame"


def _unread_times(judged: Judged) -> list[str]:
    """A hint where no time at all could be read, though some look as if they were times."""
    bad = judged.quarantined
    if judged.rows.height or bad["occurred_at"].null_count() < bad.height:
        return []
    odd = bad["detail"].str.extract(r"occurred_at(?: \(.*\))? '(.*?)'").drop_nulls()
    odd = odd.filter(~odd.str.contains(r"^\d{4}-\d\d-\d\d"))  # written well: of an impossible year or day
    if odd.is_empty():
        return []
    if re.match(_ROUNDED, odd[0]):
        return [
            f"no time can be read, such as {_cut(odd[0])!r}, a number that was rounded: export the times as text"
        ]
    form = "%m/%d/%Y %I:%M:%S %p" if odd[0].upper().endswith("M") else "%d/%m/%Y %H:%M"
    return [f"no time can be read, such as {_cut(odd[0])!r}: say time_format={form!r}, as they are written"]


_ROUNDED = r"\d(?:[.,]\d+)?[eE]\+\d+$"  # a number as programs shorten it

# What programs write where they have nothing to write, in lower case.
_NOTHING = ("null", "none", "nan", "\\n", "undefined", "(not set)", "n/a")


def _odd_ids(rows: pl.DataFrame) -> list[str]:
    """Ids that are many people's: a word for nobody, and numbers that were rounded to be written shorter."""
    ids = rows["user_id"]
    words = [f"{of}{word}" for of in ("", "device:") for word in _NOTHING]
    odd = ids.filter(ids.str.to_lowercase().is_in(words))
    told = []
    for name, count in odd.value_counts(name="rows").sort("user_id").rows():
        column, nobody = "device_id" if ":" in name else "user_id", name.removeprefix("device:")
        told.append(
            f"{column} {nobody!r} stands in {count:,} rows, as if it were one person: where it means nobody, give "
            f"{column} as pl.col(…).replace({nobody!r}, None)"
        )
    rounded = ids.filter(ids.str.contains(f"^(?:device:)?{_ROUNDED}"))
    if rounded.len():
        told.append(
            f"{rounded.len():,} rows have a user_id such as {rounded.min()!r}, a number that was "
            "rounded, maybe to that of several people: export the ids as text"
        )
    return told


def _words_of_nothing(bad: pl.DataFrame) -> list[str]:
    """Cells that could not be read because they say that there is nothing."""
    words = "|".join(map(re.escape, _NOTHING))
    cell = bad["detail"].str.extract_groups(rf"(?i)(\w+)(?: \([^']*\))? '({words})'").struct.unnest()
    found = cell.drop_nulls().group_by("1", "2").len().sort("1", "2")
    return [
        f"{column} {word!r} in {count:,} rows: where it means nothing, give {column} as "
        f"pl.col(…).replace({word!r}, None)"
        for column, word, count in found.rows()
    ]


def _warnings(judged: Judged, journey: Journey | None, now: datetime) -> list[str]:
    """What looks odd, the words that were meant perhaps first."""
    rows = judged.rows
    told = _near_misses(judged.quarantined, journey)
    late = rows.filter(pl.col("occurred_at") > now)["occurred_at"].sort()
    if late.len():
        last = f"{late[-1]:%Y-%m-%d %H:%M} UTC"
        told.append(f"{late.len():,} rows lie in the future, up to {last}: check clock and time_unit")
    if devices := rows["user_id"].str.starts_with("device:").sum():
        told.append(f"{devices:,} rows have no user_id; their device stands for the user (device:…)")
    told += _nowhere(rows)
    unknown = [unknown for _, unknown in KIND_REASONS.values()]
    foreign = rows.filter(pl.col("reason").is_in(unknown))["reason_detail"].drop_nulls()
    if foreign.len():
        words = ", ".join(repr(_cut(word)) for word in foreign.unique().sort().head(5))
        told.append(
            f"{foreign.len():,} rows give a reason that is not on the list, such as {words}: read as …_unknown"
        )
    return told


def _nowhere(rows: pl.DataFrame) -> list[str]:
    """Waits and skips at points at which no run is ever said to arrive: they belong to a visit, and there is none."""
    arrived = rows.filter(pl.col("kind").is_in(["run.entered", "point.entered"]))["point_id"].unique()
    standing = rows.filter(pl.col("kind").is_in(["wait.started", "point.skipped"]))
    lost = standing.filter(~pl.col("point_id").is_in(arrived.implode()))["point_id"].cast(pl.String)
    if lost.is_empty():
        return []
    points = ", ".join(repr(_cut(point)) for point in lost.unique().sort().head(5))
    return [
        f"{lost.len():,} rows of wait.started or point.skipped are at points that no row arrives at (point.entered), "
        f"such as {points}: they count for no visit"
    ]


def _near_misses(bad: pl.DataFrame, journey: Journey | None) -> list[str]:
    known: dict[str, tuple[str, list[str]]] = {
        "unknown_kind": ("kind", list(KINDS)),
        "unknown_channel": ("channel", list(CHANNELS)),
    }
    if journey is not None:
        known["unknown_journey"] = ("journey_id", [journey.journey_id])
        known["unknown_point"] = ("point_id", list(journey.points()))
        known["unknown_goal"] = ("goal_id", [goal.goal_id for goal in journey.goals])
        keys = dict.fromkeys(branch.key for version in journey.versions for branch in version.branches)
        known["unknown_branch"] = ("branch", list(keys))
        known["unknown_version"] = ("version", [str(version.version) for version in journey.versions])
    told = []
    for rule, (column, words) in known.items():
        word = pl.col("detail").str.extract(r"'(.*)'", 1) if column in ("kind", "channel") else pl.col(column)
        found = (
            bad.filter(pl.col("rule") == rule)
            .select(word.cast(pl.String))
            .to_series()
            .drop_nulls()
            .value_counts(sort=True, name="rows")
        )
        for value in found.sort("rows", found.columns[0], descending=[True, False])[found.columns[0]].head(5):
            if value.lower() in _NOTHING:
                continue
            if hint := _nearest(value, words):
                told.append(f"{column} {_cut(value)!r} is unknown{hint}")
            elif rule in ("unknown_channel", "unknown_version"):
                told.append(f"{column} {_cut(value)!r} is unknown; it is one of {', '.join(words[:20])}")
            elif rule == "unknown_journey":
                told.append(
                    f"journey_id {_cut(value)!r} is not that of the document, {words[0]!r}: "
                    "one of the two must be that of the other, for these rows to count"
                )
    commas = bad["detail"].str.extract(r"value '(-?\d+,\d+)'").drop_nulls()
    if commas.len():
        told.append(
            f"value {commas[0]!r} has a decimal comma, as {commas.len():,} rows have: say "
            "columns={'value': pl.col(…).str.replace(',', '.')}"
        )
    return told


def _nearest(word: str, known: list[str]) -> str:
    """A hint that names the word in another case, or the variant that is called so, or else what is near."""
    same = [other for other in known if word.lower() in (other.lower(), other.lower().rpartition(":")[2])]
    return f"; did you mean {same[0]!r}?" if same else near(word, known)


# Reading: any source's columns to the canonical ones.


@dataclass(frozen=True)
class _How:
    """How a source is to be read, as far as it was told."""

    timezone: Any = None
    time_unit: TimeUnits = None
    time_format: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.timezone, tzinfo):
            object.__setattr__(self, "timezone", str(self.timezone))
        if self.timezone is not None and self.timezone not in (zones := available_timezones()):
            raise LogError(f"there is no timezone {self.timezone!r}{_zone(self.timezone, sorted(zones))}")
        units = self.time_unit.values() if isinstance(self.time_unit, Mapping) else [self.time_unit]
        for unit in units:
            if unit not in (None, *get_args(TimeUnit)):
                raise LogError(f"time_unit is {unit!r}; it is one of 's', 'ms', 'us' and 'ns'")
        if self.time_format is not None:
            try:
                pl.Series(["1"]).str.to_datetime(self.time_format, strict=False)
            except pl.exceptions.PolarsError as error:
                told = str(error).split("\n", 1)[0]
                hint = "; with %p the hour is %I" if "%p" in self.time_format else ""
                raise LogError(f"time_format={self.time_format!r} cannot be used: {told}{hint}") from None


# Abbreviations that are no names of zones, and of what most people mean by them.
_ABBREVIATED = {
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "EDT": "America/New_York",
    "MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
}


def _zone(word: str, zones: list[str]) -> str:
    """A hint that names the zone which was meant."""
    if offset := re.fullmatch(r"(?:UTC|GMT)?([+-])0?(\d\d?)(?::?00)?", word):
        # There the sign says how far UTC is, and not the zone.
        return f"; did you mean 'Etc/GMT{'-' if offset[1] == '+' else '+'}{offset[2]}'?"
    city = word.replace(" ", "_").lower()
    meant = [zone for zone in zones if city in (zone.lower(), zone.lower().rpartition("/")[2])]
    if meant := [_ABBREVIATED[word.upper()]] if word.upper() in _ABBREVIATED else meant:
        return f"; did you mean {meant[0]!r}?"
    return near(word, zones) or "; name it by region and city, such as 'Europe/Paris'"


# What says the zone of a time: its letter, its name, or an offset behind a clock.
_ZONED = r"(?i)(?:Z|UTC|GMT|(?::\d\d|[T ]\d{4,6})(?:[.,]\d+)?\s*[+-]\d\d(?::?\d\d)?)\s*$"


def _optional(mapping: Mapping[str, str | pl.Expr]) -> list[str]:
    """What a file may lack of the source's columns: all but those that every row needs as they are."""
    needed = (*_REQUIRED, "user_id")
    return [
        name
        for column, origin in mapping.items()
        if isinstance(origin, pl.Expr) or (isinstance(origin, str) and column not in needed)
        for name in roots(origin)
    ]


def _canonical(
    source: pl.LazyFrame,
    name: str,
    mapping: Mapping[str, str | pl.Expr],
    how: _How,
) -> tuple[pl.LazyFrame, list[str], bool]:
    """The canonical columns of a source, with what was given where a cell may not be readable.

    Beside them the names that are not read, and whether the times are texts.
    """
    found, extra = columns(source, COLUMNS, mapping, name)
    schema = found.collect_schema()
    # Whoever reads the log knows its columns as it has them, not as they are mapped.
    _require(schema.names(), extra, [own for own in source.collect_schema() if own != ODD_WIDTH], name)
    if "due_at" in schema:
        found = found.with_columns(_due("due_at", schema["due_at"]))
    _refuse_odd(schema, name)
    _refuse_rounded(found, name)
    if "%Z" in (how.time_format or ""):
        _refuse_zones(found, name)
    zone, form, texts = how.timezone or "UTC", how.time_format, pl.String()
    units = (
        how.time_unit
        if isinstance(how.time_unit, Mapping)
        else {
            c: how.time_unit or (None if form and schema[c] == texts else epoch_unit(found, c, name))
            for c in _TIMES
            if c in schema
        }
    )
    exprs = [
        (cell(c, schema[c], dtype, zone, units.get(c), form) if c in schema else pl.lit(None, dtype)).alias(c)
        for c, dtype in COLUMNS.items()
    ]
    for c in _FALLIBLE:
        raw = cell(c, schema[c], pl.String()) if c in schema else pl.lit(None, pl.String())
        given = (
            pl.lit(False)
            if c not in schema
            else _given(raw, COLUMNS[c])
            if schema[c] in (pl.String, pl.Categorical)
            else _filled(c, schema[c])
        )
        exprs += [given.alias(f"given {c}"), raw.alias(f"raw {c}")]
    if how.source is not None:
        exprs.append(exprs.pop(list(COLUMNS).index("source")).fill_null(how.source))
    odd = pl.col(ODD_WIDTH) if ODD_WIDTH in schema else pl.lit(False)
    return found.select(*exprs, odd.alias(ODD_WIDTH)), extra, schema["occurred_at"] == texts


# What columns are called where a log of activities is read.
_PARAMETERS = {
    "user_id": "user",
    "point_id": "activity",
    "occurred_at": "time",
    "run_id": "session",
    "message_id": "instance",
}


def _refuse_odd(schema: pl.Schema, what: str, parameters: Mapping[str, str] | None = None) -> None:
    for column, dtype in schema.items():
        if dtype.is_nested() or isinstance(dtype, (pl.Object, pl.Time, pl.Duration, pl.BaseExtension)):
            named = parameters.get(column, column) if parameters else column
            how = f"{named}=pl.col(…)…" if parameters else f"columns={{{column!r}: pl.col(…)…}}"
            raise LogError(
                f"{what}: what is given for {named!r} is no single value but {dtype}; make it one, in the source "
                f"or with {how}"
            )


def _refuse_rounded(rows: pl.LazyFrame, what: str) -> None:
    """Whole numbers that a column of floats does not tell apart any more."""
    for column, dtype in rows.collect_schema().items():
        if not (dtype.is_float() and column in ("user_id", "device_id", "run_id", "event_id", "message_id")):
            continue
        exact = 2.0 ** (53 if dtype == pl.Float64 else 24)
        with readable(what):
            most = rows.select(pl.col(column).abs().fill_nan(None).max()).collect(engine="streaming").item()
        if most is not None and most >= exact:
            raise LogError(
                f"{what}: {column!r} holds floats of {exact:.0f} and more, where neighbours are the same number; "
                "read the column as text (or integers) in the source"
            )


def _refuse_zones(rows: pl.LazyFrame, what: str) -> None:
    """Names of zones, which a format reads over: no offset is known for them."""
    schema = rows.collect_schema()
    for column in _TIMES:
        if schema.get(column) != pl.String:
            continue
        named = pl.col(column).str.contains(r"(?i)(?:\b|\d)(?:UTC|GMT|Z)\b")
        with readable(what):
            odd = rows.filter(~named).select(column).head(1).collect(engine="streaming")[column]
        if odd.len():
            raise LogError(
                f"{what}: %Z in time_format says no zone, and {column!r} names one that may not be UTC ({_cut(odd[0])!r}); "
                "say timezone=… and cut the name off with columns=, or export offsets and say %z"
            )


def _due(column: str, dtype: pl.DataType) -> pl.Expr:
    """The moment a wait is due; sources write 0 where there is none."""
    value = pl.col(column)
    if dtype.is_numeric():
        return pl.when(value != 0).then(value).alias(column)
    if dtype == pl.String:
        return pl.when(~value.str.contains(r"^\s*0(\.0*)?\s*$")).then(value).alias(column)
    return value


def _given(text: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return text.is_not_null() & (text.str.to_lowercase() != "nan") if dtype.is_float() else text.is_not_null()


def _filled(column: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(column)
    return value.is_not_null() & value.is_not_nan() if dtype.is_float() else value.is_not_null()


_PLAIN = " (a log of plain activities is read by EventLog.from_activities(…, user=…, activity=…, time=…))"


def _require(names: list[str], extra: list[str], own: list[str], what: str) -> None:
    it_has = f"; it has {listed(own)}"
    for column in _REQUIRED:
        if column not in names:
            hint = near(column, extra) or it_has
            plain = "" if "kind" in names else _PLAIN
            raise LogError(f"{what}: no column {column!r}{hint}; say columns={{{column!r}: …}}{plain}")
    if "user_id" not in names and "device_id" not in names:
        hint = near("user_id", extra) or near("device_id", extra) or it_has
        raise LogError(f"{what}: no column 'user_id' or 'device_id'{hint}; say columns={{'user_id': …}}")


def _user() -> pl.Expr:
    # Texts are put together only where there is no user: that is cheaper than for every row.
    stands = pl.when(pl.col("user_id").is_null()).then("device_id")
    return pl.coalesce("user_id", pl.lit("device:") + stands).alias("user_id")


def _unnamed_run() -> pl.Expr:
    """Where a source has no run ids: one for all of a user, in which the walk tells the runs apart.

    Outcomes of messages are of their message's run, and goals of the run whose window holds them.
    """
    return pl.when(
        of_kind(*(kind for kind, needs in KIND_NEEDS.items() if needs[0] == "run_id"), *ATTEMPT_KINDS)
    ).then(pl.lit(DERIVED) + _user())


def interned(text: Column) -> Column:
    """Texts as codes: categories of our own are the fastest dictionary of polars, and go when nobody holds them."""
    return text.cast(pl.Categorical(pl.Categories.random()))


# Judging a row by itself.


def of_kind(*kinds: str) -> pl.Expr:
    """Whether a row is of one of these kinds."""
    if len(kinds) == 1:
        return pl.col("kind") == pl.lit(kinds[0], KIND)
    return pl.col("kind").is_in(pl.Series(kinds, dtype=KIND).implode())


def _unread(column: str) -> pl.Expr:
    """Something is given and could not be read."""
    return pl.col(f"given {column}") & pl.col(column).is_null()


def _absent(column: str) -> pl.Expr:
    """A value is needed here and none is given."""
    nothing = ~pl.col(f"given {column}") if column in _FALLIBLE else pl.col(column).is_null()
    if column == "user_id":
        return nothing & pl.col("device_id").is_null()
    if column == "version":
        return nothing & (pl.col("kind").is_null() | ~of_kind("goal.reached"))
    if column in ("occurred_at", "kind", "journey_id"):
        return nothing
    return nothing & of_kind(*(kind for kind, needs in KIND_NEEDS.items() if column in needs))


def _misplaced() -> pl.Expr:
    """Something only an in-app message does, on another channel."""
    return of_kind(*_IN_APP_KINDS) & (pl.col("channel") != "in_app")


_NEEDED = (
    "occurred_at",
    "kind",
    "user_id",
    "journey_id",
    "version",
    *dict.fromkeys(c for n in KIND_NEEDS.values() for c in n),
)


def _fault() -> pl.Expr:
    """The rule a row breaks, whatever the journey. An unknown kind is told before missing columns."""
    broken = {
        "missing": any_of(map(_absent, _NEEDED)) & ~_unread("kind"),
        "bad_time": any_of(map(_unread, _TIMES)),
        "bad_value": any_of(map(_unread, ("version", "value", "is_machine", "seq"))),
        "unknown_kind": _unread("kind"),
        "unknown_channel": _unread("channel") | _misplaced(),
    }
    return _first_broken(broken)


def _first_broken(broken: Mapping[str, pl.Expr], before: pl.Expr | None = None) -> pl.Expr:
    chain: Any = pl if before is None else pl.when(before.is_not_null()).then(before)
    for rule, holds in broken.items():
        chain = chain.when(holds).then(pl.lit(rule, dtype=_RULE))
    return chain  # type: ignore[no-any-return]


def _fault_detail() -> pl.Expr:
    """Everything that is wrong with the cells of a row, with the text that was found."""
    absent = [pl.when(_absent(c)).then(pl.lit(f"no {c}")) for c in _NEEDED]
    unread = [pl.when(_unread(c)).then(filled(f"{c} '{{}}'", f"raw {c}")) for c in _FALLIBLE if c != "reason"]
    foreign = pl.when(_misplaced()).then(filled("{} on channel {}", "kind", "channel"))
    told = pl.concat_str(*absent, *unread, foreign, separator=", ", ignore_nulls=True)
    return pl.when(pl.col("fault").is_not_null()).then(told)


def _detail() -> pl.Expr:
    version = pl.col("version").cast(pl.String)
    return (
        pl.when(pl.col("fault").is_not_null())
        .then(_fault_detail())
        .when(pl.col("rule") == "unknown_journey")
        .then(filled("journey_id '{}'", "journey_id"))
        .when(pl.col("rule") == "unknown_version")
        .then(filled("version {}", "version"))
        .when(pl.col("rule") == "unknown_point")
        .then(filled("point_id '{}' is not in version {}", "point_id", version))
        .when(pl.col("rule") == "unknown_branch")
        .then(
            filled(
                "branch '{}' of '{}' is not in version {}",
                pl.col("branch").fill_null("default"),
                "point_id",
                version,
            )
        )
        .when(pl.col("rule") == "unknown_goal")
        .then(filled("goal_id '{}'", "goal_id"))
    )


class _Known:
    """What a journey knows, as integer codes, so that a check is one lookup a row."""

    def __init__(self, journey: Journey) -> None:
        self.journey_id = journey.journey_id
        self.versions = [version.version for version in journey.versions]
        self.points = list(journey.points())
        self.goals = [goal.goal_id for goal in journey.goals]
        self.keys = list(dict.fromkeys(["default", *(b.key for v in journey.versions for b in v.branches)]))
        point = {point_id: code for code, point_id in enumerate(self.points)}
        key = {name: code for code, name in enumerate(self.keys)}
        self.at: set[int] = set()
        self.ways: set[int] = set()
        for version in journey.versions:
            here = {
                p.point_id: version.version * len(self.points) + point[p.point_id] for p in version.points
            }
            self.at.update(here.values())
            self.ways.update(here[b.source] * len(self.keys) + key[b.key] for b in version.branches)
            ends = set(here) - {b.source for b in version.branches}
            self.ways.update(here[end] * len(self.keys) for end in ends)

    def coded(self) -> dict[str, pl.Expr]:
        """The columns that the journey's own words code."""
        words = {"point_id": self.points, "goal_id": self.goals}
        return {name: pl.col(name).cast(pl.Enum(known), strict=False) for name, known in words.items()}

    def rule(self) -> pl.Expr:
        """The first rule a row breaks, those of reading included."""
        coded, version = self.coded(), pl.col("version")
        place = version.cast(pl.Int64) * len(self.points) + coded["point_id"].to_physical().cast(pl.Int64)
        key = pl.col("branch").fill_null("default").cast(pl.Enum(self.keys), strict=False).to_physical()
        way = place * len(self.keys) + key.cast(pl.Int64)
        broken = {
            "unknown_journey": pl.col("journey_id") != self.journey_id,
            "unknown_version": ~version.is_in(self.versions),
            "unknown_point": version.is_not_null()
            & pl.col("point_id").is_not_null()
            & ~_among(place, self.at),
            "unknown_branch": of_kind("point.completed") & ~_among(way, self.ways),
            "unknown_goal": of_kind("goal.reached") & coded["goal_id"].is_null(),
        }
        return _first_broken(broken, before=pl.col("fault"))


def _rule(known: _Known | None) -> pl.Expr:
    return pl.col("fault") if known is None else known.rule()


def _among(code: pl.Expr, known: set[int]) -> pl.Expr:
    return code.is_in(sorted(known)).fill_null(False)


def _word(column: str, coded: pl.Expr | None) -> pl.Expr:
    """The source's own word where it is none of the known ones."""
    if column == "reason":
        coded, text = pl.col("reason"), pl.col("raw reason")
    else:
        text = pl.col(column)
    word = pl.lit(None, pl.String) if coded is None else pl.when(coded.is_null()).then(text)
    return word.alias(f"word {column}")


# Dedupe, and the hash that stands for a missing event_id.


def row_hashes(rows: pl.DataFrame) -> list[str]:
    """The canonical row hash of each row (METRICS.md, 14.8c)."""
    texts = (text for part in rows.iter_slices(500_000) for text in _as_json(part))
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


# What JSON writes differently inside a text: quotes, backslashes and control characters.
_ESCAPED = {character: json.dumps(character)[1:-1] for character in ['"', "\\", *map(chr, range(32))]}


def _as_json(rows: pl.DataFrame) -> pl.Series:
    """Every row as the JSON object that is hashed, as json.dumps would write it, a column at a time."""
    pairs = [pl.concat_str(pl.lit(f'"{name}": '), _json(rows, name)) for name in sorted(_CONTENT)]
    return rows.select(
        pl.concat_str(pl.lit("{"), pl.concat_str(pairs, separator=", "), pl.lit("}"))
    ).to_series()


def _json(rows: pl.DataFrame, name: str) -> pl.Expr:
    value = pl.col(name)
    if name in _TIMES:
        text = value.dt.epoch("us").cast(pl.String)
    elif name == "value":
        numbers = rows[name].drop_nulls().unique()
        text = value.replace_strict(
            numbers, pl.Series(map(json.dumps, numbers), dtype=pl.String), default=None
        )
    elif COLUMNS[name] in (pl.String, pl.Enum):
        words = [column for column in (name, f"word {name}") if column in rows.columns]
        word = pl.coalesce(pl.col(words).cast(pl.String))
        text = filled('"{}"', word.str.replace_many(_ESCAPED))
    else:
        text = value.cast(pl.String)
    return text.fill_null("null")


@dataclass(frozen=True)
class Settled:
    """Good rows, every event once; a function of the set of rows, so that it may be done in parts.

    ``settled(pl.concat([settled(some).distinct, others]))`` keeps the same rows as
    ``settled(pl.concat([some, others]))``, and the duplicates of both settlements add up to its.

    Attributes
    ----------
    kept
        The rows that stay, in the form of :meth:`EventLog.sifted`; a row without an event_id has its hash there.
    losers
        Those whose event_id stays with another content.
    duplicates
        How many rows told again what one of these tells.
    """

    kept: pl.DataFrame
    losers: pl.DataFrame
    duplicates: int

    @property
    def read(self) -> int:
        """How many rows were settled."""
        return self.kept.height + self.losers.height + self.duplicates

    @property
    def distinct(self) -> pl.DataFrame:
        """All that must be known to settle again, with rows that come late."""
        return pl.concat([self.kept, self.losers])

    @property
    def rows(self) -> pl.DataFrame:
        """The rows that stay, ready to be folded: :attr:`Judged.coded`."""
        return _mapped_reasons(self.kept)

    @property
    def conflicts(self) -> pl.DataFrame:
        """The losers as they stand in quarantine."""
        detail = filled("event_id '{}' has two different contents", "event_id")
        return quarantine(self.losers, pl.lit("conflict"), detail) if self.losers.height else EMPTY_QUARANTINE


def settled(rows: pl.DataFrame) -> Settled:
    """Settle which rows stay: each event once, and of two contents of one event_id the smaller hash.

    Parameters
    ----------
    rows
        Rows of :meth:`EventLog.sifted` that break no rule, without ``rule``; of one log, or of earlier
        and later parts of it. Of rows that tell the same the first by ``row`` and ``source`` stays.

    Examples
    --------
    >>> import polars as pl
    >>> from journey_nb.events import EventLog, settled
    >>> log = EventLog.from_frame(pl.DataFrame({
    ...     "event_id": ["a", "a", "a", "b"], "user_id": ["u", "u", "v", "u"], "occurred_at": [1714546800] * 4,
    ...     "kind": "goal.reached", "goal_id": "buy", "journey_id": "welcome", "version": 1}))
    >>> once = settled(log.sifted().filter(pl.col("rule").is_null()).drop("rule").collect())
    >>> once.kept.height, once.losers.height, once.duplicates
    (2, 1, 1)
    """
    rows = _named(rows)
    # Equal hashes of 64 bits only make a row a suspect; the ids themselves decide.
    hashed = rows["event_id"].hash()
    in_order = hashed.sort()  # a sort finds what comes twice in a fraction of the time of a hash table
    twice = in_order.filter(in_order == in_order.shift())
    if twice.is_empty():
        return Settled(rows, rows.clear(), 0)
    suspect = hashed.is_in(twice.unique().implode())
    content = [name for name in rows.columns if name not in ("row", "source")]
    suspects = rows.with_columns(place=pl.int_range(pl.len(), dtype=pl.UInt32)).filter(suspect)
    several = suspects.sort("row", "source").unique(content, keep="first", maintain_order=True)
    clashing = several.filter(pl.col("event_id").is_duplicated())
    losers = clashing.clear()
    if clashing.height:
        ranked = clashing.with_columns(hash=pl.Series(row_hashes(clashing)))
        losers = ranked.filter(pl.col("hash") != pl.col("hash").min().over("event_id")).drop("hash")
    stays = (~suspect).scatter(several["place"], True).scatter(losers["place"], False)
    kept = rows.filter(stays)
    return Settled(kept, losers.drop("place"), rows.height - kept.height - losers.height)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without an event_id get their hash as one."""
    nameless = rows["event_id"].is_null()
    if not nameless.any():
        return rows
    ids = pl.Series(row_hashes(rows.filter(nameless)), dtype=pl.String)
    return rows.with_columns(event_id=rows["event_id"].scatter(nameless.arg_true(), ids))


def _mapped_reasons(rows: pl.DataFrame) -> pl.DataFrame:
    """A reason that is foreign to its kind becomes the unknown one of that kind; its word is kept.

    A kind that carries no reason has none that is unknown: only the word is kept.
    """
    own = any_of(
        of_kind(kind) & pl.col("reason").is_in(list(reasons)) for kind, (reasons, _) in KIND_REASONS.items()
    )
    word = pl.coalesce(pl.col("word reason", "reason").cast(pl.String))
    carries = of_kind(*KIND_REASONS)
    foreign = rows.select(
        pl.when(carries)
        .then(word.is_not_null() & ~own.fill_null(False))
        .otherwise(pl.col("word reason").is_not_null())
    ).to_series()
    clean = rows.drop(_WORDS)
    if not foreign.any():
        return clean
    unknown = {kind: unknown for kind, (_, unknown) in KIND_REASONS.items()}
    mended = rows.filter(foreign).select(
        "row",
        reason=pl.col("kind").cast(pl.String).replace_strict(unknown, default=None).cast(pl.Enum(REASONS)),
        reason_detail=pl.concat_str(
            word, pl.col("reason_detail").cast(pl.String), separator=": ", ignore_nulls=True
        ),
    )
    at = foreign.arg_true()
    return clean.with_columns(
        reason=clean["reason"].scatter(at, mended["reason"]),
        reason_detail=clean["reason_detail"].scatter(
            at, mended["reason_detail"].cast(rows.schema["reason_detail"])
        ),
    )
