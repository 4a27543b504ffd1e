"""JourneyList from code: its rows are the store's, its numbers the tables', what is set is shown or refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ipywidgets.widgets.widget import _instances

import journey_nb as jn
from journey_nb.metrics.health import headline
from journey_nb.pseudonyms import Pseudonyms
from journey_nb.render.journeys import NUMBERS, PAGE
from journey_nb.store.registry import verbs
from journey_nb.style import format


@pytest.fixture
def store(welcome_store: jn.Store) -> jn.Store:
    for sample in ("abandoned_cart", "win_back"):
        welcome_store.add(jn.Journey.sample(sample))
    return welcome_store


@pytest.fixture
def widget(store: jn.Store, tmp_path: Path) -> jn.JourneyList:
    return jn.JourneyList(store, folder=tmp_path / "files")


def ask(widget: Any, **request: Any) -> None:
    widget._handle_custom_msg(request, [])


def test_its_numbers_are_the_tables(widget: jn.JourneyList, welcome: jn.Journey) -> None:
    stats = widget.store["welcome"]
    tables = {"audience": stats.audience(), "health": stats.health()}
    row = widget.panel.split(f'data-value="{welcome.journey_id}"')[1].split("</tr>")[0]
    for name, of in NUMBERS.items():
        assert f">{format.number(tables[of][name].item())}</td>" in row
    assert widget.alt.startswith("Journeys: 3. ")


def test_when_a_journey_was_made_is_told_with_its_zone(widget: jn.JourneyList) -> None:
    for shown in (
        widget.panel,
        str(widget.figure),
    ):  # 14:20 in Paris, and the list is of journeys of any zone
        assert ">16 Feb 2026 13:20 UTC</td>" in shown


def test_a_store_is_watched_in_the_list_and_in_the_workspace_that_is_open(
    widget: jn.JourneyList, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    widget.watch(5)
    widget.opened = welcome.journey_id
    widget.workspace.period = "30d"
    before, panel = widget.workspace.stats, widget.panel
    ask(widget, action="look")
    assert (widget.every, widget.panel) == (5, panel)
    assert widget.workspace.stats is before, "nothing is drawn anew where nothing was loaded"
    widget.store.append(welcome_log.with_columns(("more-" + pl.col("user_id", "run_id")).name.keep()))
    ask(widget, action="look")
    assert widget.error == ""
    assert widget.panel != panel
    now = widget.workspace.stats
    assert now.chosen == "30d"
    assert now.facts.runs.height > before.facts.runs.height
    widget.watch(0)
    assert widget.every == 0


def test_a_journey_is_counted_again_only_when_something_is_loaded(
    widget: jn.JourneyList, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(
        "journey_nb.widgets.journeys.headline",
        lambda scope: (counted.append(scope.journey.label), headline(scope))[1],
    )
    widget.status = "running"
    widget.title = "welc"
    assert counted == []
    more = welcome_log.with_columns(("more-" + pl.col("user_id", "run_id")).name.keep())
    widget.store.append(more)
    widget.title = None
    assert counted == ["Welcome series"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "running"),
        ("category", "Onboarding"),
        ("type", "audience"),
        ("tag", "lapsed"),
        ("title", "W"),
    ],
)
def test_filters_are_the_store_s(widget: jn.JourneyList, name: str, value: str) -> None:
    setattr(widget, name, value)
    found = widget.store.find(**{name: value})
    assert widget.found.sort("journey_id").equals(found.sort("journey_id"))
    assert found.height > 0
    for journey_id in widget.store.find()["journey_id"]:
        assert (f'data-value="{journey_id}"' in widget.panel) == (journey_id in found["journey_id"])


def test_the_newest_come_first_unless_another_order_is_chosen(widget: jn.JourneyList) -> None:
    def shown() -> list[str]:
        return re.findall(r'data-action="journey" data-value="([^"]+)"', widget.panel)

    widget.store.rename("Win-back", "about to leave")
    made = widget.store.find()["journey_id"].to_list()
    titles = sorted(made, key=lambda key: widget.store.get(key).label.lower())
    assert len({tuple(made[::-1]), tuple(made), tuple(titles)}) == 3
    assert (widget.order, shown()) == ("newest", made[::-1])
    for order, stands in (("oldest", made), ("title", titles)):
        ask(widget, action="order", value=order)
        assert (widget.order, shown(), widget.found["journey_id"].to_list()) == (order, stands, stands)
    ask(widget, action="order", value="by chance")
    assert (widget.order, shown()) == ("title", titles)
    assert "by chance" in widget.error


def test_a_status_is_kept_as_the_menu_has_it(widget: jn.JourneyList) -> None:
    widget.status = "Active"
    assert (widget.status, widget.found.height > 0) == ("running", True)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("status", "runing", "running"),
        ("type", "audiense", "audience"),
        ("selected", ["nobody's"], "no journey"),
        ("opened", "nobody's", "no journey"),
    ],
)
def test_what_cannot_be_is_refused_and_the_list_stays(
    widget: jn.JourneyList, name: str, value: Any, told: str
) -> None:
    panel, before = widget.panel, getattr(widget, name)
    with pytest.raises((KeyError, ValueError), match=told):
        setattr(widget, name, value)
    assert (widget.panel, getattr(widget, name)) == (panel, before)
    with pytest.raises(TypeError, match="did you mean 'status'"):
        jn.JourneyList(widget.store, statis="running")


def test_hundreds_are_paged(widget: jn.JourneyList, welcome: jn.Journey) -> None:
    for at in range(PAGE):
        own = {"journey_id": f"draft-{at}", "title": f"Draft {at}", "status": "draft"}
        widget.store.add(welcome.model_copy(update=own))
    widget.status = "draft"
    widget.status = None
    assert widget.panel.count('data-action="journey"') == PAGE
    widget.page = 1
    assert widget.panel.count('data-action="journey"') == 3
    widget.title = "Draft"
    assert widget.page == 0
    assert widget.panel.count('data-action="journey"') == PAGE
    assert len(widget.panel) < 200_000


def test_an_export_is_of_the_ticked_that_meet_the_filters(
    widget: jn.JourneyList, welcome: jn.Journey
) -> None:
    widget.selected = [welcome.journey_id, widget.store.get("Win-back").journey_id]
    widget.category = "Onboarding"
    ask(widget, action="export", what="campaign")
    ask(widget, action="write", first="2026-03-01", last="2026-03-31")
    (path,) = widget.folder.iterdir()
    wanted = jn.campaign_statistics(widget.store["welcome"].between("2026-03-01", "2026-03-31"))
    assert pl.read_csv(path, schema=wanted.schema).equals(wanted)


def test_what_is_ticked_but_not_listed_is_told(widget: jn.JourneyList) -> None:
    widget.selected = ["Win-back", "welcome"]
    assert ">Selected: 2<" in widget.panel
    widget.category = "Onboarding"
    assert ">Selected: 2, of them listed: 1<" in widget.panel
    widget.title, widget.category = "cart", None
    assert ">Selected: 2, of them listed: 0<" in widget.panel
    ask(widget, action="export", what="campaign")
    assert "none of the journeys that are ticked is listed" in widget.error
    assert "widen the filters, or tick one that is" in widget.error
    widget.title = None
    assert ">Selected: 2<" in widget.panel


def test_the_dates_offered_are_those_of_every_page(
    store: jn.Store, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("widgets", "render"):
        monkeypatch.setattr(f"journey_nb.{module}.journeys.PAGE", 1)
    widget = jn.JourneyList(store)
    assert widget.panel.count('data-action="journey"') == 1
    ask(widget, action="export", what="campaign")
    days = [day for one in store.find()["journey_id"] for day in store[one].scope.days]
    for name, day in (("first", min(days)), ("last", max(days))):
        assert re.search(rf'name="{name}" value="{day.isoformat()}"', widget.export)


def test_journeys_are_named_as_the_store_takes_them(store: jn.Store, welcome: jn.Journey) -> None:
    widget = jn.JourneyList(store, opened="welcome", selected=["welcome-series", welcome.journey_id])
    assert (widget.opened, widget.selected) == (welcome.journey_id, [welcome.journey_id])
    assert widget.workspace.stats.journey.label == "Welcome series"


def test_a_clone_made_in_the_open_workspace_is_listed(widget: jn.JourneyList, welcome: jn.Journey) -> None:
    widget.opened = welcome.journey_id
    asked = {"action": "change", "what": "clone", "journey": welcome.journey_id}
    ask(widget.workspace.head, **asked, text="Spring")
    assert ">Spring<" in widget.panel
    ask(widget.workspace.head, **asked, text="spring")
    assert "there is a journey called “Spring” already" in widget.workspace.head.export
    assert widget.found.height == 4


def test_a_change_is_told_as_done_also_beside_pseudonyms(widget: jn.JourneyList, welcome: jn.Journey) -> None:
    widget.opened = welcome.journey_id
    hidden = widget.workspace.stats.under(Pseudonyms(b"a key of many bytes, not this one"))
    widget.workspace.stats = hidden
    ask(widget, action="change", what="pause", journey=welcome.journey_id)
    assert (widget.error, widget.export) == ("", "")
    assert "Paused" in widget.said
    assert ">Paused<" in widget.panel
    assert widget.workspace.stats is hidden


def test_a_journey_is_said_to_open_each_time(widget: jn.JourneyList, welcome: jn.Journey) -> None:
    """The second time nothing was heard: what had been said the first time stood there still."""
    for said in ("Opened below the list: Welcome series", "") * 2:
        ask(widget, action="journey", value=welcome.journey_id)
        assert (widget.said, widget.workspace is None) == (said, not said)


def test_a_row_opens_its_workspace_which_changes_the_list(
    widget: jn.JourneyList, welcome: jn.Journey
) -> None:
    widget.opened = welcome.journey_id
    workspace = widget.workspace
    assert workspace.stats.journey == widget.store.get("welcome")
    ask(workspace.head, action="change", what="pause", journey=welcome.journey_id)
    assert workspace.head.error == ""
    assert workspace.canvas.stats.journey.status == "paused"
    assert ">Paused<" in widget.panel
    ask(widget, action="change", what="rename", journey=welcome.journey_id, text="Hello")
    assert workspace.stats.journey.label == "Hello"
    assert widget.workspace is workspace
    widget.opened = None
    assert widget.workspace is None


def test_a_journey_whose_numbers_cannot_be_read_does_not_hide_the_others(
    widget: jn.JourneyList, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any, journey: jn.Journey) -> Any:
        raise jn.StoreError(f"rebuild({journey.journey_id!r})")

    monkeypatch.setattr(jn.Store, "_journey_and_facts", broken)
    widget.status = "running"
    assert widget.panel.count('data-action="journey"') == 3
    assert widget.panel.count("rebuild(") == 3


@pytest.mark.parametrize("verb", ["pause", "stop", "archive", "clone", "rename"])
def test_what_nothing_undoes_is_said_before_it_is_done(
    widget: jn.JourneyList, welcome: jn.Journey, verb: str
) -> None:
    """An archived journey stays so, and the window that asked did not say it."""
    ask(widget, action="manage", what=verb, journey=welcome.journey_id)
    assert ("Nothing brings it back" in widget.export) == (verb in ("stop", "archive"))
    text = "" if verb in ("pause", "archive") else "Welcome series"
    ask(widget, action="change", what=verb, journey=welcome.journey_id, text=text)
    status = widget.store.get(welcome.journey_id).status
    assert not {"launch", "relaunch"} & set(verbs(status)) or verb == "pause"


@pytest.mark.parametrize("verb", ["edit", "add", "__init__", None])
def test_only_what_the_menu_has_is_done(widget: jn.JourneyList, welcome: jn.Journey, verb: Any) -> None:
    for action in ("manage", "change"):
        ask(widget, action=action, what=verb, journey=welcome.journey_id)
        assert "cannot be changed by" in widget.error


def test_the_copy_has_no_controls(widget: jn.JourneyList) -> None:
    assert "Welcome series" in str(widget.figure)
    assert "data-action" not in str(widget.figure)


def test_a_journey_without_a_name_is_not_opened(widget: jn.JourneyList) -> None:
    with pytest.raises(KeyError, match="the store has no journey ''"):
        widget.opened = ""
    assert widget.opened is None


def test_what_a_list_leaves_is_let_go(widget: jn.JourneyList) -> None:
    """Else each journey that was looked at stays, in the kernel and in the browser, as long as the kernel does."""
    widget.opened = "welcome"
    first, alive = widget.workspace, len(_instances)
    for journey_id in ("abandoned_cart", "win_back", "welcome"):
        widget.opened = journey_id
    assert len(_instances) == alive
    assert first is not None
    assert all(view.comm is None for view in (first, *first.views))
    widget.opened = None
    assert len(_instances) == alive - len({first, *first.views}) * 2, "each with its layout"
