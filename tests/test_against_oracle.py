"""Product and oracle agree: on the worked cases, and on hundreds of made-up journeys and dirty logs.

``JOURNEY_NB_SEEDS=5000 pytest tests/test_against_oracle.py`` walks more seeds. A mismatch is shrunk to the fewest rows
that still show it and printed with its seed.
"""

from __future__ import annotations

import json
import os
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from itertools import product as pairs
from random import Random
from typing import Any

import polars as pl
import pytest
from compare import differences, frame_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from oracle import Query, Reading, exports, read, strategies, tables
from oracle.fixtures import CASES, Case
from oracle.strategies import Asked
from oracle.words import INTERNAL, KINDS, OTHER_EXITS, QUARANTINE_RULES, SEND, SKIPS, WAITS

ENOUGH_SEEDS = 180
SEEDS = int(os.environ.get("JOURNEY_NB_SEEDS", ENOUGH_SEEDS))
STRIDE = 8  # facts are compared on every seed, each table on one in so many: a query costs more than a fold
LEAST_HITS = 20
Table = Callable[["Pair", Asked], str | None]


@dataclass
class Pair:
    """One journey and log, read by both."""

    document: dict[str, Any]
    rows: list[dict[str, Any]]
    asked: dict[Asked, Any] = field(default_factory=dict)

    @cached_property
    def reading(self) -> Reading:
        return read(self.document, self.rows)

    @cached_property
    def folded(self) -> Any:
        from journey_nb.events import EventLog
        from journey_nb.facts import fold
        from journey_nb.journey import Journey

        journey = Journey.model_validate(self.document)
        return fold(journey, EventLog.from_frame(frame_of(self.rows)).judge(journey))

    @cached_property
    def stats(self) -> Any:
        from journey_nb.journey import Journey
        from journey_nb.stats import JourneyStats

        return JourneyStats(Journey.model_validate(self.document), self.folded)

    def query(self, asked: Asked) -> Query:
        """The query, its preset resolved on these rows (the log's last event may have gone while shrinking)."""
        query, as_of = asked.query, asked.query.as_of or self.reading.last_at
        if asked.preset is None or as_of is None:
            return query
        start, end = strategies.preset_start_end(asked.preset, as_of, self.reading.plan.zone)
        return replace(query, start=start, end=end)

    def ask(self, asked: Asked) -> Any:
        """The public face, asked for what the query says; asked once, so that it may keep what it found."""
        if asked not in self.asked:
            self.asked[asked] = self._ask(asked)
        return self.asked[asked]

    def _ask(self, asked: Asked) -> Any:
        stats, query = self.stats, asked.query
        if query.as_of is not None:
            stats = stats.as_of(query.as_of)
        if asked.preset is not None:
            stats = stats.period(asked.preset)
        elif query.start is not None:
            stats = stats.between(query.start, query.end)
        if query.clock != "activity":
            stats = stats.clock(query.clock)
        if query.machine:
            stats = stats.machine(include=True)
        if query.version is not None:
            stats = stats.version(query.version)
        if asked.users is not None:
            stats = stats.where(users=pl.DataFrame({"user_id": asked.users}, schema={"user_id": pl.String}))
        if asked.entry is not None:
            stats = stats.where(entry=asked.entry)
        if asked.variant is not None:
            stats = stats.where(variant=asked.variant)
        return stats


# ---------------------------------------------------------------- what is compared


def table(name: str, *, ordered: bool = False, exact: bool = True, **arguments: Any) -> Table:
    def compare(pair: Pair, asked: Asked) -> str | None:
        expected = getattr(tables, name)(pair.reading, pair.query(asked), **arguments)
        got = getattr(pair.ask(asked), name)(**arguments)
        if name == "incremental":
            got = got.select(tables.COLUMNS[name]).unique()  # its users repeat for every currency
        return differences(got, expected, tables.COLUMNS[name], ordered=ordered, exact=exact)

    return compare


