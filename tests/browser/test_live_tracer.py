"""The live tracer in a bare page: every action with its effect, the keyboard, everybody's needs, bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from fabricate import HOSTILE
from live import Live, english, fits, serious, tried
from playwright.sync_api import expect

import journey_nb as jn
from journey_nb.render.canvas import meanings
from journey_nb.simulate import simulate
from journey_nb.style import format, word

pytestmark = pytest.mark.browser

CARD = ".sheet [data-point={}]"


@pytest.fixture
def open_live(on_page: Callable[..., Live], welcome_stats: jn.JourneyStats) -> Callable[..., Live]:
    def make(
        stats: jn.JourneyStats | None = None, page: dict[str, Any] | None = None, **options: Any
    ) -> Live:
        return on_page(jn.PathTracer(stats or welcome_stats, **options), **(page or {}))

    return make


@pytest.fixture
def someone(welcome_stats: jn.JourneyStats) -> tuple[str, list[str]]:
    """A user of several runs, the newest first, of which one is on an older version."""
    runs = welcome_stats.facts.runs.group_by("user_id").len().sort("len", "user_id", descending=True)
    user = str(runs["user_id"][0])
    table = welcome_stats.user_runs(user)
    assert table["version"].n_unique() > 1
    return user, table["run_id"].to_list()


def a_user(live: Live) -> str:
    runs = live.widget.stats.facts.runs.group_by("user_id").len().sort("len", "user_id", descending=True)
    return str(runs["user_id"][0])


def find(live: Live, user: str) -> None:
    live.page.fill("[name=user]", user)
    live.page.keyboard.press("Enter")
    live.settle()


def focused(live: Live, what: str) -> Any:
    return live.page.evaluate(
        f"(e => e && ({what}))(document.querySelector('.jnb-live').shadowRoot.activeElement)"
    )


def lit(live: Live) -> list[str]:
    return sorted(live.page.eval_on_selector_all(".sheet .card.on", "all => all.map(e => e.dataset.point)"))


def steps(live: Live) -> list[str]:
    return live.page.eval_on_selector_all(".steps [data-action=show]", "all => all.map(e => e.dataset.point)")


def shows(live: Live, user: str, run: str) -> None:
    """The canvas and the list show this run, as the statistics know it."""
    path = live.widget.stats.user_path(user).filter(pl.col("run_id") == run)
    assert lit(live) == sorted(path["point_id"].unique())
    assert steps(live) == path["point_id"].to_list()
    assert live.page.locator("[name=run]:checked").get_attribute("value") == run
    assert f"Version {path['version'][0]} ·" in live.page.locator(".sheet .sub").first.text_content()
    told = live.page.locator(".trace").text_content()
    assert format.moment(path["arrived_at"][0]) in told
    done = live.widget.stats.user_events(user).filter(
        pl.col("run_id") == run, pl.col("step_no").is_not_null()
    )
    assert live.page.locator(".steps ul > li").count() == done.height


# Every action, and what it must bring about; those of a canvas are tried there, but for what is other here.


def tries_find(live: Live) -> None:
    user = a_user(live)
    find(live, user)
    assert live.widget.user == user
    shows(live, user, live.widget.stats.user_runs(user)["run_id"][0])
    find(live, "nobody at all")
    assert "nobody at all is not in this journey" in live.page.locator(".missing").text_content()
    assert live.widget.user == user, "what was lit stays lit"
    device = live.widget.stats.user_runs(user)["device_id"][0]
    find(live, device)
    assert live.widget.user == device
    assert live.page.locator(".trace h2").text_content() == user
    assert device in live.page.locator(".trace > p").first.text_content()


def tries_suggest(live: Live) -> None:
    live.page.locator("[name=user]").press_sequentially("u00002", delay=10)
    expect(live.page.locator(".offers button")).to_have_text(
        live.widget.stats.beginning("u00002"), timeout=30_000
    )
    live.settle()
    asked = live.page.evaluate("window.model.sent")
    assert (asked[-1]["action"], asked[-1]["value"]) == ("suggest", "u00002")
    assert len(asked) < 6, "not asked for each letter"
    offered = live.page.locator(".offers button").all_text_contents()
    assert "Ids that begin so: 8" in live.page.get_by_role("status").text_content()
    press = live.page.keyboard.press
    press("ArrowDown")
    press("ArrowDown")
    assert focused(live, "e.textContent") == offered[1]
    press("ArrowUp")
    press("Enter")
    live.settle()
    assert live.widget.user == offered[0]
    assert live.page.input_value("[name=user]") == offered[0]
    assert focused(live, "e.name") == "user"
    assert live.page.locator(".offers").count() == 0
    live.page.fill("[name=user]", "u0000")
    live.page.wait_for_selector(".offers")
    press("ArrowDown")
    press("Escape")
    live.settle()
    assert live.page.locator(".offers").count() == 0
    assert focused(live, "e.name") == "user"


def tries_run(live: Live) -> None:
    user = a_user(live)
    find(live, user)
    runs = live.widget.stats.user_runs(user)["run_id"].to_list()
    live.page.click(f'[name=run][value="{runs[2]}"]')
    live.settle()
    shows(live, user, runs[2])
    for _ in range(2):  # the second is past the newest but one
        live.page.get_by_role("button", name="Newer run").click()
        live.settle()
    shows(live, user, runs[0])
    live.page.get_by_role("button", name="Newer run").click(
        force=True
    )  # playwright waits for what is enabled
    live.settle()
    assert live.page.get_by_role("button", name="Newer run").get_attribute("aria-disabled") == "true"
    shows(live, user, runs[0])
    live.page.get_by_role("button", name="Older run").click()
    live.settle()
    assert live.widget.run == runs[1]
    live.page.focus("[name=run]:checked")
    live.page.keyboard.press("ArrowDown")
    live.settle()
    shows(live, user, runs[2])
    assert focused(live, "e.value") == runs[2]
    assert "run 2 of 4" in live.page.get_by_role("status").text_content()


def tries_show(live: Live) -> None:
    find(live, a_user(live))
    button = live.page.locator(".steps [data-action=show]").last
    point = button.get_attribute("data-point")
    button.click()
    assert live.widget.selected == point
    card, stage = (live.page.locator(part).bounding_box() for part in (CARD.format(point), ".stage"))
    assert stage["y"] <= card["y"]
    assert card["y"] + card["height"] <= stage["y"] + stage["height"]
    assert focused(live, "e.dataset.point") == point, "the focus stays in the list"


def tries_path(live: Live) -> None:
    ways = live.widget.stats.paths()
    way = live.page.locator(".ways li").nth(1)
    titles = {name: point.label for name, point in live.widget.stats.journey.points().items()}
    assert way.get_by_role("button").text_content() == " → ".join(titles[point] for point in ways["path"][1])
    assert way.locator("dd").all_text_contents() == [
        format.number(ways["runs"][1]), format.number(ways["users"][1]), format.percent(ways["share"][1]),
        format.number(ways["converted"][1]), format.percent(ways["rate"][1]),
    ]  # fmt: skip
    way.get_by_role("button").click()
    live.settle()
    assert live.widget.path == ways["path"][1].to_list()
    assert lit(live) == sorted(ways["path"][1])
    assert way.get_by_role("button").get_attribute("aria-pressed") == "true"
    live.page.get_by_role("button", name="Hide this path").click()
    live.settle()
    assert live.widget.path is None
    assert live.page.locator(".sheet .dim").count() == 0


def tries_clear(live: Live) -> None:
    find(live, a_user(live))
    live.page.click("[data-action=clear]")
    live.settle()
    assert live.widget.user is None
    assert live.page.locator(".trace, .sheet .dim").count() == 0


def tries_period(live: Live) -> None:
    live.page.select_option("[data-action=period]", "7d")
    live.settle()
    runs = live.widget.stats.period("7d").paths()["runs"]
    assert live.page.locator(".ways dl > div:first-child dd").all_text_contents() == [f"{n:,}" for n in runs]


def tries_open(live: Live) -> None:
    live.page.dblclick(CARD.format("hello_push"))
    live.settle()
    assert live.page.get_by_role("dialog", name="Welcome push").is_visible()
    live.page.keyboard.press("Escape")
    live.settle()
    assert live.widget.opened is None


TRIED = tried(globals())


@pytest.mark.parametrize("action", TRIED)
def test_each_action_has_its_effect(live: Live, action: str) -> None:
    TRIED[action](live)
    assert action in live.done


def test_no_action_is_left_untried() -> None:
    assert set(jn.PathTracer._actions) - set(jn.JourneyCanvas._actions) <= set(TRIED)


def test_hover_and_focus_tell_what_a_path_s_numbers_count(live: Live) -> None:
    account = live.page.locator(".account")
    live.page.hover(".ways li:nth-child(2) [data-key='paths.share'] dd")
    assert account.text_content() == meanings()["paths.share"] != ""
    live.page.locator(".ways dt[tabindex]").last.focus()
    assert account.text_content() == meanings()["paths.rate"] != ""


def test_what_code_sets_is_shown(live: Live, someone: tuple[str, list[str]]) -> None:
    user, runs = someone
    live.widget.user = user
    live.widget.run = runs[-1]
    live.push()
    live.page.wait_for_selector(f'[name=run][value="{runs[-1]}"]:checked')
    live.page.wait_for_selector(".sheet .card.on")
    shows(live, user, runs[-1])


@pytest.mark.parametrize("state", ["plain", "run", "path", "typed"])
def test_axe_finds_nothing_serious(
    open_live: Callable[..., Live], someone: tuple[str, list[str]], state: str
) -> None:
    live = open_live()
    if state == "run":
        find(live, someone[0])
    if state == "path":
        live.page.locator(".ways [data-action=path]").first.click()
        live.settle()
    if state == "typed":
        live.page.locator("[name=user]").press_sequentially("u0")
        live.page.wait_for_selector(".offers")
        live.settle()
    assert serious(live) == []


@pytest.mark.parametrize("dir", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_fits_its_place_either_way_round(
    open_live: Callable[..., Live], someone: tuple[str, list[str]], dir: str, width: int
) -> None:
    live = open_live(page={"width": width, "dir": dir}, user=someone[0])
    live.page.locator("[name=user]").press("End")
    live.page.locator("[name=user]").press("Backspace")
    live.page.wait_for_selector(".offers")
    fits(live.page, width, ".view :is(select, input, button, li, label, .offers, .panel, h2)")
    panel, stage = (live.page.locator(part).bounding_box() for part in (".panel", ".stage"))
    if width > 760:
        assert (panel["x"] < stage["x"]) == (dir == "rtl"), "the list stands where reading ends"
        assert panel["height"] == pytest.approx(stage["height"], abs=1)
    number, title = (live.page.locator(f".steps {part}").first.bounding_box() for part in (".no", "b"))
    assert (title["x"] < number["x"]) == (dir == "rtl")


@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_no_english_word_of_the_dictionary_is_left(
    open_live: Callable[..., Live], welcome_stats: jn.JourneyStats, locale: str
) -> None:
    own = {branch.label for version in welcome_stats.journey.versions for branch in version.branches}
    for cell in ("messages.failed", "messages.clicked", "messages.skipped", "drops.count"):
        row = welcome_stats.rows(cell).row(0, named=True)
        live = open_live(locale=locale, user=row["user_id"], run=row["run_id"])
        assert live.page.locator(".steps li").count() > 1
        texts = [text for part in live.page.locator(".steps li span, .runs span").all_text_contents()
                 for text in part.split(" · ")]  # fmt: skip
        assert word("message.sent") not in texts
        assert english(live, locale) - own == set()


def test_another_language_is_spoken_at_once(
    open_live: Callable[..., Live], someone: tuple[str, list[str]], welcome_stats: jn.JourneyStats
) -> None:
    live = open_live(user=someone[0])
    live.page.dblclick("[data-point=hello_push]")
    live.settle()
    live.widget.locale = "fr"
    live.push()
    live.page.locator(".sheet").get_by_text(word("sent", "fr")).first.wait_for()
    own = {branch.label for version in welcome_stats.journey.versions for branch in version.branches}
    assert english(live, "fr") - own == set()
    langs = "at => [...at.querySelectorAll('[lang]')].map(part => part.lang)"
    assert set(live.page.locator(".view").evaluate(langs)) == {"fr"}
    live.page.hover(".stage", position={"x": 2, "y": 2})  # where nothing tells of itself
    assert live.page.locator(".account").text_content() == word("keyboard", "fr")


def test_a_request_that_fails_is_painted_and_the_picture_stays(
    live: Live, someone: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, runs = someone
    find(live, user)

    def broken(*_: Any, **__: Any) -> pl.DataFrame:
        raise OSError("the disk <b>is</b> gone")

    monkeypatch.setattr(jn.JourneyStats, "user_path", broken)
    live.page.click(f'[name=run][value="{runs[1]}"]')
    live.settle()
    assert "the disk <b>is</b> gone" in live.page.get_by_role("alert").text_content()
    monkeypatch.undo()
    shows(live, user, runs[0])


def test_hostile_texts_run_nowhere_and_break_nothing(open_live: Callable[..., Live]) -> None:
    texts = ["<img src=x onerror=alert(1)>", *HOSTILE, '"><script>alert(1)</script>', "{{ 7 * 7 }}"]
    document = jn.Journey.sample("welcome").model_dump(mode="json")
    for version in document["versions"]:
        for at, point in enumerate(version["points"]):
            point["title"] = texts[at % len(texts)]
    for goal in document["goals"]:
        goal["title"] = texts[0]
    log = simulate(jn.Journey.sample("welcome"), users=60, seed=5)
    users = dict(zip(log["user_id"].unique(maintain_order=True), texts, strict=False))
    runs = dict(zip(log["run_id"].drop_nulls().unique(maintain_order=True), texts, strict=False))
    log = log.with_columns(
        user_id=pl.col("user_id").replace(users),
        run_id=pl.col("run_id").replace(runs),
        device_id=pl.col("device_id").replace({log["device_id"][0]: texts[0]}),
    )
    live = open_live(jn.JourneyStats(jn.Journey.model_validate(document), log))
    shadow = "document.querySelector('.jnb-live').shadowRoot"
    for user in (texts[0], *texts[-2:], "<script>alert(1)</script>"):
        live.page.fill("[name=user]", user[:3])
        live.page.wait_for_function("window.model.pending === 0")
        find(live, user)
        foreign = f"{shadow}.querySelectorAll('script, [onerror], img').length"
        assert live.page.evaluate(foreign) == 0
        assert live.page.get_by_role("alert").count() == 0
    assert live.widget.user == texts[-1], "the last was nobody"
    live.page.locator(".ways [data-action=path]").first.click()
    live.settle()
    assert live.widget.path == live.widget.stats.paths()["path"][0].to_list()
    assert live.page.evaluate("document.documentElement.scrollWidth") <= 1100
