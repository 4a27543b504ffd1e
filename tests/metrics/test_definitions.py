from __future__ import annotations

from typing import Any

import pytest
from metrics.build import a_journey, make_scope

from journey_nb.metrics import RATES, TABLES
from journey_nb.metrics import definitions as words
from journey_nb.metrics.definitions import explain
from journey_nb.metrics.experiments import incremental, variants
from journey_nb.metrics.paths import paths, user_events, user_path, user_runs
from journey_nb.metrics.retention import cohorts, time_to_goal
from journey_nb.metrics.spans import response_times, waiting_times

SCOPE = make_scope(a_journey())
OTHERS = {
    "time_to_goal": lambda: time_to_goal(SCOPE, "buy"),
    "cohorts": lambda: cohorts(SCOPE),
    "incremental": lambda: incremental(SCOPE, "buy"),
    "variants": lambda: variants(SCOPE, "A", "buy").table,
    "waiting_times": lambda: waiting_times(SCOPE, "W"),
    "response_times": lambda: response_times(SCOPE, "A"),
    "user_path": lambda: user_path(SCOPE, "u0"),
    "user_runs": lambda: user_runs(SCOPE, "u0"),
    "user_events": lambda: user_events(SCOPE, "u0"),
    "paths": lambda: paths(SCOPE),
}


def test_every_table_is_defined() -> None:
    assert set(words.TABLES) == {*TABLES, *OTHERS}


@pytest.mark.parametrize("table", words.TABLES)
def test_every_column_is_defined_in_its_order_and_type(table: str) -> None:
    frame = TABLES[table](SCOPE) if table in TABLES else OTHERS[table]()
    assert list(words.schema(table, SCOPE.timezone).items()) == list(frame.schema.items())


@pytest.mark.parametrize("name", words.names())
def test_a_definition_says_everything(name: str) -> None:
    told = explain(name)
    assert told.name == name
    assert all((told.counts, told.over, told.unit, told.clock))
    assert told.source.startswith("section")
    assert (told.numerator is None) == (told.denominator is None)
    assert name in str(told)


def test_every_rate_tells_what_it_is_divided_by() -> None:
    for table, rates in RATES.items():
        for rate, (numerator, denominator) in rates.items():
            told = explain(f"{table}.{rate}")
            assert told.numerator == numerator or numerator.startswith("_")
            assert told.denominator == denominator or denominator.startswith("_")


def test_a_bare_name_is_of_the_first_table_and_names_the_others() -> None:
    assert explain("open_rate").name == "health.open_rate"
    assert explain("open_rate").also == ("messages.open_rate",)
    assert explain("points.entered").also == ()


def test_what_intervals_and_compare_add_is_explained_too() -> None:
    assert "health.open_rate_low: lower 95 % Wilson bound of share" in str(explain("open_rate_low"))
    assert explain("health.entrances_change").name == "health.entrances_change"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("open_rat", "did you mean 'open_rate'"),
        ("points.enterd", "points.entered"),
        ("health", "its columns are entrances"),
        ("zzz", "no column"),
        (None, "no column 'None'"),
    ],
)
def test_near_misses(name: Any, hint: str) -> None:
    with pytest.raises(KeyError, match=hint):
        explain(name)