def each(name: str, options: Callable[[Pair], Iterator[dict[str, Any]]], **how: Any) -> Table:
    """The same table asked for in a few of the ways that the journey allows."""

    def compare(pair: Pair, asked: Asked) -> str | None:
        ways = list(options(pair))
        for arguments in Random(asked.turn).sample(ways, min(3, len(ways))):
            if told := table(name, **how, **arguments)(pair, asked):
                return f"{arguments}: {told}"
        return None

    return compare


def of_version(name: str, **how: Any) -> Table:
    """The same table of one version of the journey."""

    def compare(pair: Pair, asked: Asked) -> str | None:
        versions = sorted(pair.reading.plan.versions)
        number = versions[asked.turn % len(versions)]
        told = table(name, **how)(pair, replace(asked, query=replace(asked.query, version=number)))
        return f"version {number}: {told}" if told else None

    return compare


def exported(name: str, options: Callable[[Pair], Iterator[dict[str, Any]]]) -> Table:
    """An export asked for in a few of the ways that the journey allows, and of one version too."""

    def compare(pair: Pair, asked: Asked) -> str | None:
        from journey_nb import exports as product

        rng, ways, versions = Random(asked.turn), list(options(pair)), sorted(pair.reading.plan.versions)
        for arguments in rng.sample(ways, min(3, len(ways))):
            one = replace(asked, query=replace(asked.query, version=rng.choice([None, *versions])))
            expected = getattr(exports, name)(pair.reading, pair.query(one), **arguments)
            got = getattr(product, name)(pair.ask(one), **arguments)
            if told := differences(got, expected, exports.COLUMNS[name], ordered=True):
                return f"{arguments}, version {one.query.version}: {told}"
        return None

    return compare


def campaign(pair: Pair, asked: Asked) -> str | None:
    from journey_nb.exports import campaign_statistics

    expected = exports.campaign_numbers(pair.reading, pair.query(asked))
    got = campaign_statistics(pair.ask(asked), extended=True)
    named = [name for name in got.columns if name.startswith("Revenue") or name in expected[0]]
    return differences(got.select(named), expected, list(expected[0]))


def every_point(pair: Pair) -> Iterator[dict[str, Any]]:
    return ({"point_id": point} for point in point_ids(pair))


def every_sender(pair: Pair) -> Iterator[dict[str, Any]]:
    for point, goal in pairs(point_ids(pair, "message"), [None, *goal_ids(pair)]):
        yield {"point_id": point, "goal": goal}


def goal_ids(pair: Pair) -> list[str]:
    return [goal["goal_id"] for goal in pair.document["goals"]]


def point_ids(pair: Pair, *types: str) -> list[str]:
    points = pair.reading.plan.points(pair.reading.plan.newest).values()
    return [point["point_id"] for point in points if not types or point["type"] in types]


def every_credit(pair: Pair) -> Iterator[dict[str, Any]]:
    for goal, rule in pairs([None, *goal_ids(pair)], CREDIT_RULES):
        yield {"goal": goal, **rule}


CREDIT_RULES: list[dict[str, Any]] = [
    {},
    {"rule": "first_touch"},
    {"rule": "last_touch"},
    {"rule": "linear"},
    {"rule": "position_based", "first": 0.4, "last": 0.4},
    {"rule": "time_decay", "half_life": timedelta(days=7)},
    {"rule": "entry"},
]


def every_variant(pair: Pair) -> Iterator[dict[str, Any]]:
    split = point_ids(pair, "split_abn")
    carried = sorted({m.point for m in pair.reading.messages.values() if m.variant} - set(split))
    for point_id, goal, unit in pairs([*split, *carried[:1]], goal_ids(pair)[:2], ("user", "run")):
        yield {"point_id": point_id, "goal": goal, "unit": unit}


def every_start(pair: Pair) -> Iterator[dict[str, Any]]:
    for goal, start in pairs(goal_ids(pair), ["entry", *point_ids(pair)[1:2]]):
        yield {"goal": goal, "start": start}


