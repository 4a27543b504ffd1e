"""The oracle itself meets every worked case of METRICS.md 13, and its invariants hold."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from oracle import Query, read, tables
from oracle.fixtures import CASES, NIGHT, Case, document
from oracle.numbers import holm, newcombe, percentile, wilson
from oracle.words import QUARANTINE_RULES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_worked_case(case: Case) -> None:
    reading = read(case.journey, case.rows)
    quarantine = sorted(case.quarantine)
    assert reading.quarantine == quarantine
    assert reading.duplicates == case.duplicates
    assert reading.read == len(reading.loaded) + reading.duplicates + len(reading.quarantine)
    for check in case.checks:
        table = getattr(tables, check.table)(reading, case.query, **check.arguments)
        found = [row for row in table if all(row[name] == value for name, value in check.where.items())]
        if check.values is None:
            assert not found, (check, table)
        else:
            assert len(found) == 1, (check, table)
            assert {name: found[0][name] for name in check.values} == check.values, check
    for clock in ("activity", "cohort"):
        assert tables.broken_invariants(reading, Query(clock=clock)) == []


def test_february_is_marked_mixed_cohorts() -> None:
    by_name = {case.name: case for case in CASES}
    for name, marked in (("February, activity", True), ("February, cohort", False)):
        case = by_name[name]
        (row,) = tables.goals(read(case.journey, case.rows), case.query)
        assert tables.mixed_cohorts(row) is marked


def test_the_card_counts_messages_not_runs() -> None:
    case = next(case for case in CASES if case.name == "a failed message drops nobody")
    assert tables.card_drop_offs(read(case.journey, case.rows), case.query, "A") == 1


def test_the_short_day_is_one_row_and_23_hours_long() -> None:
    reading = read(document(timezone="Europe/Paris"), NIGHT)
    rows = [row for row in tables.daily(reading, Query(), by="goal") if row["metric"] == "goals"]
    assert [row["date"] for row in rows] == [date(2026, 3, 28), date(2026, 3, 29)]
    scope = tables.Scope(reading, Query())
    hours = [NIGHT[1]["occurred_at"] + timedelta(hours=h) for h in range(48)]
    assert sum(scope.local_day(hour) == date(2026, 3, 29) for hour in hours) == 23


def test_intervals_meet_published_examples() -> None:
    # Newcombe (1998), method 10 for single and paired examples: 56/70 against 48/80.
    low, high = newcombe(56, 70, 48, 80)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    assert tuple(round(bound, 4) for bound in wilson(81, 263)) == (0.2553, 0.3662)
    assert holm([0.01, 0.04, None, 0.03]) == pytest.approx([0.03, 0.06, None, 0.06])
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.9) == pytest.approx(3.7)


def test_every_rule_has_a_name() -> None:
    assert len(QUARANTINE_RULES) == len(set(QUARANTINE_RULES)) == 16
