"""The live dashboard in a bare page: every action with its effect, the keyboard, everybody's needs, bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fabricate import HOSTILE
from live import Live, english, fits, serious, tried

import journey_nb as jn
from journey_nb.render.dashboard import PAGE, PARTS
from journey_nb.simulate import simulate
from journey_nb.style import word

pytestmark = pytest.mark.browser


@pytest.fixture
def open_live(
    on_page: Callable[..., Live], welcome_stats: jn.JourneyStats, tmp_path: Path
) -> Callable[..., Live]:
    def make(
        stats: jn.JourneyStats | None = None, page: dict[str, Any] | None = None, **options: Any
    ) -> Live:
        return on_page(jn.Dashboard(stats or welcome_stats, folder=tmp_path, **options), **(page or {}))

    return make


def opens(live: Live, part: str) -> None:
    live.page.click(f"[data-action=part][data-value={part}]")
    live.settle()


def number(live: Live, key: str) -> str:
    return live.page.locator(f'.part [data-key="{key}"]').first.text_content()


def listed(live: Live, heading: str) -> list[str]:
    """The first cells of the table that begins with a heading."""
    return [
        text.strip()
        for text in live.page.locator(
            f"table:has(thead th:first-child:text-is('{heading}')) tbody tr td:first-child"
        ).all_text_contents()
    ]


def active(live: Live) -> Any:
    return live.page.evaluate_handle("document.querySelector('.jnb-live').shadowRoot.activeElement")


# Every action, and what it must bring about.


def tries_period(live: Live) -> None:
    live.page.select_option("[data-action=period]", "7d")
    live.settle()
    assert live.widget.period == live.widget.stats.chosen == "7d"
    assert number(live, "messages_sent") == str(live.widget.stats.health()["messages_sent"].item())
    assert "17 May 2026 – 23 May 2026" in live.page.get_by_role("status").text_content()


def tries_dates(live: Live) -> None:
    live.page.select_option("[data-action=period]", "custom")
    live.page.fill("form[data-action=dates] [name=first]", "2026-03-01")
    live.page.fill("form[data-action=dates] [name=last]", "2026-03-15")
    live.page.click("form[data-action=dates] button")
    live.settle()
    assert live.widget.period == "2026-03-01..2026-03-15"
    assert number(live, "in_journey") == str(live.widget.stats.audience()["in_journey"].item())


def tries_clock(live: Live) -> None:
    live.page.select_option("[data-action=clock]", "cohort")
    live.settle()
    assert live.widget.clock == live.widget.stats.scope.clock == "cohort"
    assert "followed up" in live.page.get_by_role("status").text_content()


def tries_part(live: Live) -> None:
    for part in PARTS:
        opens(live, part)
        assert live.widget.opened == part
        button = live.page.locator(f"[data-action=part][data-value={part}]")
        assert button.get_attribute("aria-expanded") == "true"
        assert live.page.locator(".details:visible").count() == 1
        assert live.page.locator(f"#{part}").is_visible()
        assert button.evaluate("e => e.matches(':focus')"), "the focus stays where it is"
    opens(live, "health")
    assert live.widget.opened is None
    assert live.page.locator(".details:visible").count() == 0


def tries_channel(live: Live) -> None:
    opens(live, "communications")
    assert live.page.get_by_role("tab", selected=True).text_content() == "Push"
    live.page.get_by_role("tab", name="Email").click()
    live.settle()
    assert live.widget.channel == "email"
    assert live.page.get_by_role("tab", selected=True).text_content() == "Email"
    assert live.page.get_by_role("tabpanel", name="Email").is_visible()
    assert listed(live, "Title") == live.widget.stats.messages("email")["title"].to_list()


def tries_goal(live: Live) -> None:
    opens(live, "communications")
    live.page.select_option("[data-action=goal]", "first_order")
    live.settle()
    assert live.widget.goal == "first_order"
    users = live.widget.stats.messages("push", "first_order")["goal_users"]
    headings = live.page.locator("table:has([data-action=point]) thead th").all_text_contents()
    place = headings.index("Goal users") + 1
    cells = live.page.locator(f"tr:has([data-action=point]) td:nth-child({place})").all_text_contents()
    assert cells == [str(n) for n in users]
    opens(live, "performance")
    assert live.page.input_value("[data-action=goal]") == "first_order"
    live.page.select_option("[data-action=goal]", "")
    live.settle()
    assert live.widget.goal is None


def tries_search(live: Live) -> None:
    opens(live, "audience")
    live.page.fill("[name=text]", "U000002")
    live.page.keyboard.press("Enter")
    live.settle()
    assert live.widget.search == "U000002"
    assert listed(live, "User") == live.widget.stats.users("u000002", limit=PAGE)["user_id"].to_list()
    live.page.fill("[name=text]", "nobody at all")
    live.page.click("form[data-action=search] button")
    live.settle()
    assert "Nobody found for “nobody at all”." in live.page.locator("#audience").text_content()
    live.page.fill("[name=text]", "")
    live.page.keyboard.press("Enter")
    live.settle()
    assert len(listed(live, "User")) == PAGE


def tries_page(live: Live) -> None:
    opens(live, "audience")
    live.page.get_by_role("button", name="Next page").click()
    live.settle()
    assert live.widget.page == 1
    assert listed(live, "User") == live.widget.stats.users(limit=PAGE, offset=PAGE)["user_id"].to_list()
    assert "Rows 26 – 50" in live.page.locator(".pager").text_content()
    live.page.get_by_role("button", name="Previous page").click()
    live.settle()
    assert live.widget.page == 0
    live.page.get_by_role("button", name="Previous page").click(force=True)
    live.settle()
    assert (live.widget.page, live.widget.error) == (0, ""), "there is nothing before the first"


def tries_user(live: Live) -> None:
    opens(live, "audience")
    link = live.page.locator("[data-action=user]").nth(3)
    name = link.text_content()
    link.click()
    live.settle()
    assert live.widget.user == name
    assert live.page.get_by_role("button", name=name, pressed=True).count() == 1
    link.click()
    live.settle()
    assert live.widget.user is None


def tries_point(live: Live) -> None:
    opens(live, "communications")
    live.page.get_by_role("button", name="Welcome push", exact=True).click()
    live.settle()
    assert live.widget.selected == "hello_push"
    assert live.page.get_by_role("button", name="Welcome push", exact=True, pressed=True).count() == 1


def tries_export(live: Live) -> None:
    opens(live, "communications")
    live.page.locator(".menu summary").first.click()
    live.page.get_by_role("button", name="Export as CSV: Point users, Welcome push").click()
    live.settle()
    dialog = live.page.get_by_role("dialog", name="Export Point users, Welcome push")
    assert dialog.is_visible()
    assert dialog.locator("[name=first]").input_value() == "2026-02-23"


def tries_write(live: Live) -> None:
    opens(live, "audience")
    live.page.get_by_role("button", name="Export as CSV: User list").click()
    live.settle()
    live.page.fill(".export [name=first]", "2026-03-01")
    live.page.fill(".export [name=last]", "2026-03-31")
    with live.page.expect_download() as download:
        live.page.click("form[data-action=write] button")
    live.settle()
    (path,) = live.widget.folder.iterdir()
    assert download.value.suggested_filename == path.name
    assert Path(download.value.path()).read_bytes() == path.read_bytes()
    rows = live.widget.stats.between("2026-03-01", "2026-03-31").users().height
    told = live.page.get_by_role("dialog").text_content()
    assert f"{rows} rows written" in told
    assert str(path) in told
    assert f"{rows} rows written" in live.page.locator(".said").text_content()


def tries_export_again(live: Live) -> None:
    tries_write(live)
    live.page.get_by_role("button", name="Another period").click()
    live.settle()
    assert live.page.locator("form[data-action=write]").is_visible()


def tries_export_close(live: Live) -> None:
    opens(live, "audience")
    button = live.page.get_by_role("button", name="Export as CSV: User list")
    for close in (
        lambda: live.page.get_by_role("button", name="Close").click(),
        lambda: live.page.keyboard.press("Escape"),
    ):
        button.click()
        live.settle()
        assert live.page.get_by_role("dialog").is_visible()
        close()
        live.settle()
        assert not live.page.get_by_role("dialog").is_visible()
        assert live.widget.export == ""
        assert button.evaluate("e => e.matches(':focus')"), "the focus is where it was"


def tries_dismiss(live: Live) -> None:
    live.page.select_option("[data-action=period]", "custom")
    live.page.fill("form[data-action=dates] [name=first]", "2026-04-03")
    live.page.fill("form[data-action=dates] [name=last]", "2026-04-01")
    live.page.click("form[data-action=dates] button")
    live.settle()
    assert "swap the two" in live.page.get_by_role("alert").text_content()
    live.page.click("[data-action=dismiss]")
    live.settle()
    assert live.page.get_by_role("alert").count() == 0


def tries_look(live: Live) -> None:
    """What is watched is asked for in time; only numbers that changed are replaced."""
    journey = live.widget.stats.journey
    news = jn.JourneyStats(journey, simulate(journey, users=230, seed=7))
    was = live.page.query_selector('.part [data-key="messages_sent"]')
    live.widget.watch(0.05, lambda: news)
    live.push()
    live.page.wait_for_function(
        "([was, sent]) => was.isConnected && was.textContent === sent",
        arg=[was, str(news.health()["messages_sent"].item())],
    )
    live.page.evaluate("dispose()")


TRIED = tried(globals())


@pytest.mark.parametrize("action", TRIED)
def test_each_action_has_its_effect(live: Live, action: str) -> None:
    TRIED[action](live)
    assert action in live.done


def test_no_action_is_left_untried() -> None:
    assert set(jn.Dashboard._actions) == set(TRIED)


# Hands


def test_every_number_says_what_it_counts_to_the_pointer_and_to_the_keyboard(live: Live) -> None:
    account = live.page.locator(".account")
    opens(live, "communications")
    assert live.page.locator(".value").count() == live.page.locator("[title]:has(> .value)").count()
    live.page.locator("tr:has([data-action=point]) td.n").first.hover()
    assert account.text_content().startswith("Messages sent; in-app: shown at least once.")
    live.page.locator("tr:has([data-action=point]) td.n").nth(3).hover()
    assert "(Opened / Sent)" in account.text_content()
    live.page.keyboard.press("Tab")
    live.page.locator(".part [title]:has([data-key=drop_offs])").focus()
    assert account.text_content().startswith("Runs dropped by an internal or a send error.")
    assert account.is_visible()
    headings = live.page.locator("table:has([data-action=point]) th.n")
    headings.last.focus()
    assert account.text_content() == headings.last.get_attribute("title")
    live.page.locator("tr:has([data-action=point]) td.n").first.hover()
    assert account.text_content() == headings.last.get_attribute("title"), "where the keyboard is, it stays"
    for part in ("performance", "audience", "communications", "health"):
        opens(live, part)
        assert live.page.locator("th.n").count()
        assert live.page.locator("th.n:not([title])").count() == 0


def test_tabs_are_gone_through_with_arrows_as_they_stand(open_live: Callable[..., Live]) -> None:
    for dir, ahead in (("ltr", "ArrowRight"), ("rtl", "ArrowLeft")):
        live = open_live(page={"dir": dir}, opened="communications")
        live.page.get_by_role("tab", name="Push").focus()
        ways = []
        for key in (ahead, ahead, ahead, "End", "Home"):
            live.page.keyboard.press(key)
            ways.append(active(live).evaluate("e => e.dataset.value"))
        assert ways == ["email", "in_app", "push", "in_app", "push"]
        assert live.page.locator("[role=tab][tabindex='0']").count() == 1
        live.page.keyboard.press(ahead)
        live.page.keyboard.press("Enter")
        live.settle()
        assert live.widget.channel == "email"
        assert active(live).evaluate("e => e.dataset.value") == "email"


def test_the_whole_list_is_reached_from_the_keyboard(live: Live) -> None:
    press = live.page.keyboard.press
    live.page.locator("[data-action=part][data-value=audience]").focus()
    press("Enter")
    live.settle()
    for _ in range(40):
        press("Tab")
        if active(live).evaluate("e => e?.name") == "text":
            break
    live.page.keyboard.type("u0000001")
    press("Enter")
    live.settle()
    assert active(live).evaluate("e => e.name") == "text"
    for _ in range(20):
        press("Tab")
        if active(live).evaluate("e => e?.dataset.action") == "user":
            break
    press("Space")
    live.settle()
    assert live.widget.user == "u0000001"


def test_what_code_sets_is_shown(live: Live) -> None:
    live.widget.opened, live.widget.channel = "communications", "in_app"
    live.push()
    live.page.wait_for_selector("[role=tab][aria-selected=true]:text-is('In-app')")
    live.widget.stats = live.widget.stats.period("30d").compare()
    live.push()
    live.page.wait_for_selector(".part .change")
    assert live.page.input_value("[data-action=period]") == "30d"


# Everybody


@pytest.mark.parametrize("part", [*PARTS, "export"])
def test_axe_finds_nothing_serious(open_live: Callable[..., Live], part: str) -> None:
    live = open_live(opened="audience" if part == "export" else part)
    if part == "export":
        live.page.click("[data-what=users]")
        live.settle()
    assert serious(live) == []


@pytest.mark.parametrize("dir", ["ltr", "rtl"])
@pytest.mark.parametrize("part", PARTS)
def test_it_fits_its_place_either_way_round(open_live: Callable[..., Live], dir: str, part: str) -> None:
    live = open_live(page={"dir": dir}, opened=part)
    for width in (1100, 360):
        live.page.set_viewport_size({"width": width, "height": 900})
        fits(
            live.page,
            width,
            ":is(.tools, .bar, .part) :is(select, input, button, h2, h3, .value), [role=tab], .details, figure",
        )


@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_no_english_word_of_the_dictionary_is_left(
    open_live: Callable[..., Live], welcome_stats: jn.JourneyStats, locale: str
) -> None:
    live = open_live(welcome_stats.period("30d").compare(), locale=locale)
    own = {goal.label for goal in welcome_stats.journey.goals}
    for part in PARTS:
        opens(live, part)
        assert english(live, locale) - own == set(), part
    opens(live, "audience")
    live.page.click("[data-what=users]")
    live.settle()
    assert english(live, locale) - own == set()
    live.page.click("form[data-action=write] button")
    live.settle()
    assert english(live, locale) - own == set()


def test_another_language_is_spoken_at_once(
    open_live: Callable[..., Live], welcome_stats: jn.JourneyStats
) -> None:
    live = open_live(opened="audience")
    live.widget.locale = "fr"
    live.push()
    assert english(live, "fr") - {goal.label for goal in welcome_stats.journey.goals} == set()
    langs = "at => [...at.querySelectorAll('[lang]')].map(part => part.lang)"
    assert set(live.page.locator(".view").evaluate(langs)) == {"fr"}
    assert live.page.locator(".tools").get_attribute("aria-label") == word("tools", "fr")


# What goes wrong


def test_a_request_that_fails_is_painted_and_the_numbers_stay(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens(live, "audience")
    before = live.page.locator(".panel").inner_html()

    def broken(*_: Any, **__: Any) -> pl.DataFrame:
        raise OSError("the disk <b>is</b> gone")

    monkeypatch.setattr(jn.JourneyStats, "users", broken)
    live.page.select_option("[data-action=period]", "7d")
    live.settle()
    assert "the disk <b>is</b> gone" in live.page.get_by_role("alert").text_content()
    assert live.page.locator(".panel").inner_html() == before
    assert live.widget.period == live.widget.stats.chosen == "launch"
    live.page.get_by_role("button", name="Next page").click()
    live.settle()
    assert live.page.locator(".panel").inner_html() == before
    assert live.widget.page == 0


def test_a_file_that_cannot_be_written_is_told_where_it_was_asked_for(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens(live, "audience")
    live.page.click("[data-what=users]")
    live.settle()
    (live.widget.folder / "file").write_text("in the way")
    live.widget.folder = live.widget.folder / "file"
    live.page.click("form[data-action=write] button")
    live.settle()
    assert "FileExistsError" in live.page.get_by_role("dialog").get_by_role("alert").text_content()
    assert live.page.locator("form[data-action=write]").is_visible()


def test_hostile_texts_run_nowhere_and_break_nothing(open_live: Callable[..., Live]) -> None:
    document = jn.Journey.sample("welcome").model_dump(mode="json")
    texts = ["<img src=x onerror=alert(1)>", *HOSTILE, '"><script>alert(1)</script>', "{{ 7 * 7 }}"]
    for at, point in enumerate(document["versions"][-1]["points"]):
        point["title"] = texts[at % len(texts)]
    document["title"] = texts[0]
    for at, goal in enumerate(document["goals"]):
        goal["title"] = texts[at]
        goal["conditions"] = [{"field": texts[1], "operator": ">", "value": texts[0]}]
    journey = jn.Journey.model_validate(document)
    log = simulate(jn.Journey.sample("welcome"), users=60, seed=5)
    users = dict(zip(log["user_id"].unique(maintain_order=True), texts, strict=False))
    log = log.with_columns(user_id=pl.col("user_id").replace(users))
    live = open_live(jn.JourneyStats(journey, log))
    shadow = "document.querySelector('.jnb-live').shadowRoot"
    for part in PARTS:
        opens(live, part)
        for tab in live.page.get_by_role("tab").all():
            tab.click()
            live.settle()
        assert live.page.get_by_role("alert").count() == 0
        odd = 'script, [onerror], img:not([src^="data:"])'
        assert live.page.evaluate("([root, odd]) => eval(root).querySelectorAll(odd).length", [shadow, odd]) == 0  # fmt: skip
        assert live.page.evaluate("document.documentElement.scrollWidth") <= 1100
    opens(live, "audience")
    live.page.fill("[name=text]", texts[0])
    live.page.keyboard.press("Enter")
    live.settle()
    live.page.locator("[data-action=user]").first.click()
    live.settle()
    assert live.widget.user == texts[0]
    opens(live, "performance")
    live.page.locator("[data-what=goal]").first.click()
    live.settle()
    live.page.click("form[data-action=write] button")
    live.settle()
    (path,) = live.widget.folder.iterdir()
    assert set("<>\"'/") & set(path.name) == set()


def test_a_view_that_is_closed_listens_no_more(live: Live) -> None:
    assert live.page.evaluate("window.model.heard.length") > 5
    live.page.evaluate("window.dispose()")
    assert live.page.evaluate("window.model.heard.length") == 0
