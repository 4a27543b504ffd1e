"""Logs that nobody here wrote: every number equals a count made directly on the raw file."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from journey_nb import EventLog, Journey, JourneyStats
from journey_nb.discover import END, OTHER, START

Open = Callable[[str], Path]


def rows_of(path: Path) -> list[dict[str, str]]:
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        return list(csv.DictReader(file))


def moves_of(runs: Iterable[list[str]]) -> Counter[tuple[str, str]]:
    return Counter(move for path in runs for move in pairwise([START, *path, END]))


def check_graph(stats: JourneyStats, runs: list[list[str]]) -> None:
    """Points and branches equal the raw paths, rare branches by way of "other" included."""
    drawn = {(branch.source, branch.target) for branch in stats.journey.version().branches}
    expected: Counter[tuple[str, str]] = Counter()
    for (source, target), count in moves_of(runs).items():
        for move in [(source, target)] if (source, target) in drawn else [(source, OTHER), (OTHER, target)]:
            expected[move] += count
    assert {(b["source"], b["target"]): b["runs"] for b in stats.branches().to_dicts()} == dict(expected)
    assert set(expected) == drawn

    entered: Counter[str] = Counter()
    for (_, target), count in expected.items():
        entered[target] += count
    entered[START] = len(runs)
    points = {point["point_id"]: point for point in stats.points().to_dicts()}
    assert {name: point["entered"] for name, point in points.items()} == dict(entered)
    activities = Counter(activity for path in runs for activity in path)
    assert {name: point["entered"] for name, point in points.items() if name in activities} == dict(
        activities
    )
    for point in points.values():
        assert point["entered"] == point["completed"], "nobody stays, nobody is lost"
        assert point["waiting_before"] == point["waiting"] == point["exited"] == point["dropped"] == 0
    for name in points:
        shares = [branch.share or 0 for branch in stats.journey.version().outgoing(name)]
        assert name == END or round(sum(shares), 6) == 100
    assert stats.facts.quarantined.is_empty() or set(stats.facts.quarantined["rule"]) <= {
        "missing",
        "conflict",
    }
    assert stats.health()["entrances"].item() == stats.audience()["completed"].item() == len(runs)


# Patients of an emergency department: 500 runs, begin and end of every step


@pytest.fixture(scope="module")
def patients(open_data: Open) -> EventLog:
    return EventLog.from_activities(
        open_data("eventdatar_patients.csv"),
        user="patient",
        activity="handling",
        time="time",
        lifecycle="registration_type",
        instance="handling_id",
    )


@pytest.fixture(scope="module")
def handlings(open_data: Open) -> list[tuple[str, str, datetime, datetime]]:
    """Patient, handling, begin and end of every pair in the raw file, by begin."""
    begun: dict[str, tuple[str, str, datetime]] = {}
    ended: dict[str, datetime] = {}
    for row in rows_of(open_data("eventdatar_patients.csv")):
        at = datetime.fromisoformat(row["time"])
        if row["registration_type"] == "start":
            begun[row["handling_id"]] = row["patient"], row["handling"], at
        else:
            ended[row["handling_id"]] = at
    assert begun.keys() == ended.keys()
    return sorted(((*begun[i], ended[i]) for i in begun), key=lambda pair: pair[2])


@pytest.mark.parametrize("min_share", [0, 0.05, 0.6])
def test_patients(patients: EventLog, handlings: list[Any], min_share: float) -> None:
    paths: dict[str, list[str]] = defaultdict(list)
    for patient, handling, _, _ in handlings:
        paths[patient].append(handling)
    stats = JourneyStats(Journey.discover(patients, min_share=min_share), patients)
    assert len(paths) == 500
    check_graph(stats, list(paths.values()))


def test_the_pairs_of_patients_give_the_time_in_step(patients: EventLog, handlings: list[Any]) -> None:
    report = patients.report()
    assert (report.read, report.loaded, report.quarantined) == (5442, 5442, 0)
    stats = JourneyStats(Journey.discover(patients), patients)
    visits = stats.facts.visits.filter(~pl.col("point").cast(pl.String).is_in([START, END, OTHER]))
    spans = visits.select(pl.col("point").cast(pl.String), "arrived_at", "left_at").rows()
    assert sorted(spans) == sorted((handling, begin, end) for _, handling, begin, end in handlings)
    seconds: dict[str, list[float]] = defaultdict(list)
    for _, handling, begin, end in handlings:
        seconds[handling].append((end - begin).total_seconds())
    points = {row["point_id"]: row for row in stats.points().to_dicts()}
    for handling, lengths in seconds.items():
        assert points[handling]["seconds_p50"] == pytest.approx(percentile(lengths, 0.5))
        assert points[handling]["seconds_p90"] == pytest.approx(percentile(lengths, 0.9))


def percentile(values: list[float], part: float) -> float:
    """Linear between the two nearest ranks."""
    ranked, place = sorted(values), part * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (place - low)


# A shop's clickstream: sessions


@pytest.mark.parametrize("min_share", [0, 0.05, 0.3])
def test_shop_sessions(open_data: Open, min_share: float) -> None:
    path = open_data("retentioneering_ecom.csv.gz")
    log = EventLog.from_activities(
        path, user="user_id", activity="event", time="timestamp", session="session_id"
    )
    raw = rows_of(path)
    sessions: dict[str, list[str]] = defaultdict(list)
    for row in sorted(raw, key=lambda row: row["timestamp"]):
        sessions[row["session_id"]].append(row["event"])
    stats = JourneyStats(Journey.discover(log, min_share=min_share), log)
    check_graph(stats, list(sessions.values()))
    assert log.report().read == len(raw) == 31_106
    users = defaultdict(set)
    for row in raw:
        users[row["event"]].add(row["user_id"])
    visited = (
        stats.facts.visits.group_by(pl.col("point").cast(pl.String)).agg(pl.col("user").n_unique()).rows()
    )
    assert {name: count for name, count in visited if name in users} == {
        name: len(ids) for name, ids in users.items()
    }


# Invoices of a wholesaler: purchases and cancellations


def test_invoices(open_data: Open) -> None:
    path = open_data("online_retail.parquet")
    invoices = pl.scan_parquet(path).group_by("InvoiceNo", maintain_order=True).agg(
        pl.col("CustomerID").first(), pl.col("InvoiceDate").min(), value=(pl.col("Quantity") * pl.col("UnitPrice")).sum()
    )  # fmt: skip
    cancelled = pl.col("InvoiceNo").str.starts_with("C")
    log = EventLog.from_activities(
        invoices,
        user="CustomerID",
        activity=pl.when(cancelled).then(pl.lit("cancellation")).otherwise(pl.lit("purchase")),
        time="InvoiceDate",
        event_id="InvoiceNo",
    )
    query = f"""
        with invoice as (
            select InvoiceNo as no, first(CustomerID) as customer, min(InvoiceDate) as began, min(file_row_number) as line
            from read_parquet('{path}', file_row_number = true) group by InvoiceNo)
        select customer, list(case when no like 'C%' then 'cancellation' else 'purchase' end order by began, line)
        from invoice group by customer"""
    paths = dict(duckdb.sql(query).fetchall())
    nobody = paths.pop(None)
    stats = JourneyStats(Journey.discover(log, min_share=0), log)
    check_graph(stats, list(paths.values()))

    report = log.report()
    assert report.frame.rows() == [("missing", len(nobody), "no user_id (CustomerID)")]
    assert report.read == report.loaded + report.quarantined == len(nobody) + sum(map(len, paths.values()))
    assert report.duplicates == 0
    cancellations = sum(path.count("cancellation") for path in paths.values())
    assert stats.points().filter(point_id="cancellation")["entered"].item() == cancellations > 3000
    unknown = log.judge().quarantined
    assert unknown["user_id"].null_count() == unknown.height
    assert set(unknown["point_id"]) == set(nobody) == {"purchase", "cancellation"}


def test_invoice_lines_as_they_are(open_data: Open) -> None:
    """Every line of an invoice with the invoice's id: lines of one minute are one event, others a conflict."""
    path = open_data("online_retail.parquet")
    log = EventLog.from_activities(
        path, user="CustomerID", activity=pl.lit("invoice"), time="InvoiceDate", event_id="InvoiceNo"
    )
    report = log.report()
    lines, known, contents, invoices = duckdb.sql(f"""
        select count(*), count(CustomerID), count(distinct (InvoiceNo, InvoiceDate)) filter (CustomerID is not null),
            count(distinct InvoiceNo) filter (CustomerID is not null)
        from '{path}'""").fetchall()[0]
    assert report.read == lines == 541_909
    assert report.loaded == invoices
    assert report.duplicates == known - contents
    assert dict(report.frame.select("rule", "rows").rows()) == {
        "missing": lines - known,
        "conflict": contents - invoices,
    }