def some_users(pair: Pair) -> Iterator[dict[str, Any]]:
    runs = list(pair.reading.runs.values())[:2]
    for user in sorted({name for run in runs for name in (run.user, run.device) if name}):
        yield {"user": user}


OF_A_VERSION = ("points", "branches", "messages", "waiting", "drops")
AGES = ("day", "week", "month")
TABLES: dict[str, Table] = {
    "health": table("health"),
    "audience": table("audience"),
    **{f"daily by {by}": table("daily", by=by) for by in ("journey", "channel", "point", "goal")},
    "daily by point, place event": table("daily", by="point", place="event"),
    "daily by journey, place event": table("daily", by="journey", place="event"),
    "users": table("users"),
    "goals": table("goals"),
    "communications": table("communications"),
    "messages": table("messages", ordered=True),
    "messages of a goal": each("messages", lambda pair: ({"goal": g} for g in goal_ids(pair)), ordered=True),
    "messages of a channel": table("messages", ordered=True, channel="push"),
    "delivery_issues": table("delivery_issues"),
    "points": table("points", ordered=True),
    "branches": table("branches"),
    "waiting": table("waiting"),
    "waiting_times": each("waiting_times", every_point),
    "response_times": each("response_times", every_point, ordered=True),
    "drops": table("drops"),
    "drops of a point": each("drops", lambda pair: ({"point_id": p} for p in point_ids(pair)[1:3])),
    "credit": each("credit", every_credit),
    "variants": each("variants", every_variant, exact=False),
    **{
        f"{name} of a version": of_version(name, ordered=name in ("points", "messages"))
        for name in OF_A_VERSION
    },
    "cohorts": each(
        "cohorts", lambda pair: ({"by": by, "goal": g} for by in AGES for g in [None, *goal_ids(pair)])
    ),
    "incremental": each("incremental", lambda pair: ({"goal": g} for g in goal_ids(pair)), exact=False),
    "time_to_goal": each("time_to_goal", every_start, exact=False),
    "user_path": each("user_path", some_users, ordered=True),
    "user_runs": each("user_runs", some_users, ordered=True),
    "user_events": each("user_events", some_users),
    "paths": table("paths", top=1000),
    "campaign statistics": campaign,
    "goal statistics": exported(
        "goal_statistics", lambda pair: ({"goal": g} for g in [None, *goal_ids(pair)])
    ),
    "point statistics": exported("point_statistics", every_point),
    "point users": exported("point_users", every_sender),
    "step users": exported("step_users", every_point),
    "paths with loops": table("paths", top=1000, collapse_loops=False),
}


# Facts: what the tables rest on, so that a mismatch is told where it begins.


def named(pair: Pair, name: str) -> pl.DataFrame:
    """A frame of facts with the ids of the log in place of the dense ones."""
    folded = pair.folded
    frame = getattr(folded, name).join(folded.runs.select("run", "run_id"), on="run", how="left")
    if "credit_message" in frame.columns:
        ids = folded.messages.select(credit_message="message", credited="message_id")
        frame = frame.join(ids, on="credit_message", how="left").drop("credit_message")
    return frame.rename({"credited": "credit_message"}, strict=False)


def runs(pair: Pair, asked: Asked) -> str | None:
    columns = "run_id user_id device_id version run_no entry_point entered_at first_at left_at reason reason_detail "
    columns += "exit_point truncated inside variant"
    expected = [
        {name: getattr(run, OTHER_NAMES.get(name, name)) for name in columns.split()}
        for run in pair.reading.runs.values()
    ]
    return differences(pair.folded.runs, expected, columns.split(), exact=False)


OTHER_NAMES = {"user_id": "user", "device_id": "device", "reason_detail": "detail"}


