"""A language chosen once is that of everything made after it, and the same as if it had been asked for each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import journey_nb as jn
from journey_nb import charts, sections
from journey_nb.render import page_html
from journey_nb.render.detail import detail_html
from journey_nb.render.panels import cards, table


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    jn.set_locale("en")


@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_what_is_made_without_a_language_is_in_the_chosen_one(
    welcome_stats: jn.JourneyStats, locale: str
) -> None:
    def made(**asked: str) -> list[str]:
        health = welcome_stats.health()
        widgets = (
            jn.JourneyCanvas(welcome_stats, **asked),
            jn.Dashboard(welcome_stats, opened="health", **asked),
        )  # type: ignore[arg-type]
        return [
            jn.canvas(welcome_stats, **asked).svg,
            str(jn.canvas(welcome_stats, **asked).figure),
            str(table(health, **asked)),
            str(cards(health, **asked)),
            str(detail_html(welcome_stats, "hello_push", **asked)),
            str(sections.heading(welcome_stats, **asked)),
            page_html("x", [], **asked),
            str(charts.daily(welcome_stats.daily(), **asked).to_dict()),
            str(charts.goals(welcome_stats.goals(), **asked).to_dict()),
            *(widget.tools + widget.frame + widget.locale for widget in widgets),
            widgets[1].panel,
            str(widgets[1].figure),
        ]

    english, wanted = made(), made(locale=locale)
    jn.set_locale(locale)
    assert made() == wanted
    assert made(locale="en") == english
    assert all(one != other for one, other in zip(english, wanted, strict=True))


def test_what_was_made_keeps_its_language(welcome_stats: jn.JourneyStats) -> None:
    widget, picture = jn.Dashboard(welcome_stats), jn.canvas(welcome_stats)
    before = picture.svg
    jn.set_locale("ko")
    widget.opened = "health"
    assert "Campaign health" in widget.panel
    assert picture.svg == before


@pytest.mark.parametrize("kind", ["canvas", "dashboard", "tracer", "workspace", "journeys"])
def test_a_live_view_speaks_another_language_at_once(
    kind: str, welcome_stats: jn.JourneyStats, tmp_path: Path
) -> None:
    view, wanted = (_live(kind, welcome_stats, tmp_path / locale, locale) for locale in ("en", "fr"))
    assert _shown(view) != _shown(wanted)
    view.locale = "fr"
    assert _shown(view) == _shown(wanted)
    with pytest.raises(ValueError, match="there are en, fr, ko"):
        view.locale = "nope"
    assert view.locale == "fr"
    assert _shown(view) == _shown(wanted)


def _live(kind: str, stats: jn.JourneyStats, folder: Path, locale: str) -> Any:
    """A live view with all open that can be."""
    if kind == "canvas":
        view: Any = jn.JourneyCanvas(stats, locale=locale)
        view.opened, view.full = "hello_push", True
    elif kind == "dashboard":
        view = jn.Dashboard(stats, opened="audience", locale=locale)
    elif kind == "tracer":
        view = jn.PathTracer(stats, user=stats.users()["user_id"][0], locale=locale)
    elif kind == "workspace":
        view = jn.Workspace(stats, locale=locale)
        view.head.goals = True
    else:
        store = jn.Store(folder)
        store.add(stats.journey)
        view = jn.JourneyList(store, opened=stats.journey.journey_id, locale=locale)
    return view


def _shown(view: Any) -> list[Any]:
    """What a view, those that it is made of, and the one that it has opened show and say."""
    opened = getattr(view, "workspace", None)
    views = [*getattr(view, "views", [view]), *(opened.views if opened else [])]
    ours = ("locale", "frame", "tools", "panel", "picture", "detail", "meanings")
    return [
        (*(getattr(one, name) for name in ours if one.has_trait(name)), one.alt, str(one.figure))
        for one in views
    ]


def test_a_language_that_is_not_shipped_is_refused_with_the_near_one() -> None:
    with pytest.raises(ValueError, match="did you mean 'fr'"):
        jn.set_locale("frr")
    jn.set_locale("fr-CA")
    assert repr(cards(jn.JourneyStats(jn.Journey.sample("welcome"), _nothing()).health())).startswith(
        "Entrées"
    )


def _nothing() -> object:
    from journey_nb.simulate import simulate

    return simulate(jn.Journey.sample("welcome"), users=3)