# Web events with deliberate duplicates and late arrivals


def web(path: Path, time: str) -> EventLog:
    return EventLog.from_activities(
        path,
        user="domain_userid",
        activity="event_name",
        time=time,
        session="domain_sessionid",
        event_id="event_id",
    )


@pytest.mark.parametrize(("time", "same"), [("dvce_created_tstamp", True), ("derived_tstamp", False)])
def test_web_events(open_data: Open, time: str, same: bool) -> None:
    path = open_data("snowplow_web_events.csv")
    log = web(path, time)
    raw = rows_of(path)
    good = [row for row in raw if row["domain_userid"] and row["domain_sessionid"]]
    once = {row["event_id"] for row in good}
    report = log.report()
    twice = len(good) - len(once)
    assert twice == 3
    assert (report.read, report.loaded) == (len(raw), len(once))
    # Loaded twice with one content they are duplicates; with two times of their own, one of them stays.
    assert report.duplicates == (twice if same else 0)
    bad = {"missing": len(raw) - len(good)} | ({} if same else {"conflict": twice})
    assert dict(report.frame.select("rule", "rows").rows()) == bad
    stats = JourneyStats(Journey.discover(log, min_share=0), log)
    entered = stats.points().filter(~pl.col("point_id").is_in([START, END]))
    assert dict(entered.select("point_id", "entered").rows()) == Counter(
        {row["event_id"]: row["event_name"] for row in good}.values()
    )