def visits(pair: Pair, asked: Asked) -> str | None:
    columns = (
        "run_id point arrived_at left_at outcome branch traversed known to_point derived version".split()
    )
    expected = [
        {name: visit.run if name == "run_id" else getattr(visit, name) for name in columns}
        for visit in pair.reading.visits
    ]
    return differences(named(pair, "visits"), expected, columns, exact=False)


def messages(pair: Pair, asked: Asked) -> str | None:
    moments = (
        "delivered_at opened_at clicked_at opened_any_at clicked_any_at interacted_at unsubscribed_at".split()
    )
    columns = ["run_id", "message_id", "point", "channel", "variant", "sent_at", "failed_at", "fail_reason"]
    columns += ["bounced_at", "bounce_reason", "skipped_at", "skip_reason", *moments]
    expected = []
    for message in pair.reading.messages.values():
        sent, failed, bounced, skipped = message.sent, message.failed, message.bounced, message.skipped
        expected.append(
            {
                "run_id": message.run,
                **{
                    name: getattr(message, name)
                    for name in ("message_id", "point", "channel", "variant", *moments)
                },
                "sent_at": sent and sent.at,
                "failed_at": failed and failed.at,
                "fail_reason": failed and failed.reason,
                "bounced_at": bounced and bounced.at,
                "bounce_reason": bounced and bounced.reason,
                "skipped_at": skipped and skipped.at,
                "skip_reason": skipped and skipped.reason,
            }
        )
    return differences(named(pair, "messages"), expected, columns, exact=False)


def goals(pair: Pair, asked: Asked) -> str | None:
    columns = "run_id goal at value currency counts implied here credit credit_message credit_point".split()
    expected = [
        {name: event.run if name == "run_id" else getattr(event, name) for name in columns}
        for event in pair.reading.goals
    ]
    # What a reaching outside its window would be credited to is nobody's number.
    told = pl.col("here", "credit", "credit_message", "credit_point")
    got = named(pair, "goals").with_columns(pl.when("counts").then(told))
    return differences(got, expected, columns, exact=False)


def quarantine(pair: Pair, asked: Asked) -> str | None:
    told = differences(
        pair.folded.quarantined,
        [{"row": row, "rule": rule} for row, rule in pair.reading.quarantine],
        ["row", "rule"],
        exact=False,
    )
    reading, folded = pair.reading, pair.folded
    counts = (folded.read, folded.duplicates)
    if counts != (reading.read, reading.duplicates):
        told = f"read, duplicates: product {counts} oracle {(reading.read, reading.duplicates)}; {told}"
    return told


FACTS: dict[str, Table] = {
    "quarantine": quarantine,
    "runs": runs,
    "visits": visits,
    "messages (facts)": messages,
    "goals (facts)": goals,
}
COMPARED = FACTS | TABLES


# ---------------------------------------------------------------- mismatches, shrunk and told


def mismatch(compare: Table, pair: Pair, asked: Asked) -> str | None:
    if not pair.reading.loaded and (asked.query.as_of is None or asked.query.start is None):
        return None  # nothing tells the instant
    try:
        return compare(pair, asked)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of polars is no Exception
        return "the product raised\n" + traceback.format_exc(limit=-4)


