"""Tables, headline numbers, figures and pages."""

from __future__ import annotations

import base64
import re
from datetime import UTC, date, datetime

import polars as pl
import pytest
from fabricate import HOSTILE

import journey_nb as jn
from journey_nb.render.figure import figure_html
from journey_nb.render.page import page_html
from journey_nb.render.panels import cards, cell, explained, table
from journey_nb.render.text import clean
from journey_nb.render.trace import Trace, trace_html
from journey_nb.style import word

FRAME = pl.DataFrame(
    {
        "point_id": ["a"], "title": ["<script>x</script>"], "type": ["split_abn"], "reason": ["hard_bounce"],
        "sent": [1234567], "open_rate": [0.1234], "open_rate_prev": [0.1], "sent_change": [-0.5],
        "seconds_p50": [11_100.0], "value": [12.5], "currency": ["EUR"], "date": [date(2026, 3, 1)],
        "left_at": [datetime(2026, 3, 1, 14, 5, tzinfo=UTC)], "immature": [True], "p_value": [0.01234],
        "difference": [0.021], "country": [None],
    },
    schema_overrides={"country": pl.String},
)  # fmt: skip


def cells(html: str, tag: str = "td") -> list[str]:
    return re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", html)


def test_each_column_reads_as_what_it_is() -> None:
    html = str(table(FRAME))
    assert cells(html) == [
        "&lt;script&gt;x&lt;/script&gt;", "A/B/n split", "Hard bounce", "1,234,567", "12.3%", "10%", "−50%",
        "3 h 05 min", "€12.50", "EUR", "1 Mar 2026", "1 Mar 2026 14:05", "Yes", "0.012", "+2.1%", "–",
    ]  # fmt: skip
    heads = cells(html, "th")
    assert "Point id" not in heads, "an id whose title stands beside it is left out"
    assert heads[4:7] == ["Open rate", "Open rate, before", "Sent, change"]


def test_a_table_says_how_much_of_it_is_not_shown() -> None:
    html = str(table(pl.DataFrame({"count": range(1_500)}), limit=100))
    assert len(cells(html)) == 100
    assert "+ 1,400 more rows" in html
    assert "No rows" in str(table(FRAME.clear()))


def test_hostile_texts_are_escaped_and_cut() -> None:
    html = str(
        table(
            pl.DataFrame({"title": [text.encode("utf-8", "replace").decode() for text in HOSTILE]}),
            HOSTILE[0],
        )
    )
    assert "<script" not in html
    assert max(map(len, cells(html))) < 1_000


def test_what_no_xml_can_hold_is_left_out() -> None:
    """Lone surrogates too, which no document has but a text of one's own may."""
    assert clean("a\ud800b\x00\x1f\ufffe c") == "ab c"


def test_cards_show_changes_where_there_are_any() -> None:
    frame = pl.DataFrame(
        {"entrances": [1200], "entrances_prev": [1000], "entrances_change": [0.2], "open_rate": [None]}
    )
    shown = cards(frame)
    assert repr(shown) == "Entrances 1,200 · Open rate –"
    assert "+20% · was 1,000" in str(shown)
    assert str(shown).count('class="value"') == 2


def test_words_follow_the_locale() -> None:
    assert cell("reason", "hard_bounce", locale="ko") == "하드 바운스"
    assert cell("sent", 1234, locale="fr") == "1\u202f234"
    assert "Taux d’ouverture" in str(table(FRAME, locale="fr"))


def test_a_branch_of_one_s_own_keeps_its_name() -> None:
    """Only the branches that the format names are said in words."""
    frame = pl.DataFrame(
        {"branch": ["not_opened", "push", "goal", "yes", "yes"], "target": ["a", "b", "goal", "yes", "c"]}
    )
    said = cells(str(table(frame, locale="fr")))[::2]
    assert said == ["Non ouvert", "push", "goal", "yes", "Oui"]


@pytest.mark.parametrize("locale", ["fr", "ko", "en"])
def test_how_one_run_ended_is_said_of_one(welcome_stats: jn.JourneyStats, locale: str) -> None:
    """In French each row of a list of users, and the title of each run, was in the plural: “Terminés”."""
    ended = welcome_stats.users().filter(status="completed", reason="completed").head(1)
    said = word("one.completed", locale)
    assert (said == word("completed", locale)) == (locale != "fr")
    assert cells(str(table(ended.select("status", "reason"), locale=locale))) == [said, said]
    trace = Trace(welcome_stats, ended["user_id"][0])
    assert f"<span>{said}</span>" in str(trace_html(welcome_stats, trace, locale=locale))


def test_what_a_compared_number_counts_is_said_in_one_language() -> None:
    said = explained("points.entered_change", "fr")
    assert said.startswith("Variation relative par rapport à la période précédente : arrivées ;")
    assert explained("points.entered_prev").startswith("The same in the period before, of arrivals;")


def test_a_figure_is_an_image_with_its_tables_folded_under_it() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="5"/>'
    html = str(figure_html(svg, {"points": FRAME}, 'a "picture" <b>', notes=["<i>"]))
    data = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert data is not None
    assert base64.b64decode(data[1]).decode() == svg
    assert 'alt="a &#34;picture&#34; &lt;b&gt;"' in html
    assert '<details class="paper"><summary>Table: Steps</summary>' in html
    assert "&lt;i&gt;" in html
    assert "<svg" not in html


def test_a_page_stands_alone() -> None:
    page = page_html(HOSTILE[0], ["<h1>Hello</h1>", table(FRAME)])
    assert page.startswith("<!DOCTYPE html>")
    for rule in (
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ):  # the last two inherit nothing
        assert rule in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)|https?://|@import|<script", page)
    assert "prefers-color-scheme:dark" in page
    assert "&lt;script&gt;" in page
