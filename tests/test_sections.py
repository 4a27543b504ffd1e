"""The parts of a report in the languages of the dictionary."""

from __future__ import annotations

import re

import polars as pl
import pytest

import journey_nb as jn
from journey_nb.sections import account, definitions, experiments, heading
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
        assert "Variants" not in chart.to_dict()["description"]


def test_definitions_have_headings_in_words(welcome_stats: jn.JourneyStats) -> None:
    html = definitions(welcome_stats, ("health",), locale="fr").html
    assert '<th scope="col">Colonne</th>' in html
    assert "Taux d’ouverture" in html
