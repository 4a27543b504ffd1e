"""Made-up logs: a journey run over an invented audience, as the canonical event log.

Every run is a number and every column an array: the simulation goes from point to point, and all
runs that reached a point are moved on at once. What may end a run from outside (a goal, a cancel
event, a timeout) is a moment kept beside it; whoever would stay at a point past that moment is
taken out there. So the log obeys METRICS.md, section 2, by construction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC as utc
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from journey_nb.events.words import COLUMNS, INTERNAL_ERRORS, KINDS, REASONS, SKIPS
from journey_nb.files import whole
from journey_nb.journey import CHANNELS, ENTRY_TYPES, Journey, Point, Version, wanted, zoned
from journey_nb.reading import filled

Array = npt.NDArray[Any]
Progress = Callable[[int, int], None]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = np.iinfo(np.int64).max
MOST_STEPS = 1_000  # a run that went round a loop this often is timed out


@dataclass(frozen=True)
class Response:
    """How people answer the messages of a channel: shares of 0 to 1, and a median in minutes.

    ``delivered`` is a share of the messages sent (in-app: shown); ``opened`` and ``machine`` are
    shares of those delivered, ``clicked``, ``replied``, ``unsubscribed`` and ``complained`` of those
    opened; ``interacted`` and ``dismissed`` of those shown.
    """

    failed: float = 0.012
    bounced: float = 0.004
    skipped: float = 0.02
    delivered: float = 0.97
    opened: float = 0.0
    machine: float = 0.0
    clicked: float = 0.0
    interacted: float = 0.0
    dismissed: float = 0.0
    replied: float = 0.0
    unsubscribed: float = 0.0
    complained: float = 0.0
    minutes: float = 60.0


RESPONSES: Mapping[str, Response] = {
    "push": Response(delivered=0.94, opened=0.09, clicked=0.35, skipped=0.03, unsubscribed=0.01, minutes=25),
    "web_push": Response(
        delivered=0.90, opened=0.06, clicked=0.45, skipped=0.03, unsubscribed=0.02, minutes=20
    ),
    "email": Response(
        bounced=0.006,
        opened=0.25,
        machine=0.22,
        clicked=0.12,
        unsubscribed=0.012,
        complained=0.001,
        minutes=190,
    ),
    "sms": Response(delivered=0.96, skipped=0.015, minutes=12),
    "in_app": Response(failed=0.004, bounced=0, delivered=0.62, interacted=0.21, dismissed=0.55, minutes=300),
    "whatsapp": Response(
        delivered=0.95, opened=0.66, clicked=0.11, replied=0.04, unsubscribed=0.008, minutes=45
    ),
    "line": Response(delivered=0.97, opened=0.55, clicked=0.08, minutes=40),
    "kakao": Response(delivered=0.97, opened=0.50, clicked=0.07, minutes=40),
    "webhook": Response(delivered=0.99, skipped=0.005, minutes=1),
    "other": Response(delivered=0.95, opened=0.15, clicked=0.15, minutes=90),
}

# What goes wrong on which channel, the most frequent first.
FAILURES: Mapping[str, tuple[str, ...]] = {
    "push": ("token_invalid", "app_uninstalled", "provider_error", "send_unknown"),
    "web_push": ("token_invalid", "provider_error", "send_unknown"),
    "email": ("address_invalid", "provider_error", "gateway_blocked", "send_unknown"),
    "sms": ("carrier_rejected", "gateway_blocked", "address_invalid", "provider_error"),
    "in_app": ("app_uninstalled", "provider_error"),
    "whatsapp": ("address_invalid", "gateway_blocked", "carrier_rejected", "provider_error"),
}
BOUNCES: Mapping[str, tuple[str, ...]] = {
    "push": ("token_invalid", "app_uninstalled"),
    "email": ("hard_bounce", "gateway_blocked"),
    "sms": ("carrier_rejected",),
}
SKIPPED: Mapping[str, tuple[str, ...]] = {
    "push": (
        "opted_out",
        "frequency_capped",
        "not_reachable",
        "quiet_hours_lapsed",
        "duplicate",
        "skip_unknown",
    ),
    "email": ("opted_out", "frequency_capped", "content_aborted", "filtered", "duplicate", "skip_unknown"),
    "in_app": ("frequency_capped", "content_aborted", "not_reachable", "filtered"),
}
OTHER_SKIPS = tuple(word for word in SKIPS if word not in ("control_group", "no_device"))
DEVICE_CHANNELS = ("push", "web_push", "in_app")
VENDOR_WORDS = {
    "internal_unknown": "pipeline stage 7 returned 499",
    "send_unknown": "vendor code 1207",
    "skip_unknown": "suppressed by policy 12",
    "wait_unknown": "held for review",
}


@dataclass(frozen=True)
class Behaviour:
    """What the invented people do; shares of 0 to 1 unless said.

    A point may have its own way: ``settings["behaviour"]`` takes the fields of :class:`Response` on
    a message, ``triggered`` on a wait for a trigger, ``yes`` on a condition, ``reachable`` on a
    reachability check and ``lift`` (branch key → factor) on an A/B/n split.

    Examples
    --------
    >>> from journey_nb.simulate import Behaviour
    >>> Behaviour(goals={"purchase": 0.2}, holdout=0.0).goals["purchase"]
    0.2
    """

    responses: Mapping[str, Response] = field(default_factory=lambda: RESPONSES)
    joins: float = 0.97  # of the audience ever enter
    reentry: float = 0.12  # of finished runs are followed by another one
    holdout: float = 0.03  # users whom no message may reach (control group)
    second_device: float = 0.25
    no_device: float = 0.02
    follows: float = 0.7  # runs under way that go over to a newly published version
    triggered: float = 0.45
    yes: float = 0.4
    reachable: float = 0.82
    goal: float = 0.06  # reached without any help, per run
    goals: Mapping[str, float] = field(default_factory=dict)  # the same by goal_id
    after_click: float = 0.17  # a click, reply or interaction leads to a goal
    after_open: float = 0.035
    after_send: float = 0.006
    value: float = 45.0  # median of what a goal with a value_field is worth
    currencies: tuple[str, ...] = ("EUR",)
    cancelled: float = 0.06
    removed: float = 0.002
    timed_out: float = 0.003
    exit_criteria: float = 0.004
    error: float = 0.0006  # internal errors, per point passed
    fatal: float = 0.35  # of failed messages end the run
    stuck: float = 0.0005  # of waits never end


# Who pays answers more: so that the attributes of the audience tell something.
PLANS = ("free", "plus", "business")
PLAN_SHARES = (0.71, 0.22, 0.07)
PLAN_APPEAL = np.array([1.0, 1.25, 1.5])


def audience(users: int, seed: int = 0) -> pl.DataFrame:
    """The made-up people of a simulation: one row per user and their attributes.

    Examples
    --------
    >>> from journey_nb.simulate import audience
    >>> audience(3).columns
    ['user_id', 'country', 'language', 'platform', 'plan', 'age_group']
    """
    people = np.arange(users)

    def drawn(salt: str, words: tuple[str, ...], shares: tuple[float, ...]) -> pl.Series:
        return _gather(words, _choice(_chance(people, seed, salt), shares))

    country = drawn("country", ("FR", "DE", "ES", "IT", "GB", "PL"), (0.42, 0.18, 0.13, 0.11, 0.10, 0.06))
    languages = {"FR": "fr", "DE": "de", "ES": "es", "IT": "it", "GB": "en", "PL": "pl"}
    return pl.DataFrame(
        {
            "user_id": _user_ids(0, users),
            "country": country,
            "language": country.replace_strict(languages, return_dtype=pl.String),
            "platform": drawn("platform", ("Android", "iOS", "Web"), (0.52, 0.39, 0.09)),
            "plan": drawn("plan", PLANS, PLAN_SHARES),
            "age_group": drawn("age", ("18–24", "25–34", "35–49", "50+"), (0.17, 0.34, 0.31, 0.18)),
        }
    )


def simulate(
    journey: Journey,
    users: int = 20_000,
    *,
    seed: int = 0,
    start: datetime | None = None,
    days: int = 90,
    behaviour: Behaviour | None = None,
    dirty: float = 0.0,
) -> pl.DataFrame:
    """Run a journey over a made-up audience; the same arguments give the same log, byte for byte.

    Parameters
    ----------
    journey
        A designed journey. All its published versions take part, each from its ``published_at``.
    users
        Size of the audience; :func:`audience` with the same ``seed`` gives their attributes.
    start
        When the log begins (a time without a zone is UTC); by default when the journey was launched.
    days
        Length of the log in local calendar days. Who is under way at its end stays under way.
    behaviour
        What people do; see :class:`Behaviour`.
    dirty
        Share of the rows that come twice, and share of the rows that come late (out of order).

    Returns
    -------
    polars.DataFrame
        The canonical log (METRICS.md, section 2), ordered by time.

    Examples
    --------
    >>> from journey_nb import Journey
    >>> from journey_nb.simulate import simulate
    >>> log = simulate(Journey.sample("welcome"), users=100)
    >>> log["kind"][0]
    'run.entered'
    """
    plan = _Plan.of(journey, users, seed, start, days, behaviour or Behaviour())
    return next(_chunks(plan, max(users, 1), dirty))


def simulate_to(
    path: str | Path,
    journey: Journey,
    users: int = 20_000,
    *,
    seed: int = 0,
    start: datetime | None = None,
    days: int = 90,
    behaviour: Behaviour | None = None,
    dirty: float = 0.0,
    chunk: int = 25_000,
    progress: Progress | None = None,
) -> Path:
    """Simulate into a Parquet file, a chunk of users at a time, for logs larger than memory.

    Takes the arguments of :func:`simulate`, and with ``users`` ≤ ``chunk`` writes the same rows; with
    more it is as deterministic, but rows are ordered by time within each chunk only. ``progress`` is
    called after each chunk with the users done and the users in all. The file appears whole or not
    at all.
    """
    from polars.io.plugins import register_io_source

    plan = _Plan.of(journey, users, seed, start, days, behaviour or Behaviour())

    def source(*_: object) -> Iterator[pl.DataFrame]:
        yield from _chunks(plan, chunk, dirty, progress)

    with whole(path) as part:
        register_io_source(source, schema=COLUMNS).sink_parquet(part, engine="streaming")
    return Path(path)


def _chunks(
    plan: _Plan, chunk: int, dirty: float, progress: Progress | None = None
) -> Iterator[pl.DataFrame]:
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; give 1 or more users at a time")
    counts = _Counts()
    for first in range(0, max(plan.users, 1), chunk):
        last = min(first + chunk, plan.users)
        rng = np.random.Generator(np.random.PCG64([plan.seed, first]))
        log = _Simulation(plan, first, last, rng).run().frame(plan, first, last, counts)
        yield _soil(log, dirty, plan.seed + first)
        if progress:
            progress(last, plan.users)


def _soil(log: pl.DataFrame, dirty: float, seed: int) -> pl.DataFrame:
    """Let a share of the rows come twice and another share come late; no row is made wrong."""
    if not dirty or log.is_empty():
        return log
    if not 0 <= dirty <= 1:
        raise ValueError(f"dirty is {dirty}; give a share of 0 to 1")
    rng = np.random.Generator(np.random.PCG64([seed, 1]))
    rows = np.concatenate([np.arange(len(log)), np.flatnonzero(rng.random(len(log)) < dirty)])
    place = rows + np.where(rng.random(len(rows)) < dirty, rng.exponential(len(log) / 10, len(rows)), 0)
    return log[rows[np.argsort(place, kind="stable")]]


# What stands before a simulation begins ----------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """A journey made ready: its versions in order, the span of the log, and the words it uses."""

    journey: Journey
    users: int
    seed: int
    behaviour: Behaviour
    clock: _Clock
    versions: tuple[Version, ...]
    since: Array  # when each version came into force
    points: tuple[str, ...]
    prefix: str

    @classmethod
    def of(
        cls, journey: Journey, users: int, seed: int, start: datetime | None, days: int, behaviour: Behaviour
    ) -> _Plan:
        if users < 0 or days < 1:
            raise ValueError(f"users is {users} and days is {days}; give 0 or more users and 1 or more days")
        published = [version for version in wanted(journey).versions if version.published_at is not None]
        versions = sorted(
            published or journey.versions,
            key=lambda version: (_micros(version.published_at), version.version),
        )
        for version in versions:
            if odd := [point.point_id for point in version.points if point.type == "activity"]:
                raise ValueError(
                    f"{odd[0]!r} in version {version.version} of {journey.label!r} is an activity, which only "
                    "discovered journeys have and nobody can simulate; give it another type, such as message"
                )
            if not any(point.is_entry for point in version.points):
                raise ValueError(
                    f"version {version.version} of {journey.label!r} has no entry point; add an entry_trigger"
                )
        since = np.array([_micros(version.published_at) for version in versions], dtype=np.int64)
        since[0] = 0
        told = start or journey.launched_at or versions[0].published_at
        begin = zoned(told) if told else datetime(2026, 3, 2, tzinfo=utc)
        mark = f"{journey.journey_id}|{users}|{seed}|{begin.isoformat()}|{days}"
        return cls(
            journey=journey,
            users=users,
            seed=seed,
            behaviour=behaviour,
            clock=_Clock.of(journey.timezone, _micros(begin), days),
            versions=tuple(versions),
            since=since,
            points=tuple(journey.points()),
            prefix=hashlib.sha256(mark.encode()).hexdigest()[:8],
        )


@dataclass(frozen=True)
class _Clock:
    """The journey's local time over the span of the log, with its changes of offset."""

    start: int
    end: int
    changes: Array
    offsets: Array

    @classmethod
    def of(cls, zone: str, start: int, days: int) -> _Clock:
        instants = pl.Series(np.arange(start - 2 * DAY, start + (days + 40) * DAY, 15 * MINUTE)).cast(
            pl.Datetime("us", "UTC")
        )
        local = instants.dt.convert_time_zone(zone)
        offsets = (local.dt.replace_time_zone(None).to_physical() - instants.to_physical()).to_numpy()
        turns = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
        clock = cls(start, 0, instants.to_physical().to_numpy()[turns], offsets[turns])
        last = clock.local(np.array([start])) // DAY * DAY + days * DAY
        return replace(clock, end=int(clock.utc(last)[0]))

    def local(self, at: Array) -> Array:
        offset: Array = self.offsets[np.searchsorted(self.changes, at, side="right") - 1]
        return at + offset

    def utc(self, local: Array) -> Array:
        """The instant of a local time; one that the clocks skip is read an hour on."""
        guess = local - (self.local(local) - local)
        instant: Array = local - (self.local(guess) - guess)
        return instant

    def next(self, at: Array, time: str) -> Array:
        """The first instant from then on at which the clocks show that time."""
        local = self.local(at)
        target = local // DAY * DAY + _time_of_day(time)
        return np.maximum(self.utc(np.where(target < local, target + DAY, target)), at)

    def within(self, at: Array, opens: str, closes: str) -> Array:
        """Whether the clocks show a time in [opens, closes), which may go over midnight."""
        time, low, high = self.local(at) % DAY, _time_of_day(opens), _time_of_day(closes)
        return (low <= time) & (time < high) if low <= high else (low <= time) | (time < high)


