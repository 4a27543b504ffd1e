"""The parts of a report in the languages of the dictionary."""

from __future__ import annotations

import re

import polars as pl
import pytest

import journey_nb as jn
from journey_nb.sections import (
    account,
    accounts,
    changes,
    converters,
    definitions,
    experiments,
    heading,
    movement,
    user_runs,
)
from journey_nb.style.words import LOCALES


def test_the_heading_says_what_is_counted(welcome_stats: jn.JourneyStats) -> None:
    march = welcome_stats.between("2026-03-01", "2026-03-31").clock("cohort")
    assert "1 Mar 2026 – 31 Mar 2026 (31 days)" in repr(heading(march))
    french = repr(heading(march, locale="fr"))
    assert "1 mars 2026 – 31 mars 2026 (31 jours)" in french
    assert "horloge de cohorte" in french
    assert "2026년 3월 1일 – 2026년 3월 31일 (31일)" in repr(heading(march, locale="ko"))
    assert "(1 day)" in repr(heading(welcome_stats.between("2026-03-01", "2026-03-01")))


def test_the_account_is_the_same_in_every_language(welcome_stats: jn.JourneyStats) -> None:
    english, *others = (repr(account(welcome_stats, locale=locale)) for locale in LOCALES)
    numbers = [re.sub(r"\D", "", text) for text in (english, *others)]
    for text in others:
        assert not re.search("quarantined|entrances|checks", text)
    assert len(set(numbers)) == 1
    assert numbers[0]


def test_a_gap_is_shown_as_a_table_in_words(
    welcome_stats: jn.JourneyStats, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = welcome_stats.reconciliation().with_columns(gap=pl.when(pl.int_range(pl.len()) == 0).then(3))
    monkeypatch.setattr(type(welcome_stats), "reconciliation", lambda _: broken.fill_null(0))
    said = account(welcome_stats, locale="fr")
    assert f"1 contrôles sur {broken.height} ne sont pas justes" in said.text
    assert "Membre de gauche" in said.html
    assert "Passages</td>" in said.html


def test_experiments_speak_the_languages(welcome_stats: jn.JourneyStats) -> None:
    found = welcome_stats.experiment("offer_test", welcome_stats.journey.goals[0].goal_id)
    assert f"Verdict: {found.verdict}." in experiments(welcome_stats)[0].html
    for locale in ("fr", "ko"):
        told, chart, _ = experiments(welcome_stats, locale=locale)
        assert found.verdict not in told.html
        assert "Variants" not in chart.text


def test_definitions_have_headings_in_words(welcome_stats: jn.JourneyStats) -> None:
    html = definitions(("health",), locale="fr").html
    assert '<th scope="col">Colonne</th>' in html
    assert "Taux d’ouverture" in html
    assert "passages entrés dans le parcours" in html
    assert "runs that entered" not in html


def test_changes_stand_beside_the_period_before(welcome_stats: jn.JourneyStats) -> None:
    assert repr(changes(welcome_stats)[0]) == "There is no period before this one to compare with."
    month = welcome_stats.period("30d")
    channels, _, points = changes(month, locale="fr")
    before = month.compare().communications()["sent_prev"][0]
    assert f">{before}</td>" in channels.html
    moved = (
        month.compare()
        .points()
        .select(pl.col("title"), by=(pl.col("entered") - pl.col("entered_prev")).abs())
    )
    first = re.search(r"<td[^>]*>([^<]+)</td>", points.html)
    assert first is not None
    assert first[1] in moved.filter(pl.col("by") == pl.col("by").max())["title"].to_list()


def test_converters_are_those_who_reached_a_goal(welcome_stats: jn.JourneyStats) -> None:
    """Against the rows: the runs with a goal, and how many of them came to a step."""
    facts = welcome_stats.facts
    scope = welcome_stats.scope
    entered = scope.of_members(facts.runs).filter(pl.col("entered_at").is_between(scope.start, scope.cut))
    reached = set(scope.goals["run"]) & set(entered["run"])
    came = set(scope.visits.filter(pl.col("point") == "offer_test")["run"])
    row = re.search(r"Which welcome offer\?</td>(.*?)</tr>", converters(welcome_stats).html, re.DOTALL)
    assert row is not None
    shown = re.findall(r"([\d.]+)%", row[1])[:2]
    rest = set(entered["run"]) - reached
    assert shown == [
        f"{100 * len(came & some) / len(some):.1f}".removesuffix(".0") for some in (reached, rest)
    ]


def test_a_user_who_is_not_here_is_told_with_those_most_like_it(welcome_stats: jn.JourneyStats) -> None:
    someone = welcome_stats.users()["user_id"][0]
    (said,) = user_runs(welcome_stats, someone + "x")
    assert someone in repr(said)
    assert "is not in this journey" in repr(said)


def test_a_portfolio_of_none_is_an_empty_table() -> None:
    assert "No rows" in movement([]).html
    assert "No rows" in accounts([]).html
