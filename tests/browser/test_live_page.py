"""The page that lives without a kernel: opened from a file, the network off, with JavaScript and without."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fabricate import HOSTILE, tree
from live import HANDS, english, fits, serious

import journey_nb as jn
from journey_nb.render.canvas import meanings
from journey_nb.simulate import simulate

pytestmark = pytest.mark.browser

CARD = ".sheet [data-point={}]"
PERIODS = ("launch", "30d", "7d", "2026-03-01..2026-03-15")
SHADOW = "document.querySelector('.jnb-live').shadowRoot"


class Opened:
    """A saved page; whatever it asks the network for, or the browser complains of, is kept."""

    def __init__(self, browser: Any, path: Path, *, width: int = 1100, **context: Any) -> None:
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(offline=True, viewport={"width": width, "height": 900}, **context)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: (self.faults.append(dialog.message), dialog.dismiss()))
        self.page.goto(path.as_uri())
        self.path = path
        if context.get("java_script_enabled", True):
            self.page.wait_for_selector(".sheet > svg")
            self.page.evaluate(HANDS)

    def choose(self, action: str, value: str) -> None:
        self.page.select_option(f"[data-action={action}]", value)
        self.page.wait_for_selector(".view:not([aria-busy])")

    def open(self, point: str) -> None:
        self.page.dblclick(CARD.format(point))
        self.page.wait_for_selector(".detail h2")

    def close(self) -> None:
        self.context.close()
        assert self.faults == []
        asked = [url for url in self.requests if not url.startswith(("data:", "blob:"))]
        assert asked == [self.path.as_uri()]


@pytest.fixture(scope="module")
def users(welcome_stats: jn.JourneyStats) -> list[str]:
    """Three people, one of whom has gone through the older version."""
    runs = welcome_stats.users()["user_id"].to_list()
    older = next(user for user in runs if welcome_stats.user_runs(user)["version"][0] == 1)
    return [*runs[:2], older]


@pytest.fixture(scope="module")
def saved(welcome_stats: jn.JourneyStats, users: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "welcome.html"
    return jn.JourneyCanvas(welcome_stats).save(path, periods=PERIODS, users=users)


@pytest.fixture
def open_page(chromium: Any, saved: Path, request: pytest.FixtureRequest) -> Callable[..., Opened]:
    def make(path: Path | None = None, **options: Any) -> Opened:
        opened = Opened(chromium, path or saved, **options)
        request.addfinalizer(opened.close)
        return opened

    return make


@pytest.fixture
def opened(open_page: Callable[..., Opened]) -> Opened:
    return open_page()


def entered(opened: Opened) -> dict[str, str]:
    """What the cards say."""
    cards = opened.page.eval_on_selector_all(
        ".sheet [data-key$='.entered']", "all => all.map(e => [e.dataset.key.split('.')[1], e.textContent])"
    )
    return dict(cards)


def counted(stats: jn.JourneyStats) -> dict[str, str]:
    return {row["point_id"]: f"{row['entered']:,}" for row in stats.points().iter_rows(named=True)}


def at(stats: jn.JourneyStats, period: str) -> jn.JourneyStats:
    return stats.between(*period.split("..")) if ".." in period else stats.period(period)


def scale(opened: Opened) -> float:
    return opened.page.evaluate(
        f"new DOMMatrix(getComputedStyle({SHADOW}.querySelector('.sheet')).transform).a"
    )


# Every action of the page, and what it must bring about.


def tries_period(opened: Opened, stats: jn.JourneyStats, _: list[str]) -> None:
    opened.open("hello_push")
    for period in (*PERIODS[1:], PERIODS[0]):
        opened.choose("period", period)
        chosen = at(stats, period)
        assert entered(opened) == counted(chosen)
        rows = opened.page.locator("figure > details").first.locator("tbody tr")
        assert rows.count() == chosen.points().height
        first = next(iter(counted(chosen).values()))
        assert first in rows.first.text_content(), "the tables below are of the same period"
        told = opened.page.locator('.detail [data-key="entered"]').text_content()
        assert told == counted(chosen)["hello_push"], "the window follows"
        assert opened.page.input_value("[data-action=period]") == period


def tries_user(opened: Opened, stats: jn.JourneyStats, users: list[str]) -> None:
    opened.choose("period", "7d")
    for user in users:
        opened.choose("user", user)
        path = stats.user_path(user)
        newest = path.filter(pl.col("run_id") == path["run_id"].first())
        lit = opened.page.eval_on_selector_all(".sheet .card.on", "all => all.map(e => e.dataset.point)")
        assert sorted(lit) == sorted(newest["point_id"].unique())
        assert f"Version {newest['version'][0]} " in opened.page.locator(".sheet .sub").first.text_content()
        still = opened.page.locator("figure img").first.get_attribute("alt")
        assert "path" in still, "the printed picture is the one that is chosen"
    opened.choose("user", "")
    assert opened.page.locator(".sheet .card.on").count() == 0
    assert entered(opened) == counted(stats.period("7d"))


def tries_metrics(opened: Opened, *_: Any) -> None:
    shown = ".sheet [data-point=hello_push] .d"
    opened.page.uncheck("[data-action=metrics]")
    opened.choose("period", "7d")
    opened.page.mouse.move(2, 2)
    assert not opened.page.is_checked("[data-action=metrics]")
    assert opened.page.eval_on_selector(shown, "e => getComputedStyle(e).opacity") == "0"
    opened.page.check("[data-action=metrics]")
    assert opened.page.eval_on_selector(shown, "e => getComputedStyle(e).opacity") == "1"


def tries_zoom_in(opened: Opened, *_: Any) -> None:
    before = scale(opened)
    opened.page.click("[data-action=zoom-in]")
    assert scale(opened) == pytest.approx(before * 1.25)


def tries_zoom_out(opened: Opened, *_: Any) -> None:
    before = scale(opened)
    opened.page.click("[data-action=zoom-out]")
    assert scale(opened) == pytest.approx(before / 1.25)


def tries_fit(opened: Opened, *_: Any) -> None:
    opened.page.click("[data-action=fit]")
    stage, svg = (opened.page.locator(part).bounding_box() for part in (".stage", ".sheet > svg"))
    assert svg["height"] == pytest.approx(stage["height"], abs=1)


def tries_close(opened: Opened, *_: Any) -> None:
    opened.open("hello_push")
    opened.page.click("[data-action=close]")
    assert not opened.page.locator(".detail").is_visible()
    focused = opened.page.evaluate(f"{SHADOW}.activeElement.dataset.point")
    assert focused == "hello_push"


def tries_drops(opened: Opened, *_: Any) -> None:
    opened.open("hello_push")
    reasons = opened.page.locator("details:has([data-action=drops]) table")
    assert not reasons.is_visible()
    opened.page.click("[data-action=drops]")
    assert reasons.is_visible()


TRIED: dict[str, Callable[[Opened, jn.JourneyStats, list[str]], None]] = {
    name.removeprefix("tries_").replace("_", "-"): function
    for name, function in list(globals().items())
    if name.startswith("tries_")
}


@pytest.mark.parametrize("action", TRIED)
def test_each_action_has_its_effect(
    opened: Opened, welcome_stats: jn.JourneyStats, users: list[str], action: str
) -> None:
    TRIED[action](opened, welcome_stats, users)
    assert action in opened.page.evaluate("[...handled]")


def test_nothing_is_offered_that_needs_a_kernel(opened: Opened, welcome_stats: jn.JourneyStats) -> None:
    offered = set()
    for point in welcome_stats.journey.points():
        opened.page.locator(CARD.format(point)).focus()
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_selector(".detail h2")
        found = opened.page.locator(".view [data-action]:not([hidden])")
        offered |= set(found.evaluate_all("all => all.map(e => e.dataset.action)"))
        opened.page.keyboard.press("Escape")
    assert offered == set(TRIED)


# Without a script, and under the reader's hands


def test_without_javascript_it_is_the_picture_and_its_tables(
    open_page: Callable[..., Opened], welcome_stats: jn.JourneyStats
) -> None:
    opened = open_page(java_script_enabled=False)
    assert opened.page.locator("figure img").first.bounding_box()["height"] > 500
    assert opened.page.locator(".jnb-live").count() == 0
    steps = opened.page.locator("figure > details").first
    steps.locator("summary").click()
    assert steps.locator("tbody tr").first.is_visible()
    assert steps.locator("tbody tr").count() == welcome_stats.points().height


def test_hover_and_keyboard_tell_and_open(opened: Opened) -> None:
    account, press = opened.page.locator(".account"), opened.page.keyboard.press
    opened.page.hover('.sheet [data-key="points.hello_push.sent"]')
    assert account.text_content() == meanings()["points.sent"]
    opened.page.locator(CARD.format("signup")).focus()
    press("ArrowDown")
    assert opened.page.evaluate(f"{SHADOW}.activeElement.dataset.point") == "hello_push"
    assert "entered" in account.text_content()
    press("Enter")
    assert opened.page.get_by_role("dialog", name="Welcome push").is_visible()
    press("Escape")
    assert not opened.page.locator(".detail").is_visible()
    before = scale(opened)
    press("+")
    assert scale(opened) == pytest.approx(before * 1.25)


def test_a_drag_pans(opened: Opened) -> None:
    card = opened.page.locator(CARD.format("signup"))
    before = card.bounding_box()
    opened.page.mouse.move(before["x"] + 50, before["y"] + 50)
    opened.page.mouse.down()
    opened.page.mouse.move(before["x"] + 90, before["y"] + 20, steps=4)
    opened.page.mouse.up()
    after = card.bounding_box()
    assert (after["x"], after["y"]) == pytest.approx((before["x"] + 40, before["y"] - 30), abs=1)


def test_a_large_journey_has_its_minimap(open_page: Callable[..., Opened], tmp_path: Path) -> None:
    large = tree(60)
    view = jn.JourneyCanvas(jn.JourneyStats(large, simulate(large, users=20, seed=3)))
    opened = open_page(view.save(tmp_path / "large.html", periods=[]))
    assert opened.page.locator(".map .block").count() == 60
    assert opened.page.locator("[data-action=user]").count() == 0, "no menu of nobody"
    card = opened.page.locator(".sheet [data-point]").first
    before = card.bounding_box()["x"]
    box = opened.page.locator("[data-action=map]").bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    assert card.bounding_box()["x"] < before - 500


def test_print_shows_the_picture_of_what_is_chosen_and_its_tables(opened: Opened) -> None:
    assert not opened.page.locator("figure img").first.is_visible()
    opened.choose("period", "7d")
    steps = opened.page.locator("details.paper td", has_text="Welcome push").first
    assert not steps.is_visible()
    opened.page.emulate_media(media="print")
    assert not opened.page.locator(".jnb-live").is_visible()
    image = opened.page.locator("figure img").first
    assert image.is_visible()
    assert steps.is_visible()
    opened.page.wait_for_function("document.querySelector('figure img').naturalWidth > 400")
    assert "17 May 2026" in opened.page.evaluate(
        "decodeURIComponent(document.querySelector('figure img').src)"
    )


# Everybody


def test_axe_finds_nothing_serious_in_either_theme(
    open_page: Callable[..., Opened], users: list[str]
) -> None:
    opened = open_page(color_scheme="dark")
    ground = opened.page.eval_on_selector(".view", "e => getComputedStyle(e).backgroundColor")
    assert ground == "rgb(18, 22, 27)"
    opened.choose("user", users[0])
    opened.open("hello_push")
    assert serious(opened) == []


def test_it_fits_a_phone(open_page: Callable[..., Opened]) -> None:
    opened = open_page(width=360)
    opened.open("signup")
    fits(opened.page, 360, ".tools :is(select, input, button), .detail, .account")


@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_no_english_word_of_the_dictionary_is_left(
    open_page: Callable[..., Opened],
    welcome_stats: jn.JourneyStats,
    users: list[str],
    tmp_path: Path,
    locale: str,
) -> None:
    view = jn.JourneyCanvas(welcome_stats, locale=locale, user=users[0])
    opened = open_page(view.save(tmp_path / "page.html", periods=["launch"]))
    assert opened.page.locator(".sheet .card.on").count() > 1, "it begins as the view stood"
    opened.open("hello_push")
    own = {branch.label for branch in welcome_stats.journey.version().branches}
    assert english(opened, locale) - own == set()
    assert opened.page.evaluate("document.documentElement.lang") == locale


def test_hostile_texts_run_nowhere_and_break_nothing(
    open_page: Callable[..., Opened], tmp_path: Path
) -> None:
    document = jn.Journey.sample("welcome").model_dump(mode="json")
    texts = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!--<script>", *HOSTILE]
    for at, point in enumerate(document["versions"][-1]["points"]):
        point["title"] = texts[at % len(texts)]
    document["title"] = texts[0]
    journey = jn.Journey.model_validate(document)
    log = simulate(jn.Journey.sample("welcome"), users=60, seed=5)
    names = dict(zip(log["user_id"].unique(maintain_order=True)[:3], texts, strict=False))
    stats = jn.JourneyStats(journey, log.with_columns(user_id=pl.col("user_id").replace(names)))
    path = jn.JourneyCanvas(stats).save(tmp_path / "page.html", periods=[], users=list(names.values()))
    opened = open_page(path)
    assert opened.page.title().startswith("</script>")
    for user in names.values():
        opened.choose("user", user)
        assert opened.page.locator(".sheet .card.on").count() > 1
    cards = opened.page.eval_on_selector_all(".sheet [data-point]", "all => all.map(e => e.dataset.point)")
    for point in cards:
        opened.page.locator(CARD.format(point)).focus()
        opened.page.keyboard.press("Enter")
        assert opened.page.locator(".detail h2").count() == 1
    assert opened.page.evaluate(f"{SHADOW}.querySelectorAll('script, [onerror]').length") == 0
    assert opened.page.locator("script").count() == 3
    assert re.search(r"<script>\s*alert", path.read_text("utf-8")) is None


def test_the_policy_lets_no_other_script_run(open_page: Callable[..., Opened]) -> None:
    opened = open_page()
    opened.page.evaluate("""() => {
      const script = document.createElement('script');
      script.textContent = 'window.intruder = 1';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.intruder = 2">');
    }""")
    opened.page.wait_for_timeout(100)
    assert opened.page.evaluate("window.intruder") is None
    assert opened.faults, "the browser says that it refused"
    assert all("Content Security Policy" in fault for fault in opened.faults)
    opened.faults.clear()