# The runs and what happens to them ---------------------------------------------------------------


class _Stay(NamedTuple):
    """How a visit ends: when, by which branch (a code), and the error that ends the run (a code, or 0)."""

    leave: Array
    key: Array
    error: Array


class _Visit(NamedTuple):
    """All runs that arrived at a point of one version, to be moved on together."""

    version: int
    point: Point
    run: Array
    at: Array
    gone: Array  # when a newer version takes the point away under a run that follows it


class _Words:
    """Words by number; 0 is no word."""

    def __init__(self, words: tuple[str, ...] = ()) -> None:
        self.codes: dict[str, int] = {}
        for word in words:
            self[word]

    def __getitem__(self, word: str) -> int:
        return self.codes.setdefault(word, len(self.codes) + 1)

    def codes_of(self, words: tuple[str, ...]) -> Array:
        return np.array([self[word] for word in words], dtype=np.int64)

    def series(self, codes: Array, dtype: pl.DataType | None = None) -> pl.Series:
        return _gather((None, *self.codes), codes, dtype)


class _Counts:
    """How many events, runs and messages the chunks before have numbered."""

    events = runs = messages = 0


class _Log:
    """The rows written so far, a batch of arrays for each; a time past the end is not written."""

    def __init__(self, end: int, points: tuple[str, ...]) -> None:
        self.end = end
        self.parts: list[tuple[int, Array, Array, dict[str, Any]]] = []
        self.messages = 0
        self.kinds, self.channels, self.reasons = _Words(KINDS), _Words(CHANNELS), _Words(REASONS)
        self.points, self.branches, self.variants = _Words(points), _Words(), _Words()
        self.goals, self.details, self.currencies = _Words(), _Words(), _Words()
        self.users = np.zeros(0, dtype=np.int32)

    def add(self, kind: str, run: Array, at: Array, **columns: Any) -> None:
        keep = at < self.end
        if not keep.all():
            run, at = run[keep], at[keep]
            columns = {
                name: value[keep] if isinstance(value, np.ndarray) else value
                for name, value in columns.items()
            }
        if len(run):
            self.parts.append((self.kinds[kind], run, at, columns))

    def new_messages(self, count: int) -> Array:
        self.messages += count
        return np.arange(self.messages - count + 1, self.messages + 1)

    def column(self, name: str, dtype: Any = np.int64, default: float = 0) -> Array:
        column = np.full(sum(len(part[1]) for part in self.parts), default, dtype=dtype)
        begin = 0
        for _, run, _, columns in self.parts:
            if name in columns:
                column[begin : begin + len(run)] = columns[name]
            begin += len(run)
        return column

    def frame(self, plan: _Plan, first: int, last: int, counts: _Counts) -> pl.DataFrame:
        """The canonical log of a chunk, ordered by time."""
        if not self.parts:
            return pl.DataFrame(schema=COLUMNS)
        kind = np.repeat([part[0] for part in self.parts], [len(part[1]) for part in self.parts])
        run = np.concatenate([part[1] for part in self.parts], dtype=np.int32, casting="same_kind")
        at = np.concatenate([part[2] for part in self.parts])
        order = _order(at)  # what was written first happened first
        run, at = run[order], at[order]
        seq = _count_up(run)

        def taken(name: str, dtype: Any = np.uint16, default: float = 0) -> Array:
            return self.column(name, dtype, default)[order]

        user, device = self.users[run], taken("device", np.int8)
        due, message = taken("due", np.int64), taken("message", np.int32)
        number = np.array([version.version for version in plan.versions], dtype=np.int32)
        frame = pl.DataFrame(
            {
                "event_id": _numbered(f"{plan.prefix}-", counts.events, len(at)),
                "occurred_at": at,
                "kind": self.kinds.series(kind[order], COLUMNS["kind"]),
                "user_id": _user_ids(first, last).gather(user),
                "device_id": _nullable(_device_ids(first, last)).gather(
                    np.where(device > 0, user * 2 + device, 0)
                ),
                "journey_id": pl.repeat(plan.journey.journey_id, len(at), dtype=pl.String, eager=True),
                "version": number[taken("version", np.int16)],
                "run_id": _nullable(_numbered(f"{plan.prefix}-r", counts.runs, len(self.users))).gather(
                    np.where(taken("nameless", np.bool_), 0, run + 1)
                ),
                "point_id": self.points.series(taken("point")),
                "branch": self.branches.series(taken("branch")),
                "channel": self.channels.series(taken("channel"), COLUMNS["channel"]),
                "message_id": _nullable(_numbered(f"{plan.prefix}-m", counts.messages, self.messages)).gather(
                    message
                ),
                "variant": self.variants.series(taken("variant")),
                "goal_id": self.goals.series(taken("goal")),
                "reason": self.reasons.series(taken("reason"), COLUMNS["reason"]),
                "reason_detail": self.details.series(taken("detail")),
                "due_at": pl.Series(due).set(pl.Series(due == 0), None),
                "value": pl.Series(taken("value", np.float64, np.nan)).fill_nan(None),
                "currency": self.currencies.series(taken("currency")),
                "is_machine": _gather((None, False, True), taken("machine", np.int8)),
                "seq": seq,
                "source": pl.repeat("simulate", len(at), dtype=pl.String, eager=True),
            }
        )
        counts.events, counts.runs = counts.events + len(at), counts.runs + len(self.users)
        counts.messages += self.messages
        return frame.cast({name: COLUMNS[name] for name in ("occurred_at", "due_at", "version", "seq")})