def shrunk(compare: Table, pair: Pair, asked: Asked, tries: int = 250) -> tuple[Pair, str]:
    """Leave rows out while the two still differ."""
    told = mismatch(compare, pair, asked)
    assert told is not None
    raised = told.startswith("the product raised")
    size = max(1, len(pair.rows) // 2)
    while tries > 0:
        place, removed = 0, False
        while place < len(pair.rows) and tries > 0:
            fewer = Pair(pair.document, pair.rows[:place] + pair.rows[place + size :])
            tries -= 1
            now = mismatch(compare, fewer, asked)
            if now is not None and now.startswith("the product raised") == raised:
                pair, told, removed = fewer, now, True
            else:
                place += size
        if size == 1 and not removed:
            break
        size = max(1, size // 2)
    return pair, told


def told_in_full(pair: Pair, asked: Asked, told: str, seed: object) -> str:
    def cells(row: dict[str, Any]) -> str:
        shown = {k: v for k, v in row.items() if v is not None and k not in ("journey_id", "source")}
        return "  " + " ".join(
            f"{k}={v.isoformat() if hasattr(v, 'isoformat') else v}" for k, v in shown.items()
        )

    rows = sorted(pair.rows, key=lambda row: str(row.get("occurred_at")))
    graph = [
        f"  version {version['version']}: "
        + ", ".join(f"{b['source']}-{b['key']}→{b['target']}" for b in version["branches"])
        for version in pair.document["versions"]
    ]
    goals = json.dumps(pair.document["goals"], ensure_ascii=False)
    head = [f"seed {seed}", str(asked), f"timezone {pair.document['timezone']} goals {goals}", *graph]
    return "\n".join([*head, *(cells(row) for row in rows), told])


# ---------------------------------------------------------------- the tests


@dataclass
class Walk:
    """What was found on the way over all seeds; the logs themselves are let go."""

    differ: dict[str, list[tuple[int, int, Asked]]] = field(default_factory=lambda: defaultdict(list))
    compared: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str | None] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    closings: Counter[str] = field(default_factory=Counter)

    def take(self, seed: int, names: Sequence[str]) -> None:
        pair, questions = example(seed)
        reading = pair.reading
        self.rows += reading.read
        self.kinds.update(row.kind for row in reading.loaded)
        self.reasons.update(row.reason for row in reading.loaded)
        self.rules.update(rule for _, rule in reading.quarantine)
        self.closings.update(reading.closings)
        for asked in questions:
            if reading.loaded or (asked.query.as_of and asked.query.start):
                broken = tables.broken_invariants(reading, asked.query)
                self.broken += [f"seed {seed} {asked}: {fault}" for fault in broken]
        for name in names:
            if name in TABLES and (seed + list(TABLES).index(name)) % STRIDE:
                continue
            for asked in questions if name in TABLES else questions[:1]:
                self.compared[name] += 1
                if mismatch(COMPARED[name], pair, asked) is not None:
                    self.differ[name].append((len(pair.rows), seed, asked))


def example(seed: int) -> tuple[Pair, tuple[Asked, ...]]:
    document, rows, rng = strategies.example(seed)
    pair = Pair(document, rows)
    return pair, tuple(strategies.query(rng, pair.reading) for _ in range(2))


@pytest.fixture(scope="module")
def walk(request: pytest.FixtureRequest) -> Walk:
    """All seeds walked once, comparing what the chosen tests ask for."""
    items = [
        item
        for item in request.session.items
        if getattr(item, "originalname", "") == "test_product_equals_oracle"
    ]
    names = [name for name in COMPARED if any(item.callspec.params["name"] == name for item in items)]
    found = Walk()
    for seed in range(SEEDS):
        found.take(seed, names)
    return found


@pytest.mark.parametrize("name", COMPARED)
def test_product_equals_oracle(name: str, walk: Walk) -> None:
    if not walk.differ[name]:
        return
    _, seed, asked = min(walk.differ[name], key=lambda one: one[:2])
    pair, told = shrunk(COMPARED[name], example(seed)[0], asked)
    seeds = sorted({seed for _, seed, _ in walk.differ[name]})
    pytest.fail(
        f"{name}: {len(walk.differ[name])} of {walk.compared[name]} differ (seeds {seeds[:12]})\n"
        f"{told_in_full(pair, asked, told, seed)}",
        pytrace=False,
    )


@given(st.randoms(use_true_random=False))
@settings(max_examples=max(20, SEEDS // 12), deadline=None, derandomize=True, phases=[Phase.generate])
def test_product_equals_oracle_on_drawn_journeys(rng: Random) -> None:
    document, rows, rng = strategies.example(rng)
    pair = Pair(document, rows)
    asked = strategies.query(rng, pair.reading)
    for name in [*FACTS, *rng.sample(list(TABLES), 8)]:
        if mismatch(COMPARED[name], pair, asked) is not None:
            pair, told = shrunk(COMPARED[name], pair, asked)
            pytest.fail(f"{name}\n{told_in_full(pair, asked, told, 'drawn')}", pytrace=False)


@given(st.randoms(use_true_random=False))
@settings(max_examples=max(20, SEEDS // 12), deadline=None, derandomize=True, phases=[Phase.generate])
def test_product_equals_oracle_where_messages_stand_in_several_runs(rng: Random) -> None:
    document, rows, rng = strategies.example(rng)
    runs = sorted({row["run_id"] for row in rows if row.get("run_id")})
    astray = [row for row in rows if row.get("message_id") and row.get("run_id") and rng.random() < 0.2]
    for row in astray:  # half of them with their user
        theirs = [one["run_id"] for one in rows if one.get("run_id") and one["user_id"] == row["user_id"]]
        row["run_id"] = rng.choice(rng.choice((runs, theirs)))
    pair = Pair(document, rows)
    asked = strategies.query(rng, pair.reading)
    for name in [*FACTS, "messages", "messages of a goal", "credit", "points", "variants", "incremental",
                 "user_events"]:  # fmt: skip
        if mismatch(COMPARED[name], pair, asked) is not None:
            pair, told = shrunk(COMPARED[name], pair, asked)
            pytest.fail(f"{name}\n{told_in_full(pair, asked, told, 'astray')}", pytrace=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_product_meets_worked_case(case: Case) -> None:
    pair = Pair(case.journey, case.rows)
    asked = Asked(case.query)
    assert quarantine(pair, asked) is None
    for check in case.checks:
        rows = getattr(pair.ask(asked), check.table)(**check.arguments).to_dicts()
        found = [row for row in rows if all(row[name] == value for name, value in check.where.items())]
        if check.values is None:
            assert not found, (check, rows)
        else:
            assert len(found) == 1, (check, rows)
            assert {name: found[0][name] for name in check.values} == check.values, check
    for name, compare in COMPARED.items():
        for clock in ("activity", "cohort"):
            told = mismatch(compare, pair, replace(asked, query=replace(case.query, clock=clock)))
            assert told is None, f"{name} ({clock}): {told}"


def test_invariants_hold_on_every_log(walk: Walk) -> None:
    assert walk.broken == []


CLOSINGS = [
    "explicit",
    "derived by one branch",
    "derived unknown",
    "zero-length derived",
    "exit completed",
    "exit error",
    "exit other",
    "exit at another point",
    "exit after completion",
    "entry merged",
    "stood before the log",
    "tie by seq",
    "tie by rank",
    "tie by branches",
]


@pytest.mark.skipif(SEEDS < ENOUGH_SEEDS, reason="too few seeds asked for (JOURNEY_NB_SEEDS)")
def test_every_kind_reason_and_rule_is_hit(
    walk: Walk, record_property: Callable[[str, object], None]
) -> None:
    words = ["completed", *OTHER_EXITS, *INTERNAL, *SEND, *SKIPS, *WAITS]
    hits: dict[str, tuple[Sequence[str], Counter[Any]]] = {
        "kind": (KINDS, walk.kinds),
        "reason": (words, walk.reasons),
        "quarantine": (QUARANTINE_RULES, walk.rules),
        "closing": (CLOSINGS, walk.closings),
    }
    lines = [f"{SEEDS} seeds, {walk.rows} rows, {walk.compared.total()} comparisons; hits of each:"]
    for what, (names, counts) in hits.items():
        ordered = sorted(names, key=lambda name: counts[name])
        lines.append(f"  {what}: " + ", ".join(f"{name} {counts[name]}" for name in ordered))
    record_property("proof", "\n".join(lines))
    few = {
        f"{what} {name}": n[name]
        for what, (names, n) in hits.items()
        for name in names
        if n[name] < LEAST_HITS
    }
    assert not few, f"hit fewer than {LEAST_HITS} times: {few}"
