"""The log itself: from where it is read, how its rows are judged, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC as ZULU
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl

from journey_nb import databases, discover
from journey_nb.events.account import EMPTY_QUARANTINE, Judged, Report, as_quarantine
from journey_nb.events.activities import Activities, in_own_words, told_by_content
from journey_nb.events.canonical import PARAMETERS, ZONED, How, canonical_rows, optional_columns, refuse_odd
from journey_nb.events.oddities import oddities
from journey_nb.events.rules import (
    Known,
    derived_run,
    detail_of_cells,
    detail_of_rule,
    fault_of_row,
    own_word,
    rule_of_row,
    user_of_row,
)
from journey_nb.events.settle import settled
from journey_nb.events.words import CODED, COLUMNS, WORDS
from journey_nb.journey import Journey, listed, near
from journey_nb.reading import (
    ODD_WIDTH,
    LogError,
    Options,
    Paths,
    TimeUnits,
    alike,
    arrow_frame,
    columns,
    interned,
    readable,
    scan,
)

# Texts that repeat from row to row: as codes they take a quarter of the memory, and of the time to move it.
_REPEATING = (
    *(name for name, dtype in COLUMNS.items() if dtype == pl.String() and name not in ("event_id", *CODED)),
    *WORDS,
)

_NOT_YET = (
    "These rows are in log.judge(journey).quarantined. The order of the rows within a run is judged by "
    "JourneyStats(journey, log): its facts.quarantined holds those it refuses too."
)


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
    _activities: Activities | None = field(default=None, repr=False)

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
        how = How(timezone, time_unit, time_format, source)
        return cls.of_parts(scan(paths, storage_options), name_of(paths), columns or {}, how)

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
        how = How(timezone, time_unit, time_format, source)
        return cls.of_parts([databases.rows(connection, query, parameters)], "the query", columns or {}, how)

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
        how = How(timezone, time_unit, time_format, source)
        return cls.of_parts([arrow_frame(obj)], name, columns or {}, how)

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
        name, how = name_of(obj), How(timezone, time_unit, time_format)
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
        chosen = [
            columns(part, mapping, mapping, name)[0] for part in alike(parts, optional_columns(mapping))
        ]
        told = {
            "user_id": user,
            "point_id": activity,
            "run_id": session,
            "kind": lifecycle,
            "message_id": instance,
        }
        for part in chosen:
            refuse_odd(part.collect_schema(), name, PARAMETERS)
        log = cls.of_parts(chosen, name, {}, how)
        by_content = told_by_content(name for name, given in told.items() if given is not None)
        judged = replace(log, _rows=log._rows.with_columns(event_id=by_content)).judge()
        if session is None:
            judged = replace(judged, coded=judged.coded.with_columns(run_id="user_id"))
        own = {column: origin for column, origin in mapping.items() if isinstance(origin, str)}
        judged = replace(judged, quarantined=in_own_words(judged.quarantined, own))
        activities = Activities.of(judged, journey_id, name, log.slips().values())
        return cls(pl.LazyFrame(), name, _activities=activities)

    @classmethod
    def of_parts(
        cls,
        parts: list[pl.LazyFrame],
        name: str,
        mapping: Mapping[str, str | pl.Expr],
        how: How,
    ) -> EventLog:
        """Tables that are read as one log, each by its own columns."""
        if not isinstance(mapping, Mapping):
            raise LogError(
                f"columns maps names, as in {{'user_id': 'customer'}}, and is a {type(mapping).__name__}"
            )
        parts = alike(parts, optional_columns(mapping))
        read = [canonical_rows(part, name, mapping, how) for part in parts]
        # Files without run ids are so by themselves, whatever others are read with them.
        bare = ["run_id" not in mapping and "run_id" not in part.collect_schema() for part in parts]
        rows = pl.concat(
            rows.with_columns(run_id=derived_run()) if without else rows
            for (rows, *_), without in zip(read, bare, strict=True)
        )
        extra = dict.fromkeys(name for _, names, _ in read for name in names)
        mix = how.timezone is None and any(as_text for *_, as_text in read)
        fault = pl.when(~pl.col(ODD_WIDTH)).then(fault_of_row())  # whoever judges rows has them read whole
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
            good = EventLog.from_frame(self._activities.walked).frame
            return pl.concat([good, self._activities.outside().select(good.collect_schema().names())])
        rows = self._rows.with_columns(user_of_row(), fault_detail=detail_of_cells())
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
        known = Known(journey) if journey is not None else None
        coded = (known.coded() if known else {}) | {"user_id": user_of_row()}
        words = [own_word(name, coded.get(name)) for name in CODED]
        narrow = [coded.get(name, pl.col(name)).alias(name) for name in COLUMNS]
        return self._rows.select(*narrow, "row", *words, rule=rule_of_row(known))

    def faulty(self, journey: Journey | None = None) -> pl.LazyFrame:
        """The rows that break a rule by themselves, lazily, as they stand in quarantine."""
        if self._activities:
            events = EventLog.from_frame(self._activities.events(journey)).faulty(journey)
            return pl.concat([self._activities.source.quarantined.lazy(), events])
        rule = rule_of_row(Known(journey) if journey is not None else None)
        rows = self._rows.with_columns(rule=rule).filter(pl.col("rule").is_not_null())
        return rows.with_columns(user_of_row(), detail=detail_of_rule()).pipe(as_quarantine)

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
        told = self._notes() + oddities(source, judged, journey, now or datetime.now(ZULU))
        if strange := judged.quarantined.height - source.quarantined.height:
            told.append(f"{strange:,} events do not fit the journey: discover it from this log")
        return told

    def _notes(self) -> list[str]:
        if self._activities:
            return list(self._activities.notes)
        others = [name for name in self.extra if name not in self._likely()]
        told = [f"columns not read: {', '.join(others)}"] if others else []
        return [*self.slips().values(), *told]

    def _likely(self) -> dict[str, str]:
        """The columns that are not read and are called nearly as one that is, with a hint of it."""
        missing = [name for name in COLUMNS if name not in self.extra]
        # One that is called as it should be is not read because somebody has said what is read in its place.
        others = [name for name in self.extra if name not in COLUMNS]
        return {name: hint for name in others if (hint := near(name, missing))}

    def slips(self) -> dict[str, str]:
        """What of each column is read otherwise than was meant, perhaps, though every row may load."""
        told = {name: f"column {name!r} is not read{hint}" for name, hint in self._likely().items()}
        if zones := self._zone_note():
            told["occurred_at"] = zones
        return told

    def _zone_note(self) -> str:
        """Times of which only some say their zone: the others may be meant for another than UTC."""
        if not self._zones_may_mix:
            return ""
        text = pl.col("raw occurred_at")
        zoned, number = text.str.contains(ZONED), text.str.contains(r"^\s*-?\d+(?:\.\d*)?\s*$")
        bare, read = ~zoned & ~number, pl.col("occurred_at").is_not_null()
        with readable(self.name):
            # Most logs are of one kind, which the texts alone tell sooner than reading them as times.
            if not all(self._rows.select(zoned.any(), bare=bare.any()).collect(engine="streaming").row(0)):
                return ""
            counts = (
                self._rows.select(bare=(bare & read).sum(), read=read.sum())
                .collect(engine="streaming")
                .row(0)
            )
        if not 0 < counts[0] < counts[1]:
            return ""
        return f"{counts[0]:,} of {counts[1]:,} times have no zone: read as UTC; say timezone=…"


def name_of(obj: object) -> str:
    """What a log is called that is read from it."""
    if isinstance(obj, (list, tuple)):
        return ", ".join(map(str, obj[:3])) + (f" and {len(obj) - 3} more" if len(obj) > 3 else "")
    return str(obj) if isinstance(obj, (str, Path)) else "the frame"