class _Simulation:
    """The runs of one chunk of users, as arrays by run number, and the queue of those who arrive."""

    def __init__(self, plan: _Plan, first: int, last: int, rng: np.random.Generator) -> None:
        self.plan, self.first, self.rng, self.act = plan, first, rng, plan.behaviour
        self.clock = plan.clock
        self.log = _Log(plan.clock.end, plan.points)
        self.people = np.arange(first, last)
        self.queue: dict[tuple[int, str], list[tuple[Array, Array]]] = {}
        self.ranks = [_ranks(version) for version in plan.versions]
        self.held_out = _chance(self.people, plan.seed, "holdout") < self.act.holdout
        self.devices = self._devices()
        self.currency = self.log.currencies.codes_of(self.act.currencies)[
            _choice(_chance(self.people, plan.seed, "currency"), _falling(len(self.act.currencies)))
        ]
        self.ways = {
            "delay": self._delay,
            "wait_for_trigger": self._trigger,
            "rate_limit": self._rate_limit,
            "message": self._message,
            "webhook": self._webhook,
            "update_profile": self._update,
            "split_condition": self._condition,
            "split_segment": self._split,
            "split_abn": self._variant,
            "reachability_check": self._reachability,
            **dict.fromkeys(ENTRY_TYPES, self._instant),
        }
        self.user = self.left = self.stop = self.why = self.detail = np.zeros(0, dtype=np.int64)
        self.entered_with = self.variant = self.steps = np.zeros(0, dtype=np.int64)
        self.follows, self.appeal = np.zeros(0, dtype=np.bool_), np.zeros(0)

    def run(self) -> _Log:
        """Let everybody enter, and those who finished perhaps once more, until nobody is left."""
        user, at, way = self._first_entries()
        while len(user):
            begin = len(self.user)
            self._enter(user, at, way)
            while self.queue:
                # Points in the order of the graph, so that all who arrive at one go on together.
                version, point_id = min(self.queue, key=lambda key: (key[0], self.ranks[key[0]][key[1]]))
                arrivals = self.queue.pop((version, point_id))
                run, times = (np.concatenate(arrays) for arrays in zip(*arrivals, strict=True))
                self._visit(version, point_id, run, times)
            user, at, way = self._further_entries(begin)
        self.log.users = self.user.astype(np.int32)
        return self.log

    # Entries

    def _first_entries(self) -> tuple[Array, Array, Array]:
        entries = [point for point in self.plan.versions[0].points if point.is_entry]
        joins = _chance(self.people, self.plan.seed, "joins") < self.act.joins
        user = np.flatnonzero(joins)
        way = self.rng.integers(0, len(entries), len(user))
        at = np.zeros(len(user), dtype=np.int64)
        for number, point in enumerate(entries):
            here = way == number
            at[here] = self._entry_times(point, int(here.sum()))
        inside = (self.clock.start <= at) & (at < self._closes())
        return user[inside], at[inside], way[inside]

    def _entry_times(self, point: Point, count: int) -> Array:
        """Local days and hours at which people come: by their own doing, or all at the audience's hour."""
        begin = self.clock.local(np.array([self.clock.start]))[0] // DAY
        days = int(self.clock.local(np.array([self.clock.end]))[0] // DAY - begin)
        if point.type == "entry_audience":
            day = np.where(self.rng.random(count) < 0.55, 0, self.rng.integers(0, max(days - 7, 1), count))
            hour = str(point.settings.get("at", "10:00"))
            moment = _time_of_day(hour) + self.rng.integers(0, 20 * MINUTE, count)
        else:
            weight = np.exp(-np.arange(days) / (1.5 * days)) * np.where(
                (np.arange(days) + begin + 3) % 7 >= 5, 0.8, 1
            )
            day = self.rng.choice(days, count, p=weight / weight.sum())
            hours = np.array(
                [2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 8, 9, 8, 7, 7, 8, 9, 10, 11, 11, 9, 6, 4], dtype=float
            )
            hour_of = self.rng.choice(24, count, p=hours / hours.sum())
            moment = hour_of * HOUR + self.rng.integers(0, HOUR, count)
        local = (begin + day) * DAY + moment
        late = self.clock.utc(local) < self.clock.start  # the hour of the first day is over: on the next
        return self.clock.utc(np.where(late, local + DAY, local))

    def _further_entries(self, begin: int) -> tuple[Array, Array, Array]:
        run = np.arange(begin, len(self.user))
        run = run[(self.left[run] < NEVER) & (self.rng.random(len(run)) < self.act.reentry)]
        at = self.left[run] + HOUR + (self.rng.exponential(9.0, len(run)) * DAY).astype(np.int64)
        inside = at < self._closes()
        return self.user[run[inside]], at[inside], np.zeros(int(inside.sum()), dtype=np.int64)

    def _closes(self) -> int:
        finished = self.plan.journey.finished_at
        return min(self.clock.end, _micros(finished)) if finished else self.clock.end

    def _enter(self, user: Array, at: Array, way: Array) -> None:
        count, rng = len(user), self.rng
        run = np.arange(len(self.user), len(self.user) + count)
        version = np.maximum(np.searchsorted(self.plan.since, at, side="right") - 1, 0)
        tier = _choice(_chance(self.people[user], self.plan.seed, "plan"), PLAN_SHARES)
        self.user = np.concatenate([self.user, user])
        self.left = np.concatenate([self.left, np.full(count, NEVER)])
        self.entered_with = np.concatenate([self.entered_with, version])
        self.variant = np.concatenate([self.variant, np.zeros(count, dtype=np.int64)])
        self.steps = np.concatenate([self.steps, np.zeros(count, dtype=np.int64)])
        self.follows = np.concatenate([self.follows, rng.random(count) < self.act.follows])
        self.appeal = np.concatenate([self.appeal, PLAN_APPEAL[tier] * rng.lognormal(-0.15, 0.35, count)])
        for name in ("stop", "why", "detail"):
            rest = np.full(count, NEVER if name == "stop" else 0, dtype=np.int64)
            setattr(self, name, np.concatenate([getattr(self, name), rest]))
        self._fates(run, at)
        for number in np.unique(version):
            entries = [point.point_id for point in self.plan.versions[number].points if point.is_entry]
            for place, point_id in enumerate(entries):
                here = (version == number) & (np.minimum(way, len(entries) - 1) == place)
                self.log.add(
                    "run.entered", run[here], at[here], version=number,
                    point=self.log.points[point_id], device=self._device(run[here]),
                )  # fmt: skip
                self._arrive(int(number), point_id, run[here], at[here])

    def _fates(self, run: Array, at: Array) -> None:
        """What will happen from outside: goals reached unhelped, cancel events, ends by rule."""
        act, journey = self.act, self.plan.journey
        for number, goal in enumerate(journey.goals):
            share = act.goals.get(goal.goal_id, act.goal / (1 + number))
            hit = self.rng.random(len(run)) < share * self.appeal[run]
            self._reach(number, run[hit], at[hit] + self._spread(4 * DAY, int(hit.sum()), 1.6))
        for event in journey.cancel_events:
            share = act.cancelled / len(journey.cancel_events)
            self._end_some(run, at, share, 8 * HOUR, "cancel_event", event)
        self._end_some(run, at, act.exit_criteria, 2 * DAY, "exit_criteria", "left the audience")
        self._end_some(run, at, act.timed_out, 6 * DAY, "timed_out")
        self._end_some(run, at, act.removed, 3 * DAY, "removed", "removed by hand")
        if journey.finished_at is not None:
            self._end(run, np.full(len(run), _micros(journey.finished_at)), "journey_finished")

    def _end_some(
        self, run: Array, at: Array, share: float, median: int, reason: str, detail: str = ""
    ) -> None:
        hit = self.rng.random(len(run)) < share
        self._end(run[hit], at[hit] + self._spread(median, int(hit.sum())), reason, detail)

    def _end(self, run: Array, at: Array, reason: str, detail: str = "") -> None:
        """Let runs end at that time unless something ends them before."""
        first = at < self.stop[run]
        run = run[first]
        self.stop[run] = at[first]
        self.why[run] = self.log.reasons[reason]
        self.detail[run] = self.log.details[detail] if detail else 0

    def _reach(self, number: int, run: Array, at: Array) -> None:
        """Goals reached; some twice, a few told without their run; a goal may end the journey."""
        goal = self.plan.journey.goals[number]
        again = self.rng.random(len(run)) < (0.12 if goal.value_field else 0.04)
        later = at[again] + self._spread(3 * DAY, int(again.sum()))
        for runs, times in ((run, at), (run[again], later)):
            columns: dict[str, Any] = {"goal": self.log.goals[goal.goal_id], "device": self._device(runs)}
            if goal.value_field:
                value = self.rng.lognormal(np.log(self.act.value), 0.6, len(runs))
                columns |= {"value": np.round(value, 2), "currency": self.currency[self.user[runs]]}
            nameless = self.rng.random(len(runs)) < 0.04
            self.log.add(
                "goal.reached", runs, times, version=self._version(runs, times), nameless=nameless, **columns
            )
        if goal.ends_journey:
            self._end(run, at, "goal", goal.goal_id)

    # Moving on

    def _arrive(self, version: int, point_id: str, run: Array, at: Array) -> None:
        if len(run):
            self.queue.setdefault((version, point_id), []).append((run, at))

    def _visit(self, version: int, point_id: str, run: Array, at: Array) -> None:
        point = self.plan.versions[version].point(point_id)
        visit = _Visit(version, point, run, at, self._gone(point_id, run, at))
        self.steps[run] += 1
        if point.type == "exit":
            self._exit(visit, np.ones(len(run), dtype=np.bool_), at, self.log.reasons["completed"], 0)
            return
        stay = self.ways[point.type](visit)
        self._leave(visit, self._mishaps(visit, stay))

    def _leave(self, visit: _Visit, stay: _Stay) -> None:
        run, leave, end = visit.run, stay.leave, self.clock.end
        stop = np.minimum(self.stop[run], visit.gone)
        taken = visit.gone < self.stop[run]
        cut = (stop <= leave) & (stop < end)
        why = np.where(taken, self.log.reasons["version_removed"], self.why[run])
        self._exit(visit, cut, stop, why, np.where(taken, 0, self.detail[run]))
        going = ~cut & (leave < end)
        failed = going & (stay.error > 0)
        self._exit(visit, failed, leave, stay.error, self._vendor(stay.error))
        going &= ~failed
        versions = self._version(run, leave)
        for number in np.unique(versions[going]):
            self._take(visit, stay, int(number), going & (versions == number))

    def _take(self, visit: _Visit, stay: _Stay, number: int, going: Array) -> None:
        """Runs leave by the branches of the version in force; without one they are at a dead end."""
        ways = self.plan.versions[number].outgoing(visit.point.point_id)
        codes = [self.log.branches[branch.key] for branch in ways]
        plain = self.log.branches["default"]
        key = stay.key if plain not in codes else np.where(np.isin(stay.key, codes), stay.key, plain)
        for branch, code in zip(ways, codes, strict=True):
            here = going & (key == code)
            run, leave = visit.run[here], stay.leave[here]
            self.log.add("point.completed", run, leave, branch=code, **self._here(visit, leave, here))
            target, device = self.log.points[branch.target], self._device(run)
            self.log.add("point.entered", run, leave, point=target, version=number, device=device)
            self._arrive(number, branch.target, run, leave)
        lost = going & ~np.isin(key, codes)
        self._exit(visit, lost, stay.leave, self.log.reasons["dead_end"], 0)

    def _exit(self, visit: _Visit, here: Array, at: Array, reason: Any, detail: Any) -> None:
        if not here.any():
            return
        run, times = visit.run[here], at[here]
        self.left[run] = times
        # A run that a new version takes out leaves as the old one had it: by the version just before.
        version = np.maximum(self._version(run, times - 1), visit.version)
        columns = self._here(visit, times, here) | {"version": version}
        columns |= {"reason": _at(reason, here), "detail": _at(detail, here)}
        self.log.add("run.exited", run, times, **columns)

    def _mishaps(self, visit: _Visit, stay: _Stay) -> _Stay:
        """Now and then something goes wrong inside; who went round for ever is timed out."""
        count, rng = len(visit.run), self.rng
        wrong = rng.random(count) < self.act.error
        codes = self.log.reasons.codes_of(INTERNAL_ERRORS)[
            _choice(rng.random(count), _falling(len(INTERNAL_ERRORS)))
        ]
        error = np.where((stay.error == 0) & wrong, codes, stay.error)
        endless = self.steps[visit.run] >= MOST_STEPS
        return stay._replace(error=np.where(endless, self.log.reasons["timed_out"], error))

    def _version(self, run: Array, at: Array) -> Array:
        """The version (its place in the plan) that a run obeys at a time."""
        entered = self.entered_with[run]
        if len(self.plan.versions) == 1:
            return entered
        force = np.searchsorted(self.plan.since, at, side="right") - 1
        return np.where(self.follows[run], np.maximum(force, entered), entered)

    def _gone(self, point_id: str, run: Array, at: Array) -> Array:
        gone = np.full(len(run), NEVER)
        for version, since in reversed(list(zip(self.plan.versions, self.plan.since, strict=True))):
            if point_id not in version:
                gone[self.follows[run] & (at < since)] = since
        return gone

    def _alive(self, visit: _Visit, at: Array) -> Array:
        """Whether runs are still at the point at that time, so that it may act."""
        return (at < self.stop[visit.run]) & (at < visit.gone) & (at < self.clock.end)

    # The points

    def _here(self, visit: _Visit, at: Array, here: Array) -> dict[str, Any]:
        """The columns of every row that a visit writes."""
        run = visit.run[here]
        return {
            "point": self.log.points[visit.point.point_id],
            "version": self._version(run, at),
            "device": self._device(run),
        }

    def _stay(self, leave: Array, key: str | Array = "default") -> _Stay:
        code = np.full(len(leave), self.log.branches[key]) if isinstance(key, str) else key
        return _Stay(leave, code, np.zeros(len(leave), dtype=np.int64))

    def _wait(self, visit: _Visit, at: Array, due: Array, reason: str, here: Array | None = None) -> None:
        """Write that runs are held from that time until they are due."""
        held = self._alive(visit, at) if here is None else here & self._alive(visit, at)
        columns = self._here(visit, at[held], held) | {"reason": self.log.reasons[reason], "due": due[held]}
        if reason in VENDOR_WORDS:
            columns["detail"] = self.log.details[VENDOR_WORDS[reason]]
        self.log.add("wait.started", visit.run[held], at[held], **columns)

    def _after(self, due: Array) -> Array:
        """When a wait really ends: seconds late, and now and then never."""
        late = self.rng.integers(0, 40 * SECOND, len(due))
        return np.where(self.rng.random(len(due)) < self.act.stuck, NEVER, due + late)

    def _instant(self, visit: _Visit) -> _Stay:
        return self._stay(visit.at + self.rng.integers(50_000, 2 * SECOND, len(visit.run)))

    def _delay(self, visit: _Visit) -> _Stay:
        due = self._due(visit.at, visit.point.settings, DAY)
        self._wait(visit, visit.at, due, "delay")
        return self._stay(self._after(due))

    def _due(self, at: Array, settings: Mapping[str, Any], default: int) -> Array:
        """The end of a wait: so many days, hours and minutes on, or that many local days on at a time."""
        span = round(
            (settings.get("days", 0) * 1440 + settings.get("hours", 0) * 60 + settings.get("minutes", 0))
            * MINUTE
        )
        if "at" in settings:
            day = (self.clock.local(at) + span) // DAY * DAY
            due = self.clock.utc(day + _time_of_day(settings["at"]))
            return np.where(due < at, self.clock.next(at, settings["at"]), due)
        return at + (span or default)

    def _trigger(self, visit: _Visit) -> _Stay:
        count, due = len(visit.run), self._due(visit.at, visit.point.settings, 3 * DAY)
        self._wait(visit, visit.at, due, "trigger")
        keys = [key for key in self._keys(visit) if key.startswith("triggered_")]
        share = _ways(visit.point).get("triggered", self.act.triggered)
        shares = list(share) if isinstance(share, (list, tuple)) else [share / max(len(keys), 1)] * len(keys)
        which = _choice(self.rng.random(count), (*shares, max(1 - sum(shares), 0)))
        codes = self.log.branches.codes_of((*keys, *["not_triggered"] * (len(shares) - len(keys) + 1)))
        soon = visit.at + SECOND + ((due - visit.at) * self.rng.beta(0.8, 3.0, count)).astype(np.int64)
        triggered = which < len(keys)
        return self._stay(np.where(triggered, np.minimum(soon, due), self._after(due)), codes[which])

    def _rate_limit(self, visit: _Visit) -> _Stay:
        median = visit.point.settings.get("minutes", 4) * MINUTE
        due = visit.at + self._spread(round(median), len(visit.run), 0.7)
        self._wait(visit, visit.at, due, "rate_limit")
        return self._stay(self._after(due))

    def _webhook(self, visit: _Visit) -> _Stay:
        return self._message(visit) if visit.point.channel else self._update(visit)

    def _update(self, visit: _Visit) -> _Stay:
        skipped = self.rng.random(len(visit.run)) < 0.004
        self._skip_point(visit, visit.at, skipped, self.log.reasons["filtered"])
        return self._instant(visit)

    def _skip_point(self, visit: _Visit, at: Array, here: Array, reason: Any) -> None:
        here = here & self._alive(visit, at)
        codes = _at(reason, here)
        columns = self._here(visit, at[here], here) | {"reason": codes, "detail": self._vendor(codes)}
        self.log.add("point.skipped", visit.run[here], at[here], **columns)

    def _keys(self, visit: _Visit) -> tuple[str, ...]:
        return tuple(
            branch.key for branch in self.plan.versions[visit.version].outgoing(visit.point.point_id)
        )

    def _luck(self, visit: _Visit, salt: str) -> Array:
        """A user's own chance at a point: the same each time they come, but for a few."""
        chance = _chance(self.people[self.user[visit.run]], self.plan.seed, f"{visit.point.point_id}:{salt}")
        fresh = self.rng.random(len(chance))
        return np.where(self.rng.random(len(chance)) < 0.1, fresh, chance)

    def _condition(self, visit: _Visit) -> _Stay:
        yes = self.rng.random(len(visit.run)) < self._share(visit, "yes", self.act.yes)
        codes = self.log.branches.codes_of(("no", "yes"))
        return self._instant(visit)._replace(key=codes[yes.astype(np.int64)])

    def _share(self, visit: _Visit, key: str, default: float) -> float:
        """A point's own share for a branch, else the one the branch states, else the default."""
        stated = [
            b.share for b in self.plan.versions[visit.version].outgoing(visit.point.point_id) if b.key == key
        ]
        known = stated[0] / 100 if stated and stated[0] is not None else default
        return float(_ways(visit.point).get(key, known))

    def _reachability(self, visit: _Visit) -> _Stay:
        reachable = self._luck(visit, "reachable") < self._share(visit, "reachable", self.act.reachable)
        codes = self.log.branches.codes_of(("not_reachable", "reachable"))
        return self._instant(visit)._replace(key=codes[reachable.astype(np.int64)])

    def _split(self, visit: _Visit) -> _Stay:
        """Segments and variants: by the shares of the branches, else in equal parts."""
        ways = self.plan.versions[visit.version].outgoing(visit.point.point_id)
        if not ways:
            return self._instant(visit)
        shares = [branch.share for branch in ways]
        known = tuple(1.0 if None in shares else float(share or 0) for share in shares)
        codes = self.log.branches.codes_of(tuple(branch.key for branch in ways))
        return self._instant(visit)._replace(key=codes[_choice(self._luck(visit, "split"), known)])

    def _variant(self, visit: _Visit) -> _Stay:
        stay = self._split(visit)
        lifts = _ways(visit.point).get("lift", {})
        for number, key in enumerate(self._keys(visit)):
            run = visit.run[stay.key == self.log.branches[key]]
            self.variant[run] = self.log.variants[key.removeprefix("variant:")]
            self.appeal[run] *= float(lifts.get(key, 1 + 0.2 * number))
        return stay

    # Messages

    def _message(self, visit: _Visit) -> _Stay:
        at = self._hold(visit)
        count, rng, channel = len(visit.run), self.rng, visit.point.channel or "other"
        response = _response(visit.point, channel, self.act)
        user = self.user[visit.run]
        held_out = self.held_out[user]
        unreachable = (self.devices[user] == 0) & (channel in DEVICE_CHANNELS)
        dice = rng.random(count)
        skipped = held_out | unreachable | (dice < response.skipped)
        failed = ~skipped & (dice < response.skipped + response.failed)
        alive = self._alive(visit, at)

        reasons = self._reason(SKIPPED.get(channel, OTHER_SKIPS), count)
        reasons = np.where(unreachable, self.log.reasons["no_device"], reasons)
        reasons = np.where(held_out, self.log.reasons["control_group"], reasons)
        told = held_out | (rng.random(count) < 0.8)
        self._skip_point(visit, at, skipped & ~told, reasons)
        self._attempt("message.skipped", visit, at, alive & skipped & told, reason=reasons)
        failures = self._reason(FAILURES.get(channel, ("provider_error", "send_unknown")), count)
        self._attempt("message.failed", visit, at, alive & failed, reason=failures)

        seen, got = np.full(count, NEVER), np.full(count, NEVER)
        sent = alive & ~skipped & ~failed
        seen[sent], got[sent] = self._send(visit, at[sent], sent, response, channel)
        twice = sent & (self.devices[user] == 2) & (channel in ("push", "web_push"))
        self._send(visit, at[twice], twice, response, channel, device=2)
        stay = self._after_message(visit, at, sent, seen, got)
        fatal = failed & (rng.random(count) < self.act.fatal)
        return stay._replace(error=np.where(fatal, failures, 0))

    def _hold(self, visit: _Visit) -> Array:
        """When the message goes out: at once, at its hour, or when the night is over."""
        settings, at = visit.point.settings, visit.at + self.rng.integers(20_000, 3 * SECOND, len(visit.run))
        if "send_time" in settings:
            due = self.clock.next(at, settings["send_time"])
            self._wait(visit, at, due, "send_time")
            at = due + self.rng.integers(0, 90 * SECOND, len(at))
        if "silent_hours" in settings:
            opens, closes = settings["silent_hours"]
            night = self.clock.within(at, opens, closes)
            due = self.clock.next(at, closes)
            self._wait(visit, at, due, "silent_hours", night)
            at = np.where(night, due + self.rng.integers(0, 90 * SECOND, len(at)), at)
        odd = self.rng.random(len(at)) < 0.0005
        due = at + 5 * MINUTE
        self._wait(visit, at, due, "wait_unknown", odd)
        return np.where(odd, due, at)

    def _attempt(self, kind: str, visit: _Visit, at: Array, here: Array, reason: Array) -> None:
        run, codes = visit.run[here], reason[here]
        columns = self._of_message(visit, at[here], here) | {"reason": codes, "detail": self._vendor(codes)}
        self.log.add(kind, run, at[here], **columns)

    def _of_message(self, visit: _Visit, at: Array, here: Array, device: int = 1) -> dict[str, Any]:
        channel = visit.point.channel or "other"
        run = visit.run[here]
        return self._here(visit, at, here) | {
            "channel": self.log.channels[channel],
            "message": self.log.new_messages(len(run)),
            "variant": self.variant[run],
            "device": np.minimum(self.devices[self.user[run]], device) if channel in DEVICE_CHANNELS else 0,
        }

    def _send(
        self, visit: _Visit, at: Array, here: Array, response: Response, channel: str, device: int = 1
    ) -> tuple[Array, Array]:
        """Send, and all that comes of it; gives when people opened (or interacted) and when it arrived."""
        count, rng, run = len(at), self.rng, visit.run[here]
        columns = self._of_message(visit, at, here, device)
        liking = self.appeal[run]

        def tell(kind: str, which: Array, times: Array, **more: Any) -> None:
            picked = {k: v[which] if isinstance(v, np.ndarray) else v for k, v in (columns | more).items()}
            self.log.add(kind, run[which], times[which], **picked)

        def some(share: float, among: Array) -> Array:
            return among & (rng.random(count) < np.minimum(share * liking, 0.97))

        tell("message.sent", np.ones(count, dtype=np.bool_), at)
        self._stir(run, at, self.act.after_send, DAY)
        bounced = rng.random(count) < response.bounced
        bounce = self._reason(BOUNCES.get(channel, ("provider_error",)), count)
        tell(
            "message.failed",
            bounced,
            at + self._spread(2 * MINUTE, count),
            reason=bounce,
            detail=self._vendor(bounce),
        )
        arrived = ~bounced & (rng.random(count) < response.delivered)
        got = at + self._spread(4 * SECOND, count)
        seen = got + self._spread(round(response.minutes * MINUTE), count, 1.3)
        if channel == "in_app":
            return self._show(run, arrived, seen, some, tell, response)
        tell("message.delivered", arrived, got)
        answered = self._answer(run, arrived, got, seen, some, tell, response)
        return answered, np.where(arrived, got, NEVER)

    def _answer(
        self,
        run: Array,
        arrived: Array,
        got: Array,
        seen: Array,
        some: Callable[..., Array],
        tell: Callable[..., None],
        response: Response,
    ) -> Array:
        """What people do with a message that has arrived; gives when they opened it, or clicked."""
        count, rng = len(run), self.rng
        opened = some(response.opened, arrived)
        if response.opened:
            tell(
                "message.opened",
                arrived & (rng.random(count) < response.machine),
                got + self._spread(20 * SECOND, count),
                machine=2,
            )
            # A few clicks come without the open that a blocked image would have told of.
            tell("message.opened", opened & (rng.random(count) < 0.97), seen, machine=1)
            again = seen + self._spread(10 * HOUR, count)
            tell("message.opened", opened & (rng.random(count) < 0.15), again, machine=1)
        readers = opened if response.opened else arrived
        clicked, click = some(response.clicked, readers), seen + self._spread(15 * SECOND, count)
        tell("message.clicked", clicked, click, machine=1)
        tell(
            "message.clicked",
            clicked & (rng.random(count) < 0.1),
            click + self._spread(MINUTE, count),
            machine=1,
        )
        replied, reply = some(response.replied, readers), seen + self._spread(3 * MINUTE, count)
        tell("message.replied", replied, reply)
        tell(
            "message.unsubscribed",
            some(response.unsubscribed, readers),
            seen + self._spread(30 * SECOND, count),
        )
        tell(
            "message.complained", some(response.complained, readers), seen + self._spread(40 * SECOND, count)
        )
        self._stir(run[opened], seen[opened], self.act.after_open, 3 * HOUR)
        self._stir(run[clicked], click[clicked], self.act.after_click, 25 * MINUTE)
        self._stir(run[replied], reply[replied], self.act.after_click, HOUR)
        return np.where(opened, seen, np.where(clicked, click, NEVER))

    def _show(
        self,
        run: Array,
        shown: Array,
        seen: Array,
        some: Callable[..., Array],
        tell: Callable[..., None],
        response: Response,
    ) -> tuple[Array, Array]:
        """An in-app message: shown when people next come, interacted with or dismissed."""
        count = len(seen)
        tell("message.impression", shown, seen)
        tell("message.impression", shown & (self.rng.random(count) < 0.08), seen + self._spread(DAY, count))
        interacted, answer = some(response.interacted, shown), seen + self._spread(8 * SECOND, count)
        tell("message.interacted", interacted, answer)
        dismissed = shown & (self.rng.random(count) < np.where(interacted, 0.2, response.dismissed))
        tell("message.dismissed", dismissed, answer + self._spread(4 * SECOND, count))
        self._stir(run[interacted], answer[interacted], self.act.after_click, 20 * MINUTE)
        return np.where(interacted, answer, NEVER), np.where(shown, seen, NEVER)

    def _after_message(self, visit: _Visit, at: Array, sent: Array, seen: Array, got: Array) -> _Stay:
        """Go on at once, or wait to see whether the message arrives or is opened where the point asks."""
        leave = at + self.rng.integers(10_000, SECOND, len(at))
        keys, codes = self._keys(visit), self.log.branches
        if "opened" in keys or "not_opened" in keys:
            yes, no, moment, default = codes["opened"], codes["not_opened"], seen, DAY
        elif "delivered" in keys or "not_delivered" in keys:
            yes, no, moment, default = codes["delivered"], codes["not_delivered"], got, HOUR
        else:
            return self._stay(leave)
        wait = {
            name: value
            for name, value in visit.point.settings.items()
            if name in ("days", "hours", "minutes")
        }
        due = self._due(at, wait, default)
        self._wait(visit, at, due, "engagement", sent)
        in_time = sent & (moment <= due)
        end = np.where(in_time, np.maximum(moment, at + 1), np.where(sent, self._after(due), leave))
        return self._stay(end, np.where(in_time, yes, no))

    def _stir(self, run: Array, at: Array, share: float, median: int) -> None:
        """Some of those who were reached go on to a goal; the later a goal is listed, the rarer it is."""
        for number in range(len(self.plan.journey.goals)):
            hit = self.rng.random(len(run)) < np.minimum(share * self.appeal[run] / (1 + number), 0.97)
            self._reach(number, run[hit], at[hit] + self._spread(median, int(hit.sum()), 1.2))

    # Chances

    def _spread(self, median: int, count: int, sigma: float = 0.9) -> Array:
        """Spans of time around a median, with a long tail; at least a moment."""
        spans = np.minimum(self.rng.lognormal(np.log(median), sigma, count), 400.0 * DAY)
        return np.maximum(spans, 1_000).astype(np.int64)

    def _reason(self, words: tuple[str, ...], count: int) -> Array:
        return self.log.reasons.codes_of(words)[_choice(self.rng.random(count), _falling(len(words)))]

    def _vendor(self, reason: Array) -> Array:
        """The vendor's own words beside a reason that says no more than that there was one."""
        detail = np.zeros(len(reason), dtype=np.int64)
        for word, text in VENDOR_WORDS.items():
            detail[reason == self.log.reasons[word]] = self.log.details[text]
        return detail

    def _devices(self) -> Array:
        chance = _chance(self.people, self.plan.seed, "devices")
        return np.select(
            [chance < self.act.no_device, chance < self.act.no_device + self.act.second_device], [0, 2], 1
        )

    def _device(self, run: Array) -> Array:
        return np.minimum(self.devices[self.user[run]], 1)


# Small tools ------------------------------------------------------------------------------------


def _response(point: Point, channel: str, behaviour: Behaviour) -> Response:
    response = behaviour.responses.get(channel, RESPONSES[channel])
    names = {each.name for each in fields(Response)}
    return replace(response, **{name: value for name, value in _ways(point).items() if name in names})


def _ways(point: Point) -> Mapping[str, Any]:
    own = point.settings.get("behaviour")
    return own if isinstance(own, Mapping) else {}


def _ranks(version: Version) -> dict[str, int]:
    """Places of the points in the order of the graph (loops are entered where a run first comes)."""
    done: dict[str, None] = {}
    seen: set[str] = set()
    for start in sorted((point for point in version.points), key=lambda point: not point.is_entry):
        stack = (
            [(start.point_id, iter(version.outgoing(start.point_id)))] if start.point_id not in seen else []
        )
        seen.add(start.point_id)
        while stack:
            step = next(stack[-1][1], None)
            if step is None:
                done[stack.pop()[0]] = None
            elif step.target not in seen:
                seen.add(step.target)
                stack.append((step.target, iter(version.outgoing(step.target))))
    return {point_id: -place for place, point_id in enumerate(done)}


def _chance(people: Array, seed: int, salt: str) -> Array:
    """A number of [0, 1) for each person that depends on nobody else (splitmix64)."""
    key = np.frombuffer(hashlib.sha256(f"{seed}|{salt}".encode()).digest()[:8], dtype=np.uint64)
    mixed = people.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    chance: Array = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / float(2**53)
    return chance


def _choice(chance: Array, shares: tuple[float, ...]) -> Array:
    """Which of several each chance falls on, by their shares."""
    bounds = np.cumsum(np.asarray(shares, dtype=float))
    which: Array = np.searchsorted(bounds, chance * bounds[-1], side="right")
    return np.minimum(which, len(shares) - 1)


def _falling(count: int) -> tuple[float, ...]:
    return tuple(1 / (place + 1) for place in range(count))


def _at(value: Any, here: Array) -> Array:
    """The values of some rows, of an array or of one value for all."""
    return value[here] if isinstance(value, np.ndarray) else np.full(int(here.sum()), value)


def _count_up(run: Array) -> Array:
    """The place of each row among the rows of its run, in the order given."""
    order = _order(run)
    sizes = np.bincount(run)
    place = np.empty(len(run), dtype=np.int64)
    place[order] = np.arange(len(run)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place


def _order(key: Array) -> Array:
    """The stable order of the keys; polars is twice as fast at it as numpy."""
    order = pl.DataFrame({"key": key}).select(pl.arg_sort_by("key", maintain_order=True))
    return order.to_series().to_numpy().astype(np.intp)


def _gather(words: tuple[Any, ...], codes: Array, dtype: pl.DataType | None = None) -> pl.Series:
    if dtype is None:
        dtype = pl.Boolean() if any(isinstance(word, bool) for word in words) else pl.String()
    return pl.Series(words, dtype=dtype).gather(codes)


def _nullable(words: pl.Series) -> pl.Series:
    return pl.concat([pl.Series([None], dtype=pl.String), words], rechunk=True)


def _numbered(prefix: str, first: int, count: int) -> pl.Series:
    return pl.select(pl.lit(prefix) + pl.int_range(first, first + count).cast(pl.String)).to_series()


def _user_ids(first: int, last: int) -> pl.Series:
    return pl.select(pl.lit("u") + pl.int_range(first, last).cast(pl.String).str.zfill(7)).to_series()


def _device_ids(first: int, last: int) -> pl.Series:
    number = (pl.int_range(first * 2, last * 2) // 2).cast(pl.String).str.zfill(7)
    place = pl.int_range(first * 2, last * 2) % 2
    return pl.select(filled("d{}-{}", number, (place + 1).cast(pl.String))).to_series()


def _micros(at: datetime | None) -> int:
    """Microseconds since 1970; no time is the beginning."""
    return (at - datetime(1970, 1, 1, tzinfo=utc)) // timedelta(microseconds=1) if at else 0


def _time_of_day(text: str) -> int:
    hours, minutes = text.split(":")[:2]
    return (int(hours) * 60 + int(minutes)) * MINUTE