def test_late_web_events_stand_at_their_own_time(open_data: Open) -> None:
    path = open_data("snowplow_web_events.csv")
    raw = {row["event_id"]: row for row in rows_of(path) if row["domain_userid"] and row["domain_sessionid"]}

    def at(row: dict[str, str], name: str) -> datetime:
        return datetime.fromisoformat(row[name]).replace(tzinfo=UTC)

    late = [
        row
        for row in raw.values()
        if (at(row, "collector_tstamp") - at(row, "dvce_created_tstamp")).days >= 1
    ]
    assert len(late) >= 2
    log = web(path, "dvce_created_tstamp")
    rows = log.judge().rows.filter((pl.col("kind") == "point.entered") & (pl.col("point_id") != END))
    placed = {
        event_id.removesuffix(":2"): when for event_id, when in rows.select("event_id", "occurred_at").rows()
    }
    assert placed == {event_id: at(row, "dvce_created_tstamp") for event_id, row in raw.items()}
    # One session is shared by three users: a run is the session of one of them.
    paths: dict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
    for row in raw.values():
        paths[row["domain_userid"], row["domain_sessionid"]].append(
            (at(row, "dvce_created_tstamp"), row["event_name"])
        )
    stats = JourneyStats(Journey.discover(log, min_share=0), log)
    check_graph(
        stats, [[name for _, name in sorted(path, key=lambda step: step[0])] for path in paths.values()]
    )


def test_json_lines_of_a_trace(open_data: Open) -> None:
    path = open_data("journeygraph_demo.jsonl")
    log = EventLog.from_activities(
        path, user="trace_id", activity="component", time="timestamp", event_id="step_id", session="trace_id"
    )
    traces: dict[str, list[str]] = defaultdict(list)
    for row in (
        pl.read_ndjson(path, infer_schema_length=None).sort("timestamp", maintain_order=True).to_dicts()
    ):
        traces[row["trace_id"]].append(row["component"])
    check_graph(JourneyStats(Journey.discover(log), log), list(traces.values()))
